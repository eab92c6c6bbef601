"""The two boards of a run as arrays and as rows: records and times in, `bench.stats` applied, nothing drawn."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench import constants, stats
from bench.constants import RULES
from bench.edges import Edge, edges, known
from bench.results import Results
from bench.stats import Array
from reports import measures
from reports.rows import Row, Spread


@dataclass(frozen=True)
class Board:
    """One board's scores and what statistics say about them; see `bench.stats` for the arrays.

    Attributes:
      scores: mean log final loss, (tasks, optimizers, replicates).
      metrics: the tasks' own metrics, the same shape.
      scale, centre: what scores are measured in, (tasks,).
      data: data sets of the tasks, which several may share.
      own: tasks for which those are this run's own, for want of constants.
    """

    name: str
    tasks: Sequence[str]
    optimizers: Sequence[str]
    scores: Array
    metrics: Array
    scale: Array
    centre: Array
    own: Sequence[str]
    data: Sequence[str]

    @cached_property
    def z(self) -> Array:
        """Scaled scores."""
        return stats.scaled(self.scores, self.scale, self.centre)

    @cached_property
    def score(self) -> Array:
        """One number for an optimizer."""
        return stats.means(self.z)

    @cached_property
    def iqm(self) -> Array:
        """The same as an interquartile mean."""
        return stats.iqm(self.z)

    @cached_property
    def interval(self) -> tuple[Array, Array]:
        """Its 95 % interval."""
        return stats.bootstrap(self.z)

    @cached_property
    def ranks(self) -> tuple[Array, Array]:
        """The 95 % interval of its rank."""
        return stats.rank_intervals(self.z)

    @cached_property
    def adjusted(self) -> Array:
        """p-values of all pairs, corrected together, (optimizers, optimizers); NaN for those not ranked."""
        return stats.all_pairs(self.z)

    @cached_property
    def tiers(self) -> tuple[np.ndarray, Array]:
        """Tier, and p-value against the leader."""
        return stats.tiers(self.z, adjusted=self.adjusted)

    @cached_property
    def like_these(self) -> Array:
        """p-values against the leader on tasks like these, Holm over its rivals; NaN for those not ranked."""
        p = np.full(len(self.optimizers), np.nan)
        leader, *rivals = [o for o in self.order if self.tiers[0][o]] or [0]
        by_task = stats.cell_means(self.z)
        found = [stats.sign_flip(by_task[:, leader] - by_task[:, rival], self.data) for rival in rivals]
        p[rivals] = stats.holm(found)
        return p

    @cached_property
    def detectable(self) -> float:
        """The smallest difference in score that the board shows with 80 % power, corrected for all its pairs; NaN where
        it could show none, or where all replicates are ties."""
        ranked = self.z[:, self.tiers[0] > 0]
        tasks, count, replicates = ranked.shape
        able = count > 1 and stats.usual_control(count).least(tasks, replicates, count) <= stats.LEVEL
        return (stats.detectable_score(ranked, math.comb(count, 2)) or np.nan) if able else np.nan

    @cached_property
    def order(self) -> list[int]:
        """Optimizers by tier, then score; those not ranked last."""
        tier = self.tiers[0]
        return sorted(range(len(self.optimizers)), key=lambda o: (tier[o] == 0, tier[o], np.nan_to_num(self.score[o])))


def boards(results: Results) -> list[Board]:
    """Both boards of a run."""
    return [_board(results, name) for name in RULES]


def _board(results: Results, name: str) -> Board:
    scores, metrics = results.scores(*RULES[name]), final_metrics(results, *RULES[name])
    scale, centre, own = constants.units(results, name, scores)
    return Board(name, results.tasks, results.optimizers, scores, metrics, scale, centre, own, results.data)


def final_metrics(results: Results, selected_by: str, split: str) -> Array:
    """Mean over seeds of each task's own metric at the end: (tasks, optimizers, replicates).

    NaN where there is no record; inf where a run diverged, whatever the metric makes of its outputs.
    """
    values = np.full(results.shape, np.nan)
    for record in results.units:
        final = record.ends(selected_by, f"{split}/{record.meta['metric']}")
        diverged = not np.isfinite(record.ends(selected_by, f"{split}/loss")).all()
        values[results.place(record)] = np.inf if diverged else final.astype(np.float64).mean()
    return values


def rows(results: Results, both: Sequence[Board], at_edges: Sequence[Edge] | None = None) -> list[Row]:
    """Both boards as rows, in their order.

    Args:
      at_edges: what `bench.edges.edges` finds, if it is known; it is the same at every share of the budget.
    """
    found: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges(results) if at_edges is None else at_edges:
        found.setdefault((edge.optimizer, edge.selected_by), []).append(edge)
    told = {name: all(known(record) for record in results.of(name)) for name in results.optimizers}
    metrics = {task: metric_name(results, task) for task in results.tasks}
    ratios = measures.speed(results).ratios if results.units else ()
    return [
        _row(results, board, index, found.get((name, RULES[board.name][0]), []), told[name], metrics, ratios)
        for board in both
        for index, name in ((index, board.optimizers[index]) for index in board.order)
    ]


def _row(
    results: Results,
    board: Board,
    index: int,
    own: Sequence[Edge],
    told: bool,
    metrics: Mapping[str, str],
    ratios: Sequence[Array],
) -> Row:
    """The row of one optimizer, with the edges that its settings lie at, whether its records tell, the tasks' own
    metrics, and how far from the fastest to the targets each optimizer is."""
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
        rank=int((board.score[tier > 0] < board.score[index]).sum()) + 1 if tier[index] else 0,
        rank_low=float(board.ranks[0][index]),
        rank_high=float(board.ranks[1][index]),
        ert_ratio=float(ratios[0][index]),
        seconds_ratio=float(ratios[1][index]),
        iqm=float(board.iqm[index]),
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
        state_ratio=_median(list(state_ratios(results, optimizer).values())),
        p_like=float(board.like_these[index]),
        data_sets=len(set(board.data)),
        own_units=len(board.own),
        detectable=board.detectable,
        detectable_share=float(np.expm1(board.detectable * np.median(board.scale))),
        edges=float(len({edge.task for edge in own})) if told else np.nan,
        edge_of=", ".join(dict.fromkeys(f"{edge.side} {edge.hyperparameter}" for edge in own)),
        losses={task: _loss(board.scores[t, index]) for t, task in enumerate(board.tasks)},
        metrics={
            task: (metric, _spread(board.metrics[t, index]))
            for t, task in enumerate(board.tasks)
            if (metric := metrics[task]) != "loss"
        },
    )


def metric_name(results: Results, task: str) -> str:
    """What a task's own metric is called."""
    return next(str(record.meta["metric"]) for record in results.units if record.meta["task"] == task)


def final_runs(results: Results, optimizer: str, selected_by: str, split: str) -> tuple[int, int]:
    """Final runs that ended without a finite loss, and all of them."""
    ends = [record.ends(selected_by, f"{split}/loss") for record in results.of(optimizer)]
    return int(sum((~np.isfinite(end)).sum() for end in ends)), sum(len(end) for end in ends)


def compile_seconds(results: Results, optimizer: str) -> dict[str, float]:
    """{task: seconds to compile}, median over the units that found nothing cached; such tasks only."""
    return _cold_median(results, optimizer, lambda meta: meta["compile_s"])


def end_to_end_seconds(results: Results, optimizer: str) -> dict[str, float]:
    """{task: seconds to trace, compile and train one run to the budget}; tasks compiled cold and timed only."""
    ready = _cold_median(results, optimizer, lambda meta: meta["trace_s"] + meta["compile_s"])
    budgets = {record.meta["task"]: record.meta["budget"] for record in results.of(optimizer)}
    return {
        task: seconds + budgets[task] * results.timings[task, optimizer].seconds_per_step
        for task, seconds in ready.items()
        if (task, optimizer) in results.timings
    }


def _cold_median(results: Results, optimizer: str, seconds: Callable[[Mapping[str, Any]], float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for record in results.of(optimizer):
        if not record.meta["compile_cached"]:
            found.setdefault(record.meta["task"], []).append(seconds(record.meta))
    return {task: _median(values) for task, values in found.items()}


def step_ratios(results: Results, optimizer: str) -> dict[str, float]:
    """{task: time of a step as a multiple of SGD's}, for the tasks that were timed."""
    return {task: timing.ratio for (task, name), timing in results.timings.items() if name == optimizer}


def state_ratios(results: Results, optimizer: str) -> dict[str, float]:
    """{task: the optimizer's memory in multiples of the parameters'}."""
    return {r.meta["task"]: r.meta["state_bytes"] / r.meta["param_bytes"] for r in results.of(optimizer)}


def _step_ratio(results: Results, optimizer: str) -> float:
    ratios = list(step_ratios(results, optimizer).values())
    return float(np.exp(np.mean(np.log(ratios)))) if ratios else np.nan


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
