"""The whole path against an independent one: our Adam and Keras's own reach the same on the reference task."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from scipy import stats

import optimizers
from bench import tasks
from bench.program import compile_program
from bench.protocol import Protocol
from tests.peers import environment

SEEDS = 60
EPOCHS, BATCHES = 20, 27  # epochs of all full batches, twice the task's budget
RATE, EPSILON = 1e-3, 1e-7
ACCURACY_WITHIN = 0.007  # share of the test rows
LOSS_WITHIN = 0.05  # of Keras's mean loss


TASK = tasks.get("mnist_5k", steps=EPOCHS * BATCHES)


class Reached(NamedTuple):
    """On the test rows at the end of training, float64 (seeds,) each."""

    loss: np.ndarray
    accuracy: np.ndarray


def ours() -> Reached:
    # Keras adds epsilon to the root of the raw second moment.
    optimizer = optimizers.get(f"adam(eps={EPSILON}, eps_hat=True)")
    program = compile_program(TASK, optimizer, Protocol(evaluations=1))
    ends = [
        program.run(program.start(0, str(seed)), {"learning_rate": RATE, "b1": 0.9}).metrics["test"]
        for seed in range(SEEDS)
    ]
    return Reached(*(np.array([end[name][-1] for end in ends], np.float64) for name in Reached._fields))


def keras(folder: Path) -> Reached:
    assert isinstance(TASK, tasks.Mlp)
    table = TASK.table()
    arrays: dict[str, Any] = {
        f"{part}_{name}": getattr(table, part)[table.rows[name]] for name in ("train", "test") for part in "xy"
    }
    np.savez(folder / "mnist_5k.npz", **arrays)
    script = Path(__file__).parent / "peers/keras_adam.py"
    settings = map(str, (folder / "mnist_5k.npz", SEEDS, EPOCHS, RATE, EPSILON))
    done = subprocess.run([environment() / "bin/python", script, *settings], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return Reached(**{name: np.array(values) for name, values in json.loads(done.stdout.splitlines()[-1]).items()})


def difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Ends of Welch's 90 % interval of mean(a) - mean(b): inside +-d, a difference of d is refuted at 5 %."""
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.90)
    return float(interval.low), float(interval.high)


@pytest.mark.slow
def test_adam_reaches_what_keras_reaches(tmp_path: Path) -> None:
    theirs, our = keras(tmp_path), ours()
    accuracy = difference(our.accuracy, theirs.accuracy)
    loss = [end / theirs.loss.mean() for end in difference(our.loss, theirs.loss)]
    for who, reached in (("optgrid", our), ("keras", theirs)):
        shown = [f"{name} {v.mean():.4f} (sd {v.std(ddof=1):.4f})" for name, v in reached._asdict().items()]
        print(f"{who}, {len(reached.loss)} seeds: {', '.join(shown)}")
    print(f"difference, 90 % interval: accuracy {100 * accuracy[0]:+.2f} to {100 * accuracy[1]:+.2f} points", end=", ")
    print(f"loss {100 * loss[0]:+.2f} to {100 * loss[1]:+.2f} %")
    assert min(len(reached.loss) for reached in (our, theirs)) >= 20
    assert -ACCURACY_WITHIN < accuracy[0] < accuracy[1] < ACCURACY_WITHIN
    assert -LOSS_WITHIN < loss[0] < loss[1] < LOSS_WITHIN
