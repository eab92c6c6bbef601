"""Two sides of a comparison, measured in turns: a machine that slows down slows both of them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import timing
from bench.microbench.results import Goal

ATTEMPTS = 3  # at a sound time: a neighbour may disturb one


@dataclass(frozen=True)
class Pace:
    """One measurement of one side, in pieces of work a second.

    Attributes:
      rate: by the clock on the wall, added up over processes.
      cpu_rate: by process time, of all threads and processes.
    """

    rate: float
    cpu_rate: float


def in_turns(
    benchmark: Any,
    ours: Callable[[], Pace],
    theirs: Callable[[], Pace],
    goal: Goal,
    rounds: int,
    *,
    by_cpu: bool = False,
) -> None:
    """Measures both sides once a round; pytest-benchmark times ours, and keeps the ratios beside its own statistics.

    The figure is the median over rounds of our pace as a multiple of theirs in the same round: by process time if
    `by_cpu`, else by the wall.
    """
    own: list[Pace] = []
    others: list[Pace] = []

    def measure() -> None:
        own.append(ours())

    def before() -> None:
        others.append(theirs())

    benchmark.pedantic(measure, setup=before, rounds=rounds)
    ratios = {
        "wall": [a.rate / b.rate for a, b in zip(own, others, strict=True)],
        "cpu": [a.cpu_rate / b.cpu_rate for a, b in zip(own, others, strict=True)],
    }
    note(
        benchmark,
        ratios["cpu" if by_cpu else "wall"],
        goal,
        ratios=ratios,
        ours={"rate": _median(p.rate for p in own), "cpu_rate": _median(p.cpu_rate for p in own)},
        theirs={"rate": _median(p.rate for p in others), "cpu_rate": _median(p.cpu_rate for p in others)},
    )


def note(benchmark: Any, figures: list[float], goal: Goal, **more: Any) -> None:
    """Puts the figure, the median of several, with its range and goal beside what pytest-benchmark keeps."""
    figure = float(np.median(figures))
    benchmark.extra_info.update(
        figure=figure, low=min(figures), high=max(figures), goal=asdict(goal), holds=goal.holds(figure), **more
    )


def grows(half: Callable[[], float], whole: Callable[[], float], distance: float) -> None:
    """Refuses times of a work and of twice that work, where one cannot be a time of that work, in three attempts.

    Raises:
      UnsoundTiming: nothing moved, or twice the work did not take about twice as long.
    """
    for attempt in range(ATTEMPTS):
        times = [(half(), whole()) for _ in range(3)]
        try:
            timing.check(float(np.median([b for _, b in times]) / np.median([a for a, _ in times])), distance)
        except timing.UnsoundTiming:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return


def _median(values: Any) -> float:
    return float(np.median(list(values)))
