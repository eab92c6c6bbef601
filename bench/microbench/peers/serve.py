"""Times one training program, whenever told to, until its input ends.

    python serve.py PROGRAM DATA.npz EPOCHS [OPTIONS]

PROGRAM is a module beside this file, with a class `Training`; DATA holds x, float32 (rows, features), and y, one-hot
float32 (rows, classes); OPTIONS is a JSON object of arguments for `Training`. Each line in asks for a measurement of
at least so many seconds, and is answered by a line of JSON: {"steps", "wall_s", "cpu_s"}. The first line out, sent
unasked once a whole training has warmed everything up, is {"ready": true}, or {"absent": MODULE} where the program's
library is not installed.
"""

import importlib
import json
import os
import sys
import time
from typing import Any, Protocol

import numpy as np


class Training(Protocol):
    """What a program must offer."""

    def reset(self) -> None:
        """Goes back to untrained parameters and a fresh optimizer."""
        ...

    def train(self, epochs: int) -> int:
        """Trains, and returns the number of steps once all of them are finished."""
        ...

    def weights(self) -> np.ndarray:
        """A copy of the first layer's weights, to see that they moved."""
        ...


def measure(training: Training, epochs: int, seconds: float) -> dict[str, float]:
    """Steps, wall and process seconds (all threads) of whole trainings that last `seconds` or more together."""
    steps, wall, cpu = 0, 0.0, 0.0
    while not steps or wall < seconds:
        training.reset()
        before = training.weights()
        wall_begin, cpu_begin = time.perf_counter(), time.process_time()
        steps += training.train(epochs)
        wall += time.perf_counter() - wall_begin
        cpu += time.process_time() - cpu_begin
        if np.array_equal(before, training.weights()):
            raise RuntimeError("the parameters did not move")
    return {"steps": steps, "wall_s": wall, "cpu_s": cpu}


def check_growth(training: Training, epochs: int) -> None:
    """Refuses a program that does not take about twice as long for twice the epochs, in three attempts."""
    for _ in range(3):
        once, twice = (measure(training, epochs * times, seconds=0.0)["cpu_s"] for times in (1, 2))
        if 1.5 <= twice / once <= 2.5:
            return
    raise RuntimeError(f"twice the epochs took {twice / once:.2f} times as long")


def main(program: str, data: str, epochs: str, options: str = "{}") -> None:
    """Serves measurements of a program; see the top of this file."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not mix with the replies

    def reply(content: dict[str, Any]) -> None:
        replies.write(json.dumps(content) + "\n")
        replies.flush()

    try:
        module = importlib.import_module(program)
    except ModuleNotFoundError as error:
        return reply({"absent": error.name})
    with np.load(data) as arrays:
        training: Training = module.Training(arrays["x"], arrays["y"], **json.loads(options))
    measure(training, int(epochs), seconds=0.01)
    check_growth(training, int(epochs))
    reply({"ready": True})
    for line in sys.stdin:
        reply(measure(training, int(epochs), float(line)))
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
