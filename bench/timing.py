"""Times that are times: training alone, evaluation off, synchronised, interleaved with SGD in one process.

Each round runs every program twice, once for half as long, in an order that turns; the programs are those of the
sweep, already compiled. Wall and process time are both kept: on a busy machine the second is far steadier.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.program import Program

ROUNDS = 7
TARGET_S = 0.04  # a measurement lasts about this long: a long run is cut to it, a short one repeated


class UnsoundTiming(Exception):
    """A measurement that cannot be a training time; the message says why."""


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
    full = _cut(baseline)
    half = full // 2
    runs = {name: (program, settings[name]) for name, program in programs.items()}
    order = ["", *runs]
    runs[""] = (baseline, {})
    repeats = {name: _repeats(*runs[name], full) for name in order}
    times: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in order}
    for turn in range(ROUNDS):
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            times[name].append((*_time(*runs[name], half, repeats[name]), *_time(*runs[name], full, repeats[name])))
    result = {}
    for name, program in programs.items():
        distance = float(program.run(program.start(0, "0"), settings[name], full, evaluate=False).distance)
        try:
            result[name] = _summary(times[name], times[""], int(full[-1]), distance)
        except UnsoundTiming as error:
            result[name] = {"unsound": str(error)}
    return result


def _cut(baseline: Program) -> np.ndarray:
    """Evaluation points of a run, even in number of steps, that takes the baseline about TARGET_S or less."""
    points = baseline.protocol.points(baseline.task.steps)
    _time(baseline, {}, points, 1)
    share = min(1.0, TARGET_S / _time(baseline, {}, points, 1)[0])
    return 2 * np.ceil(points * share / 2).astype(np.int32) if share < 1 else points


def _repeats(program: Program, hparams: Mapping[str, float], points: np.ndarray) -> int:
    _time(program, hparams, points, 1)
    return max(1, round(TARGET_S / _time(program, hparams, points, 1)[0]))


def _time(program: Program, hparams: Mapping[str, float], points: np.ndarray, repeats: int) -> tuple[float, float]:
    """(wall, process) seconds of one run, the mean of `repeats`; a run is on the host when it returns."""
    start = program.start(0, "0")
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        program.run(start, hparams, points, evaluate=False)
    return (time.perf_counter() - wall) / repeats, (time.process_time() - cpu) / repeats


def _summary(
    times: list[tuple[float, float, float, float]],
    baseline: list[tuple[float, float, float, float]],
    steps: int,
    distance: float,
) -> dict[str, Any]:
    """Checks a measurement and puts it per step of the longer run.

    Raises:
      UnsoundTiming: the parameters did not move, or twice the steps did not take about twice as long.
    """
    own, sgd = np.asarray(times), np.asarray(baseline)
    doubling = float(np.median(own[:, 3] / own[:, 1]))
    if distance == 0:
        raise UnsoundTiming("the parameters did not move")
    if not 1.5 <= doubling <= 2.5:
        raise UnsoundTiming(f"twice the steps took {doubling:.2f} times as long")
    return {
        "step_s": list(own[:, 2] / steps),
        "step_cpu_s": list(own[:, 3] / steps),
        "sgd_step_s": list(sgd[:, 2] / steps),
        "sgd_step_cpu_s": list(sgd[:, 3] / steps),
        "doubling": doubling,
        "distance": distance,
        "steps": steps,
    }
