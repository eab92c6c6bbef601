"""The two boards of a run as arrays and as rows: records and times in, `bench.stats` applied, nothing drawn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench import stats
from bench.records import Record
from bench.results import Results
from bench.stats import Array
from reports.tables import Row, Spread

RULES = {"optimization": ("train", "train"), "generalization": ("valid", "test")}  # selected by, split


@dataclass(frozen=True)
class Board:
    """One board's scores and what statistics say about them; see `bench.stats` for the arrays.

    Attributes:
      scores: mean log final loss, (tasks, optimizers, replicates).
      metrics: the tasks' own metrics, the same shape.
    """

    name: str
    tasks: Sequence[str]
    optimizers: Sequence[str]
    scores: Array
    metrics: Array

    @cached_property
    def z(self) -> Array:
        """Scaled scores; the scales are this run's own."""
        return stats.scaled(self.scores, stats.scales(self.scores))

    @cached_property
    def score(self) -> Array:
        """One number for an optimizer."""
        return stats.means(self.z)

    @cached_property
    def interval(self) -> tuple[Array, Array]:
        """Its 95 % interval."""
        return stats.bootstrap(self.z)

    @cached_property
    def tiers(self) -> tuple[np.ndarray, Array]:
        """Tier, and p-value against the leader."""
        return stats.tiers(self.z)

    @cached_property
    def order(self) -> list[int]:
        """Optimizers by tier, then score; those not ranked last."""
        tier = self.tiers[0]
        return sorted(range(len(self.optimizers)), key=lambda o: (tier[o] == 0, tier[o], np.nan_to_num(self.score[o])))


def boards(results: Results) -> list[Board]:
    """Both boards of a run."""
    return [
        Board(
            name,
            results.tasks,
            results.optimizers,
            results.scores(selected_by, split),
            final_metrics(results, selected_by, split),
        )
        for name, (selected_by, split) in RULES.items()
    ]


def final_metrics(results: Results, selected_by: str, split: str) -> Array:
    """Mean over seeds of each task's own metric at the end: (tasks, optimizers, replicates), NaN where none."""
    values = np.full(results.scores(selected_by, split).shape, np.nan)
    for record in results.units:
        task, optimizer = record.cell
        final = record.final(selected_by, f"{split}/{record.meta['metric']}")[:, -1]
        place = results.tasks.index(task), results.optimizers.index(optimizer), record.meta["replicate"]
        values[place] = final.astype(np.float64).mean()
    return values


def rows(results: Results, both: Sequence[Board]) -> list[Row]:
    """Both boards as rows, in their order."""
    return [_row(results, board, index) for board in both for index in board.order]


def _row(results: Results, board: Board, index: int) -> Row:
    optimizer = board.optimizers[index]
    present = (~np.isnan(board.scores[:, index])).sum(-1)
    diverged, runs = final_runs(results, optimizer, *RULES[board.name])
    tier, p = board.tiers
    return Row(
        board=board.name,
        tier=int(tier[index]),
        optimizer=optimizer,
        score=float(board.score[index]),
        low=float(board.interval[0][index]),
        high=float(board.interval[1][index]),
        p=float(p[index]),
        tasks=int((present > 0).sum()),
        all_tasks=len(board.tasks),
        replicates=int(present.min()),
        runs=runs,
        diverged=diverged,
        missing=int(results.manifest["replicates"] * len(board.tasks) - present.sum()),
        step_ratio=_step_ratio(results, optimizer),
        compile_s=_median(list(compile_seconds(results, optimizer).values())),
        end_to_end_s=_median(list(end_to_end_seconds(results, optimizer).values())),
        state_ratio=_median([r.meta["state_bytes"] / r.meta["param_bytes"] for r in _records(results, optimizer)]),
        losses={task: _loss(board.scores[t, index]) for t, task in enumerate(board.tasks)},
        metrics={
            task: (metric, _spread(board.metrics[t, index]))
            for t, task in enumerate(board.tasks)
            if (metric := metric_name(results, task)) != "loss"
        },
    )


def metric_name(results: Results, task: str) -> str:
    """What a task's own metric is called."""
    return next(str(record.meta["metric"]) for record in results.units if record.meta["task"] == task)


def final_runs(results: Results, optimizer: str, selected_by: str, split: str) -> tuple[int, int]:
    """Final runs that ended without a finite loss, and all of them."""
    ends = [record.final(selected_by, f"{split}/loss")[:, -1] for record in _records(results, optimizer)]
    return int(sum((~np.isfinite(end)).sum() for end in ends)), sum(len(end) for end in ends)


def compile_seconds(results: Results, optimizer: str) -> dict[str, float]:
    """{task: seconds to compile}, median over the units that found nothing cached; such tasks only."""
    return _cold_median(results, optimizer, lambda meta: meta["compile_s"])


def end_to_end_seconds(results: Results, optimizer: str) -> dict[str, float]:
    """{task: seconds to trace, compile and train one run to the budget}; tasks compiled cold and timed only."""
    ready = _cold_median(results, optimizer, lambda meta: meta["trace_s"] + meta["compile_s"])
    budgets = {record.meta["task"]: record.meta["budget"] for record in _records(results, optimizer)}
    return {
        task: seconds + budgets[task] * results.timings[task, optimizer].seconds_per_step
        for task, seconds in ready.items()
        if (task, optimizer) in results.timings
    }


def _cold_median(results: Results, optimizer: str, seconds: Callable[[Mapping[str, Any]], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for record in _records(results, optimizer):
        if not record.meta["compile_cached"]:
            found.setdefault(record.meta["task"], []).append(seconds(record.meta))
    return {task: _median(values) for task, values in found.items()}


def step_ratios(results: Results, optimizer: str) -> dict[str, float]:
    """{task: time of a step as a multiple of SGD's}, for the tasks that were timed."""
    return {task: timing.ratio for (task, name), timing in results.timings.items() if name == optimizer}


def _step_ratio(results: Results, optimizer: str) -> float:
    ratios = list(step_ratios(results, optimizer).values())
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else np.nan


def _records(results: Results, optimizer: str) -> list[Record]:
    return [record for record in results.units if record.meta["optimizer"] == optimizer]


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else np.nan


def _loss(scores: Array) -> Spread:
    """Geometric mean and range over replicates of a cell's loss."""
    return Spread(*(float(np.exp(value)) for value in _spread(scores)))


def _spread(values: Array) -> Spread:
    """Mean and range; NaN where there is nothing."""
    present = values[~np.isnan(values)]
    return (
        Spread(float(present.mean()), float(present.min()), float(present.max()))
        if present.size
        else Spread(*[np.nan] * 3)
    )
