"""Leaderboards as rows, and the CSV that is a board's file.

Light on purpose: a finished board is printed from its CSV without pandas, SciPy or a plotting package. One row is one
optimizer on one board; columns are the fields of `Row`, then for each task TASK/loss, TASK/loss_low, TASK/loss_high
(geometric mean over replicates, smallest and largest replicate) and the same for the task's own metric.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """A cell: mean over replicates, smallest and largest replicate; NaN where nothing is there, inf where diverged."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One optimizer on one board; NaN where something is not known.

    Attributes:
      tier: 1 for the leader and those not told apart from it; 0 if not ranked, for want of a task.
      score, low, high: mean scaled score over tasks, lower is better, and its 95 % interval.
      rank, rank_low, rank_high: place by score among the ranked, 1 the best, and its 95 % interval; 0 if not ranked.
      ert_ratio, seconds_ratio: expected gradient evaluations and seconds to the tasks' targets in training loss, as
        multiples of the least on the task, median over tasks; inf where most are missed.
      iqm: the interquartile mean over tasks and replicates instead, which single disasters move less.
      p: against the leader, adjusted for all pairs on the board.
      tasks, all_tasks: how many tasks it has results on, of how many.
      replicates: the fewest it has on a task.
      runs, diverged: final runs, and how many of them ended without a finite loss.
      missing: replicates that were asked for and are not there.
      step_ratio: time of a step as a multiple of SGD's, geometric mean over tasks.
      compile_s: median over tasks of compiling the program, nothing cached.
      end_to_end_s: median over tasks of tracing, compiling and training one run to the budget, evaluation off.
      state_ratio: optimizer state in multiples of the parameters, median over tasks.
      p_like: against the leader on tasks like these, adjusted for its rivals; data_sets: how many the tasks are on.
      own_units: tasks whose scores are in units of the run itself, for want of constants.
      detectable: the smallest difference in score between two optimizers that this board shows four times in five.
      detectable_share: the same as a share of the loss on the median task.
      edges: on how many tasks its best setting lies at the edge of its space, as `bench.edges` has it.
      edge_of: the sides and hyperparameters that do.
      losses, metrics: by task; metrics with the metric's name.
    """

    board: str
    tier: int
    optimizer: str
    score: float
    low: float
    high: float
    rank: int
    rank_low: float
    rank_high: float
    ert_ratio: float
    seconds_ratio: float
    iqm: float
    p: float
    tasks: int
    all_tasks: int
    replicates: int
    runs: int
    diverged: int
    missing: int
    step_ratio: float
    compile_s: float
    end_to_end_s: float
    state_ratio: float
    p_like: float
    data_sets: int
    own_units: int
    detectable: float
    detectable_share: float
    edges: float
    edge_of: str
    losses: Mapping[str, Spread] = field(default_factory=dict)
    metrics: Mapping[str, tuple[str, Spread]] = field(default_factory=dict)


SCALARS = tuple(item for item in fields(Row) if item.name not in ("losses", "metrics"))


def to_csv(rows: Sequence[Row]) -> str:
    """The rows as a CSV file; an empty cell is NaN."""
    records = [
        {item.name: getattr(row, item.name) for item in SCALARS}
        | _columns((f"{task}/loss", spread) for task, spread in row.losses.items())
        | _columns((f"{task}/{metric}", spread) for task, (metric, spread) in row.metrics.items())
        for row in rows
    ]
    buffer = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record)) or [item.name for item in SCALARS]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: written(value) for name, value in record.items()} for record in records)
    return buffer.getvalue()


def _columns(cells: Iterable[tuple[str, Spread]]) -> dict[str, float]:
    return {f"{name}{end}": value for name, s in cells for end, value in zip(("", "_low", "_high"), s, strict=True)}


def written(value: object) -> object:
    """A value as it stands in a CSV file."""
    return ("" if math.isnan(value) else f"{value:.10g}") if isinstance(value, float) else value


def read_csv(path: Path) -> list[Row]:
    """The rows of a leaderboard's file.

    Raises:
      OSError, ValueError, KeyError: it is not there, or not such a file.
    """
    with path.open(newline="", encoding="utf-8") as file:
        return [_row(record) for record in csv.DictReader(file)]


def _row(record: Mapping[str, str]) -> Row:
    scalars: dict[str, Any] = {item.name: _value(item.type, record[item.name]) for item in SCALARS}
    names = list(record)[len(SCALARS) :]
    losses, metrics = {}, {}
    for name, low, high in zip(names[::3], names[1::3], names[2::3], strict=True):
        spread = Spread(*(_value(float, record[column]) for column in (name, low, high)))
        task, _, quantity = name.rpartition("/")
        if quantity == "loss":
            losses[task] = spread
        else:
            metrics[task] = quantity, spread
    return Row(**scalars, losses=losses, metrics=metrics)


def _value(kind: Any, text: str) -> Any:
    return math.nan if kind is float and not text else kind(text)


def of_board(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of one board, in its order."""
    return [row for row in rows if row.board == name]
