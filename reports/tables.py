"""Leaderboards as text: the CSV that is the board's file, and what is written from it for people.

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

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from bench import stats

SUBJECTS = {
    "optimization": "training loss at the budget, setting chosen by training loss",
    "generalization": "test loss at the budget, setting chosen by validation loss",
}


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
      p: against the leader, adjusted for all pairs on the board.
      tasks, all_tasks: how many tasks it has results on, of how many.
      replicates: the fewest it has on a task.
      runs, diverged: final runs, and how many of them ended without a finite loss.
      missing: replicates that were asked for and are not there.
      step_ratio: time of a step as a multiple of SGD's, geometric mean over tasks.
      compile_s: median over tasks of compiling the program, nothing cached.
      end_to_end_s: median over tasks of tracing, compiling and training one run to the budget, evaluation off.
      state_ratio: optimizer state in multiples of the parameters, median over tasks.
      losses, metrics: by task; metrics with the metric's name.
    """

    board: str
    tier: int
    optimizer: str
    score: float
    low: float
    high: float
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
    losses: Mapping[str, Spread] = field(default_factory=dict)
    metrics: Mapping[str, tuple[str, Spread]] = field(default_factory=dict)


MANY = 8  # names in a sentence
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
    writer.writerows({name: _written(value) for name, value in record.items()} for record in records)
    return buffer.getvalue()


def _columns(cells: Iterable[tuple[str, Spread]]) -> dict[str, float]:
    return {f"{name}{end}": value for name, s in cells for end, value in zip(("", "_low", "_high"), s, strict=True)}


def _written(value: object) -> object:
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


# Words about a board


def board(rows: Sequence[Row], name: str) -> list[Row]:
    """The rows of one board, in its order."""
    return [row for row in rows if row.board == name]


def answer(rows: Sequence[Row]) -> str:
    """Who leads one board and who is not told apart from it, in a sentence or two."""
    ranked = [row for row in rows if row.tier]
    if not ranked:
        return "No optimizer has results on every task, so none is ranked."
    leader, others = ranked[0].optimizer, ranked[1:]
    if not others:
        return f"{leader} is the only one with results on every task: there is nothing to compare it with."
    tied = [row.optimizer for row in others if row.tier == 1]
    behind = [row.optimizer for row in others if row.tier > 1]
    where = f"on {'this task' if ranked[0].all_tasks == 1 else f'these {ranked[0].all_tasks} tasks'}"
    if not tied:
        return f"{leader} leads, and every other is told apart from it {where}: {listed(behind)}."
    if not behind:
        return f"{leader} has the best score, but no other is told apart from it {where}: {listed(tied)}."
    not_apart, worse = (f"{listed(group)} {'is' if len(group) == 1 else 'are'}" for group in (tied, behind))
    return f"{leader} has the best score {where}; {not_apart} not told apart from it; {worse} worse."


def cautions(rows: Sequence[Row]) -> list[str]:
    """What one board cannot say, each in a sentence."""
    ranked = [row for row in rows if row.tier]
    if not ranked:
        return []
    tasks, replicates = ranked[0].all_tasks, min(row.replicates for row in ranked)
    said = [too_few(tasks, replicates) or "Tiers are about these tasks; on others the order may differ."]
    if len(ranked) > 1 and stats.smallest_p(tasks, replicates) * math.comb(len(ranked), 2) > stats.LEVEL:
        said.append("So few replicates cannot tell any two of so many optimizers apart, whatever the difference.")
    return said


def too_few(tasks: int, replicates: int) -> str:
    """Why so many tasks and replicates give no general verdict; empty where they can."""
    few = [f"tasks ({tasks})"] * (tasks < stats.GENERAL_TASKS)
    few += [f"replicates ({replicates})"] * (replicates < stats.GENERAL_REPLICATES)
    if not few:
        return ""
    return (
        f"Too few {' and '.join(few)} for a general verdict, which takes at least {stats.GENERAL_TASKS} tasks and "
        f"{stats.GENERAL_REPLICATES} replicates: this is about these tasks only."
    )


def listed(names: Sequence[str]) -> str:
    """a, b and c; a number where there are many."""
    if len(names) > MANY:
        return f"{len(names)} others"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


# Numbers as people read them


def number(value: float) -> str:
    """Three significant digits; a dash for NaN, 'diverged' for infinity."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "diverged"
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e4):
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e")
    return f"{value:#.3g}".rstrip(".")


def _plain(value: float, form: str) -> str:
    return "–" if math.isnan(value) else form.format(round(value, 2) + 0.0)  # + 0.0: no negative zero


def interval(row: Row) -> str:
    """The interval of a score."""
    return "–" if math.isnan(row.low) else f"{_plain(row.low, '{:+.2f}')} to {_plain(row.high, '{:+.2f}')}"


def chance(p: float) -> str:
    """A p-value; a dash for the leader."""
    return "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def failures(row: Row) -> str:
    """Diverged final runs of all, and which tasks or how many replicates are missing."""
    lacking = f", on {row.tasks}/{row.all_tasks} tasks" if row.tasks < row.all_tasks else ""
    return f"{row.diverged}/{row.runs}" + (lacking or f", {row.missing} missing" * (row.missing > 0))


def cells(row: Row) -> dict[str, str]:
    """The columns that every rendering of a board has, by heading."""
    return {
        "tier": str(row.tier or "–"),
        "optimizer": row.optimizer,
        "score": _plain(row.score, "{:+.2f}"),
        "95 % interval": interval(row),
        "p": chance(row.p),
        "diverged": failures(row),
        "step / SGD": _plain(row.step_ratio, "{:.2f}×"),
        "compile": _plain(row.compile_s, "{:.2f} s"),
        "end to end": _plain(row.end_to_end_s, "{:.2f} s"),
        "state": _plain(row.state_ratio, "{:.1f}×"),
    }


def best(rows: Sequence[Row], task: str) -> float:
    """The lowest loss on a task."""
    return min((row.losses[task].mean for row in rows if not math.isnan(row.losses[task].mean)), default=math.nan)


# Renderings


def to_markdown(rows: Sequence[Row]) -> str:
    """Both boards for people and README files."""
    parts = ["# Leaderboards\n"]
    for name, subject in SUBJECTS.items():
        own = board(rows, name)
        parts.append(f"## {name.capitalize()}: {subject}\n")
        parts.append(" ".join([_escaped(answer(own)), *cautions(own)]) + "\n")
        if own:
            parts.append(_markdown_table(own))
    parts.append(
        "Score: mean over tasks of log loss in units of the task's scale, from the median optimizer; lower is better. "
        "Interval: bootstrap over tasks and replicates together. p: against the leader, on these tasks, corrected for "
        "all pairs. Losses: geometric mean over replicates (smallest to largest). Diverged: final runs without a "
        "finite loss. Step: process time, on a GPU wall time; differences under 5 % are noise. "
        "Compile: nothing cached. End to end: tracing, compiling and training one run. "
        "State: multiples of the parameters' memory.\n"
    )
    return "\n".join(parts)


def _markdown_table(rows: Sequence[Row]) -> str:
    generalization = rows[0].board == "generalization"
    records = []
    for row in rows:
        record = cells(row) | {f"{task} loss": ranged(spread) for task, spread in row.losses.items()}
        if generalization:
            record |= {f"{task} {metric}": number(s.mean) for task, (metric, s) in row.metrics.items()}
        records.append(record)
    heads = list(records[0])
    lines = [heads, ["---" if head == "optimizer" else "--:" for head in heads]]
    lines += [[_escaped(record[head]) for head in heads] for record in records]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ranged(spread: Spread) -> str:
    """Mean and range of a cell."""
    if math.isnan(spread.mean) or spread.low == spread.high:
        return number(spread.mean)
    return f"{number(spread.mean)} ({number(spread.low)} to {number(spread.high)})"


def _escaped(text: str) -> str:
    for character in "\\|<>`*_[]":
        text = text.replace(character, f"\\{character}")
    return text


def terminal_table(rows: Sequence[Row], width: int) -> Table:
    """One board for a terminal `width` columns wide: the tasks' losses, then metrics, where they fit; the last of the
    general columns go where not even they do."""
    name = rows[0].board
    columns = {head: [cells(row)[head] for row in rows] for head in cells(rows[0])}
    while len(columns) > 3 and _width(columns) > width:
        columns.popitem()
    losses = {f"{task}\nloss": [number(row.losses[task].mean) for row in rows] for task in rows[0].losses}
    metrics = {
        f"{task}\n{metric}": [number(row.metrics[task][1].mean) for row in rows]
        for task, (metric, _) in rows[0].metrics.items()
        if name == "generalization"
    }
    candidates = (columns | losses | metrics, columns | losses, columns)
    shown = next((choice for choice in candidates if _width(choice) <= width), columns)
    title = f"{name.capitalize()}: {SUBJECTS[name]}"
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for head in shown:
        table.add_column(
            Text(head), justify="left" if head == "optimizer" else "right", no_wrap=True, vertical="bottom"
        )
    for index, row in enumerate(rows):
        ends_tier = index + 1 == len(rows) or rows[index + 1].tier != row.tier
        style = {0: "dim", 1: "bold"}.get(row.tier)
        table.add_row(*(Text(values[index]) for values in shown.values()), style=style, end_section=ends_tier)
    return table


def _width(columns: Mapping[str, Sequence[str]]) -> int:
    return 2 + sum(
        2 + max(len(line) for text in (head, *values) for line in text.split("\n")) for head, values in columns.items()
    )
