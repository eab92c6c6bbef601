"""What a report says at one budget, as plain values: the boards in words and tables, and what charts are drawn from.

The page holds one view for each share of the budget that a run can be read at, so that its dial reckons nothing itself.
Indices stand for optimizers and tasks, in the order of the results. Shapes: T tasks, O optimizers, R replicates.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench import stats
from bench.constants import RULES
from bench.edges import Edge
from bench.results import Results
from bench.stats.ranks import joined, ranks
from reports import boards, measures, standings, tables, words
from reports.boards import Board
from reports.measures import Robustness, Speed
from reports.rows import Row, Spread, of_board
from reports.standings import Standing

Cell = Callable[[Row, Sequence[Row], str], tuple[str, str, bool]]

STEPS = 40  # of the budget, at which the share of targets reached is read
FACTORS = tuple(float(factor) for factor in np.geomspace(1, 32, 61))  # times the least, of performance profiles


def view(results: Results, at_edges: Sequence[Edge] | None = None) -> dict[str, Any]:
    """All of a run as it stands at its budget, with the edges that settings lie at, if they are known already."""
    both = boards.boards(results)
    rows = boards.rows(results, both, at_edges)
    speed, robustness = measures.speed(results), measures.robustness(results)
    more = (standings.speed(speed), standings.robustness(robustness))
    cautions = [caution for name in RULES for caution in words.cautions(of_board(rows, name))]
    return {
        "boards": [
            *(_board(results, of_board(rows, name)) for name in RULES),
            *(_standing(results, board) for board in more),
        ],
        "cautions": list(dict.fromkeys(cautions)),
        "scores": {board.name: _scores(board) for board in both},
        "pairs": {board.name: _pairs(board) for board in both},
        "ranks": {board.name: _ranks(board) for board in both},
        "targets": _targets(speed),
        "robustness": _robustness(robustness),
    }


def _board(results: Results, rows: Sequence[Row]) -> dict[str, Any]:
    """One of the two boards of losses as words and tables."""
    name = rows[0].board
    loss = "test loss" if name == "generalization" else "training loss"
    metrics = {task: metric for task, (metric, _) in rows[0].metrics.items()}
    by_task = [_by_task(results, rows, f"{loss}, geometric mean over replicates; below it the range", {}, _loss)]
    if name == "generalization" and metrics:
        label = "test metric, mean over replicates; below it the range"
        by_task.append(_by_task(results, rows, label, metrics, _metric))
    return {
        "name": name,
        "subject": tables.SUBJECTS[name],
        "answer": words.answer(rows),
        "margin": words.margin(rows),
        "notes": [],
        "heads": list(tables.cells(rows[0])),
        "rows": [
            {
                "optimizer": results.optimizers.index(row.optimizer),
                "tier": row.tier,
                "ranked": row.tier > 0,
                "cells": list(tables.cells(row).values()),
            }
            for row in rows
        ],
        "by_task": by_task,
    }


def _by_task(results: Results, rows: Sequence[Row], label: str, below: Mapping[str, str], cell: Cell) -> dict[str, Any]:
    """A table of tasks: for each row its cells, each a number, what stands below it and whether it is the best."""
    return {
        "label": label,
        "heads": list(rows[0].losses),
        "below": [below.get(task, "") for task in rows[0].losses],
        "rows": [
            {
                "optimizer": results.optimizers.index(row.optimizer),
                "cells": [cell(row, rows, task) for task in row.losses],
            }
            for row in rows
        ],
    }


def _loss(row: Row, rows: Sequence[Row], task: str) -> tuple[str, str, bool]:
    spread = row.losses[task]
    return (*ranged(spread), spread.mean == tables.best(rows, task))


def _metric(row: Row, rows: Sequence[Row], task: str) -> tuple[str, str, bool]:
    return (*ranged(row.metrics[task][1]), False) if task in row.metrics else ("", "", False)


def ranged(spread: Spread) -> tuple[str, str]:
    """A mean, and the range of the replicates where there is one."""
    known = not np.isnan(spread.low) and spread.low != spread.high
    return tables.number(spread.mean), f"{tables.number(spread.low)} – {tables.number(spread.high)}" if known else ""


def _standing(results: Results, board: Standing) -> dict[str, Any]:
    """The board of speed or of robustness."""
    return {
        "name": board.name,
        "subject": board.subject,
        "answer": board.answer,
        "margin": "",
        "notes": list(board.notes),
        "heads": list(board.lines[0].cells),
        "rows": [
            {
                "optimizer": results.optimizers.index(line.optimizer),
                "tier": line.tier,
                "ranked": line.ranked,
                "cells": list(line.cells.values()),
            }
            for line in board.lines
        ],
        "by_task": [
            {
                "label": board.per_task,
                "heads": list(results.tasks),
                "below": [""] * len(results.tasks),
                "rows": [
                    {
                        "optimizer": results.optimizers.index(line.optimizer),
                        "cells": [(*line.tasks[task], False) for task in results.tasks],
                    }
                    for line in board.lines
                ],
            }
        ],
    }


def _scores(board: Board) -> dict[str, Any]:
    """Scores and, task by task, what they are made of: means over replicates with t intervals, and the replicates."""
    logs = np.where(np.isfinite(board.scores), board.scores, np.nan)
    metrics = np.where(np.isfinite(board.metrics), board.metrics, np.nan)
    return {
        "order": board.order,
        "tier": board.tiers[0],
        "score": [board.score, *board.interval],
        "by_task": stats.cell_means(board.z),
        "loss": [np.exp(values) for values in stats.t_interval(logs)],
        "losses": np.exp(logs),
        "metric": list(stats.t_interval(metrics)),
        "metrics": metrics,
        "diverged": np.isinf(board.scores).any(-1),
    }


def _pairs(board: Board) -> dict[str, Any]:
    """Of each pair: on which share of the tasks the first has the lower mean (ties count half), and p, adjusted."""
    means = stats.cell_means(board.z)
    there = ~np.isnan(means[:, :, None] - means[:, None, :])
    lower = (means[:, :, None] < means[:, None, :]) + 0.5 * (means[:, :, None] == means[:, None, :])
    count = there.sum(0)
    wins = np.divide((lower * there).sum(0), count, out=np.full(count.shape, np.nan), where=count > 0)
    return {"wins": wins, "p": board.adjusted}


def _ranks(board: Board) -> dict[str, Any] | None:
    """Mean ranks of those ranked, what joins them and the critical difference; None of fewer than two."""
    those = np.flatnonzero(board.tiers[0])
    if len(those) < 2:
        return None
    means = stats.cell_means(board.z)[:, those]
    mean = ranks(means).mean(0)
    order = np.argsort(mean, kind="stable")
    return {
        "optimizers": those[order],
        "mean": mean[order],
        "joined": joined(stats.nemenyi(means)[np.ix_(order, order)]),
        "critical": stats.critical_difference(len(those), len(means)),
        "friedman": tables.chance(stats.friedman(means)) if len(those) > 2 else "",
    }


def _targets(found: Speed) -> dict[str, Any]:
    """How soon targets are reached; evaluations are expected ones, with restarts."""
    shares = np.linspace(0, 1, STEPS + 1)
    used = found.times / found.budgets[:, None, None, None]
    hits = np.where(np.isnan(used), np.nan, used <= 1).mean(-1)
    reached, runs = found.reached
    return {
        "shares": shares,
        "lines": [stats.ecdf(used[:, o], shares) for o in range(len(found.optimizers))],
        "end": [stats.means(hits), *stats.bootstrap(hits, draws=measures.DRAWS)],
        "factors": FACTORS,
        "profile": stats.performance_profile(found.ert, np.array(FACTORS)).T,
        "target": found.targets,
        "budget": found.budgets,
        "ert": [found.ert, *found.ert_interval],
        "reached": reached,
        "runs": runs,
        "own": standings.own_targets(found),
        "order": found.order,
    }


def _robustness(found: Robustness) -> dict[str, Any]:
    """What searches tell: factors and decades with their intervals."""
    return {
        "tuning": {board: list(found.curve(board)) for board in RULES},
        "cost": list(found.costs),
        "cost_by_task": np.exp(stats.cell_means(found.cost)),
        "basin": list(found.basins),
        "basin_by_task": found.basin,
        "failed": list(found.failures),
        "order": found.order,
    }
