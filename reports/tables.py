"""Leaderboards for people: numbers as they read them, Markdown and terminal tables."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from reports.rows import Row, Spread, of_board
from reports.words import answer, cautions

if TYPE_CHECKING:
    from reports.marks import Marks

SUBJECTS = {
    "optimization": "training loss at the budget, setting chosen by training loss",
    "generalization": "test loss at the budget, setting chosen by validation loss",
}


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


def place(row: Row) -> str:
    """The rank by score and its interval; a dash for those not ranked."""
    if not row.rank:
        return "–"
    return str(row.rank) + ("" if math.isnan(row.rank_low) else f" ({row.rank_low:.0f} to {row.rank_high:.0f})")


def times(factor: float) -> str:
    """A factor; 'missed' for infinity and a dash for NaN."""
    return "missed" if math.isinf(factor) else "–" if math.isnan(factor) else f"{number(factor)}×"


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
        "rank": place(row),
        "p": chance(row.p),
        "diverged": failures(row),
        "edge": "–" if math.isnan(row.edges) else f"{row.edges:.0f}/{row.all_tasks}",
        "steps / best": times(row.ert_ratio),
        "seconds / best": times(row.seconds_ratio),
        "step / SGD": _plain(row.step_ratio, "{:.2f}×"),
        "compile": _plain(row.compile_s, "{:.2f} s"),
        "end to end": _plain(row.end_to_end_s, "{:.2f} s"),
        "state": _plain(row.state_ratio, "{:.1f}×"),
    }


def best(rows: Sequence[Row], task: str) -> float:
    """The lowest loss on a task."""
    return min((row.losses[task].mean for row in rows if not math.isnan(row.losses[task].mean)), default=math.nan)


# Renderings


def to_markdown(rows: Sequence[Row], marked: Mapping[str, "Marks"], worth: str = "") -> str:
    """Both boards for people and README files, with what is `marked` on each, and what verdicts are `worth`."""
    parts = ["# Leaderboards\n"]
    for name, subject in SUBJECTS.items():
        own = of_board(rows, name)
        parts.append(f"## {name.capitalize()}: {subject}\n")
        parts.append(" ".join([escaped(sentence) for sentence in (answer(own), *cautions(own))]) + "\n")
        if own:
            parts.append(_markdown_table(own, marked[name]))
            parts.append(f"Bold: the lowest mean loss on the task. {escaped(marked[name].said('In italics'))}\n")
    parts.append(
        "Score: mean over tasks of log loss in units of the task's scale, from its centre; lower is better. "
        "Interval: bootstrap over tasks and replicates together. Rank: by score among the ranked, with its interval "
        "from the same draws. Steps and seconds / best: gradient evaluations and seconds expected to a task's target "
        "in training loss, with restarts, setting chosen by training loss, as multiples of the least on the task, "
        "median over tasks. p: against the leader, on these tasks, corrected for all pairs. "
        "†: tier 1, the leader and those not told apart from it. Losses: geometric mean over replicates "
        "(smallest to largest). Diverged: final runs without a finite loss. Edge: tasks whose best setting lies at the "
        "edge of its search space. Step: process time, on a GPU wall time; differences under 5 % are noise. "
        "Compile: nothing cached. End to end: tracing, compiling and training one run. "
        "State: multiples of the parameters' memory.\n"
    )
    if worth:
        parts.append(f"{worth}\n")
    return "\n".join(parts)


def _markdown_table(rows: Sequence[Row], marked: "Marks") -> str:
    generalization = rows[0].board == "generalization"
    records = []
    for row in rows:
        record = {head: escaped(text) for head, text in cells(row).items()}
        record["score"] += " †" * (row.tier == 1)
        for task, spread in row.losses.items():
            around = "**" * (row.optimizer in marked.best[task]) or "*" * (row.optimizer in marked.near[task])
            record[f"{task} loss"] = f"{around}{escaped(ranged(spread))}{around}"
        if generalization:
            record |= {f"{task} {metric}": number(s.mean) for task, (metric, s) in row.metrics.items()}
        records.append(record)
    heads = list(records[0])
    lines = [[escaped(head) for head in heads], ["---" if head == "optimizer" else "--:" for head in heads]]
    lines += [list(record.values()) for record in records]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def ranged(spread: Spread) -> str:
    """Mean and range of a cell."""
    if math.isnan(spread.mean) or spread.low == spread.high:
        return number(spread.mean)
    return f"{number(spread.mean)} ({number(spread.low)} to {number(spread.high)})"


def escaped(text: str) -> str:
    """Text as it is, in Markdown."""
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
