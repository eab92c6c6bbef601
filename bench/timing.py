"""Times that are times: training alone, synchronised, interleaved with SGD in one process.

Every round runs each program three times, for no step, for some and for twice as many, in an order that turns. What a
call costs whatever its length is what no step costs, and is taken off. The programs are those of the sweep, already
compiled. Wall and process time are both kept: on a busy machine the second is far steadier, but it is that of the
processor alone.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from bench.program import Program
from bench.train import distance

ROUNDS = 7
TARGET_S = 0.02  # about what the longest run of a round takes
DOUBLING = (1.5, 2.5)  # what twice the steps may take, as a multiple


class UnsoundTiming(Exception):
    """A measurement that cannot be a training time; the message says why."""


@dataclass
class _Clock:
    """A program at a setting, and its (wall, process) seconds by round for no step, `steps / 2` and `steps`."""

    program: Program
    hparams: Mapping[str, float]
    rounds: list[np.ndarray] = field(default_factory=list)

    def run(self, steps: int) -> tuple[float, float]:
        """(wall, process) seconds of one run of that many steps."""
        points = np.round(np.linspace(0, steps, len(self.program.points))).astype(np.int32)
        start = self.program.start(0, "0")
        wall, cpu = time.perf_counter(), time.process_time()
        self.program.train(start, self.hparams, points)
        return time.perf_counter() - wall, time.process_time() - cpu

    def round(self, steps: int) -> None:
        """Measures the three lengths once."""
        self.rounds.append(np.asarray([self.run(length) for length in (0, steps // 2, steps)]))

    def times(self) -> np.ndarray:
        """(rounds, 2 lengths, 2 clocks): seconds of the shorter and the longer run beyond those of no step."""
        rounds = np.asarray(self.rounds)
        return rounds[:, 1:] - np.median(rounds[:, :1], axis=0)


def measure(
    programs: Mapping[str, Program], settings: Mapping[str, Mapping[str, float]], baseline: Program
) -> dict[str, dict[str, Any]]:
    """Step times of each program, beside the baseline's in the same rounds.

    Args:
      programs: by optimizer, all of one task.
      settings: hyperparameters for each.
      baseline: the program that the others are compared with, at its defaults.

    Returns:
      {optimizer: fields of `bench.results.Timing` as plain lists and numbers}, or {optimizer: {"unsound": why}}.
    """
    clocks = {name: _Clock(program, settings[name]) for name, program in programs.items()}
    reference = _Clock(baseline, {})
    every = [reference, *clocks.values()]
    for clock in every:
        clock.run(2)  # the first call of a program pays for more than itself
    steps = _steps(reference)
    for turn in range(ROUNDS):
        first = turn % len(every)
        for clock in every[first:] + every[:first]:
            clock.round(steps)
    return {name: _summary(clock, reference, steps) for name, clock in clocks.items()}


def _steps(clock: _Clock) -> int:
    """An even number of steps that takes about TARGET_S."""
    steps = 64
    while (took := clock.run(steps)[0]) < TARGET_S / 4:
        steps *= 4
    return 2 * max(1, round(steps * TARGET_S / took / 2))


def _summary(clock: _Clock, reference: _Clock, steps: int) -> dict[str, Any]:
    own, sgd = clock.times(), reference.times()
    program = clock.program
    start = program.start(0, "0")
    moved = distance(start, program.train(start, clock.hparams).params)
    device = jax.devices()[0].device_kind
    counted = 1 if device == "cpu" else 0
    doubling = float(np.median(own[:, 1, counted]) / np.median(own[:, 0, counted]))
    try:
        check(doubling, moved)
    except UnsoundTiming as error:
        return {"unsound": str(error)}
    return {
        "step_s": list(own[:, 1, 0] / steps),
        "step_cpu_s": list(own[:, 1, 1] / steps),
        "sgd_step_s": list(sgd[:, 1, 0] / steps),
        "sgd_step_cpu_s": list(sgd[:, 1, 1] / steps),
        "doubling": doubling,
        "distance": moved,
        "steps": steps,
        "device": device,
    }


def check(doubling: float, distance: float) -> None:
    """Refuses a time that cannot be that of training.

    Args:
      doubling: time of a run over that of one half as long.
      distance: how far the parameters moved; NaN, in a run that diverged, is a move.

    Raises:
      UnsoundTiming: the parameters did not move, or twice the steps did not take about twice as long.
    """
    if distance == 0:
        raise UnsoundTiming("the parameters did not move")
    low, high = DOUBLING
    if not low <= doubling <= high:
        raise UnsoundTiming(f"twice the steps took {doubling:.2f} times as long")
