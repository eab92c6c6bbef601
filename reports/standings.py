"""The boards of speed and of robustness as words and tables: what the page, the Markdown and the CSV files show."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench import constants, stats
from bench.results import Results
from bench.stats import Array
from reports import measures
from reports.measures import Robustness, Speed
from reports.rows import written
from reports.tables import chance, escaped, number, times
from reports.words import limits, listed

Values = Mapping[str, str | int | float]

# What each number is, how sure it is and where that comes from; the same words wherever a board is shown.
SPEED_NOTE = (
    "Budget left: share of the gradient evaluations left when a final run's training loss is first down at the task's "
    "target, linear in log loss between evaluations, 0 if it never is; mean over seeds, replicates and tasks, with its "
    "95 % bootstrap interval over tasks and replicates together. Tiers and p: the permutation test of the other "
    "boards, on the budget left. Reached: final runs that reach the target, of all. Evaluations and seconds: expected "
    "number to the target with restarts (ERT: all that was spent over the runs that reach it), as multiples of the "
    "least on the task, median over tasks; single numbers, whose intervals over replicates are in the figure of steps "
    "to the target."
)
ROBUSTNESS_NOTE = (
    "All of it is from the searches, training loss at the budget beside the optimizer's own best, however good that "
    "is, with 95 % intervals in brackets. Defaults cost: loss of the trial at the paper's defaults over that of the "
    "best trial of its search, geometric mean over replicates and tasks, bootstrap over both together. Best of k: the "
    "same for the expected best of k trials over the best that any search of the optimizer found on the task. Failed: "
    "trials that diverged or ended above their starting loss, bootstrap likewise, which can say nothing where none "
    "failed; where losses are compared they count as that starting loss. Good rates: decades of learning rates around "
    f"the best within {100 * measures.WITHIN:.0f} % of its loss, all trials of all replicates together, linear between "
    "neighbours, an estimate; mean over tasks, t interval over tasks. Spaces differ in width, and nothing here is "
    "tested: the order is that of the defaults' cost, and intervals that overlap widely show no difference."
)


class Line(NamedTuple):
    """One optimizer on one of these boards.

    Attributes:
      tier: 0 if not ranked, or where a board has no tiers.
      ranked: whether it has results on every task.
      cells: what is shown, by heading.
      tasks: the same task by task, a number and a smaller line below it.
      values: what the CSV file holds.
    """

    optimizer: str
    tier: int
    ranked: bool
    cells: Mapping[str, str]
    tasks: Mapping[str, tuple[str, str]]
    values: Values


@dataclass(frozen=True)
class Standing:
    """A board.

    Attributes:
      subject: what it is about.
      answer: what it says, in a sentence.
      notes: what its numbers are and how sure they are.
      per_task: what its numbers by task are.
    """

    name: str
    subject: str
    answer: str
    notes: Sequence[str]
    per_task: str
    lines: Sequence[Line]


def standings(results: Results) -> list[Standing]:
    """Both boards; none of nothing."""
    return [speed(measures.speed(results)), robustness(measures.robustness(results))] if results.units else []


def speed(found: Speed) -> Standing:
    """The board of speed."""
    notes = (
        [SPEED_NOTE]
        + ([own_targets(found)] if found.own else [])
        + limits(len(found.tasks), found.replicates, sum(found.tiers[0] > 0))
    )
    lines = [_speed_line(found, o) for o in found.order]
    subject = "budget left when training loss reaches the task's target, setting chosen by training loss"
    per_task = "gradient evaluations to the target, expected with restarts; below it runs that reach it and seconds"
    return Standing("speed", subject, speed_answer(found), notes, per_task, lines)


def own_targets(found: Speed) -> str:
    """Where targets that are not frozen come from; empty where all are."""
    if not found.own:
        return ""
    whose = "all targets are" if len(found.own) == len(found.tasks) else f"the targets of {listed(found.own)} are"
    return (
        f"For want of frozen constants {whose} this run's own: near the best optimizer's median final loss, so far "
        f"above it that {100 * constants.REACHED:.0f} % of the optimizers reach it in half of their runs. They change "
        "with who takes part."
    )


def speed_answer(found: Speed) -> str:
    """Who reaches the targets first and who is not told apart from it."""
    tier = found.tiers[0]
    ranked = [o for o in found.order if tier[o]]
    if not ranked:
        return "No optimizer has results on every task, so none is ranked."
    first, names = ranked[0], found.optimizers
    if not found.score[first] > 0:
        return "No ranked optimizer reaches a target with any of its budget left."
    if len(ranked) == 1:
        left = f"{names[first]} reaches the targets with {_percent(found.score[first])} of the budget left on average"
        return f"{left}; there is nothing to compare it with."
    leads = (
        f"{names[first]} reaches the targets first: it leaves {_percent(found.score[first])} of the budget on average"
    )
    tied = [names[o] for o in ranked[1:] if tier[o] == 1]
    behind = [names[o] for o in ranked[1:] if tier[o] > 1]
    not_apart, slower = (f"{listed(group)} {'is' if len(group) == 1 else 'are'}" for group in (tied, behind))
    return (
        "; ".join([leads, *[f"{not_apart} not told apart from it"] * bool(tied), *[f"{slower} slower"] * bool(behind)])
        + "."
    )


def _speed_line(found: Speed, o: int) -> Line:
    low, high = (float(end[o]) for end in found.interval)
    solved, runs = (int(counts[:, o].sum()) for counts in found.reached)
    ert, seconds = (float(values[o]) for values in found.ratios)
    tier, p, score = int(found.tiers[0][o]), float(found.tiers[1][o]), float(found.score[o])
    present = int((~np.isnan(found.left[:, o]).all(-1)).sum())
    lacking = f", on {present}/{len(found.tasks)} tasks" if present < len(found.tasks) else ""
    cells = {
        "tier": str(tier or "–"),
        "optimizer": found.optimizers[o],
        "budget left": _percent(score),
        "95 % interval": "–" if np.isnan(low) else f"{_percent(low)} to {_percent(high)}",
        "p": chance(p),
        "reached": f"{solved}/{runs}{lacking}",
        "evaluations / best": times(ert),
        "seconds / best": times(seconds),
    }
    values: dict[str, str | int | float] = {
        "tier": tier, "optimizer": found.optimizers[o], "left": score, "low": low, "high": high, "p": p,
        "tasks": present, "all_tasks": len(found.tasks), "runs": runs, "reached": solved,
        "ert_ratio": ert, "seconds_ratio": seconds,
    }  # fmt: skip
    tasks = {}
    for t, task in enumerate(found.tasks):
        value, time = float(found.ert[t, o]), float(found.seconds[t, o])
        below, above = (float(end[t, o]) for end in found.ert_interval)
        hits, of = (int(counts[t, o]) for counts in found.reached)
        timed = f", {number(time)} s" if np.isfinite(time) else ""
        tasks[task] = (_evaluations(value), f"{hits}/{of}{timed}" if of else "")
        values |= {
            f"{task}/target": float(found.targets[t]), f"{task}/left": _mean(found.left[t, o]),
            f"{task}/ert": value, f"{task}/ert_low": below, f"{task}/ert_high": above,
            f"{task}/reached": hits, f"{task}/seconds": time,
        }  # fmt: skip
    return Line(found.optimizers[o], tier, tier > 0, cells, tasks, values)


def robustness(found: Robustness) -> Standing:
    """The board of robustness."""
    lines = [_robust_line(found, o) for o in found.order]
    subject = "what untuned defaults cost, how much tuning helps, what fails, how wide good learning rates are"
    per_task = "loss at the defaults over the best of the search; below it trials that failed and decades of good rates"
    return Standing("robustness", subject, robustness_answer(found), [ROBUSTNESS_NOTE], per_task, lines)


def robustness_answer(found: Robustness) -> str:
    """Whose defaults cost least, who forgives most learning rates and whose trials fail least."""
    whole = np.flatnonzero(stats.complete(found.cost))
    if not whole.size:
        return "No optimizer has a trial on every task that did not fail, so none is named."
    cost, width, failed = found.costs[0], found.basins[0], found.failures[0]
    said = [
        f"Untuned defaults cost least with {_those(found, whole, cost)}, {times(cost[whole].min())} the loss of the "
        "best trial on average"
    ]
    known = whole[~np.isnan(width[whole])]
    if known.size:
        wide = width[known].max()
        said.append(f"good learning rates span most decades with {_those(found, known, -width)} ({wide:.2f})")
    verb = "fail" if np.isclose(failed[whole], failed[whole].min()).sum() > 1 else "fails"
    said.append(f"{_those(found, whole, failed)} {verb} least, in {_percent(failed[whole].min(), 1)} of the trials")
    return "; ".join(said) + "."


def _those(found: Robustness, among: np.ndarray, values: Array) -> str:
    """Who has the least value, all of equals."""
    return listed([found.optimizers[o] for o in among if np.isclose(values[o], values[among].min())])


def _robust_line(found: Robustness, o: int) -> Line:
    curve = tuple(end[o] for end in found.curve("optimization"))
    trials = len(curve[0])
    shown = sorted({1, -(-trials // 2), trials})
    numbers = {
        "defaults_cost": _at(found.costs, o),
        "failed_share": _at(found.failures, o),
        "good_decades": _at(found.basins, o),
        **{f"best_of_{k}": _at(curve, k - 1) for k in range(1, trials + 1)},
    }
    failed, tried = (int(np.nansum(counts[:, o])) for counts in (found.failed, found.trials))
    present = int((~np.isnan(found.cost[:, o]).all(-1)).sum())
    cells = {
        "optimizer": found.optimizers[o] + (f" (on {present}/{len(found.tasks)} tasks)" * (present < len(found.tasks))),
        "defaults cost": _bracketed(numbers["defaults_cost"], times),
        **{f"best of {k}": _bracketed(numbers[f"best_of_{k}"], times) for k in shown},
        "failed": f"{failed}/{tried}, {_bracketed(numbers['failed_share'], _percent)}",
        "good rates, decades": _bracketed(numbers["good_decades"], "{:.2f}".format),
    }
    values: dict[str, str | int | float] = {
        "optimizer": found.optimizers[o], "tasks": present, "all_tasks": len(found.tasks), "trials": tried,
        "failed": failed,
    }  # fmt: skip
    for name, triple in numbers.items():
        values |= {f"{name}{end}": value for end, value in zip(("", "_low", "_high"), triple, strict=True)}
    tasks = {}
    for t, task in enumerate(found.tasks):
        here = np.exp(_mean(found.cost[t, o]))
        lost, of = (int(np.nansum(counts[t, o])) for counts in (found.failed, found.trials))
        width = float(found.basin[t, o])
        tasks[task] = (times(here), f"{lost}/{of}" + ("" if np.isnan(width) else f", {width:.2f}") if of else "")
        values |= {f"{task}/defaults_cost": float(here), f"{task}/failed": lost, f"{task}/good_decades": width}
    return Line(found.optimizers[o], 0, present == len(found.tasks), cells, tasks, values)


# Renderings


def to_csv(standing: Standing) -> str:
    """A board as a CSV file; an empty cell is what is not there, inf a target never reached."""
    buffer = io.StringIO()
    names = list(standing.lines[0].values) if standing.lines else ["optimizer"]
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: written(value) for name, value in line.values.items()} for line in standing.lines)
    return buffer.getvalue()


def to_markdown(boards: Sequence[Standing]) -> str:
    """The boards for people and README files."""
    parts = []
    for board in boards:
        parts.append(f"## {board.name.capitalize()}: {board.subject}\n")
        parts.append(escaped(board.answer) + "\n")
        heads = list(board.lines[0].cells)
        rows = [heads, ["---" if head == "optimizer" else "--:" for head in heads]]
        rows += [[escaped(line.cells[head]) for head in heads] for line in board.lines]
        parts.append("".join(f"| {' | '.join(row)} |\n" for row in rows))
        parts += [f"{escaped(note)}\n" for note in board.notes]
    return "\n".join(parts)


# Numbers as people read them


def _percent(share: float, digits: int = 0) -> str:
    return "–" if np.isnan(share) else f"{100 * share + 0.0:.{digits}f} %"  # + 0.0: no negative zero


def _evaluations(value: float) -> str:
    return "missed" if np.isinf(value) else "–" if np.isnan(value) else f"{value:,.0f}".replace(",", " ")


def _at(values: Sequence[Array], index: int) -> tuple[float, float, float]:
    mean, low, high = (float(value[index]) for value in values)
    return mean, low, high


def _bracketed(values: tuple[float, float, float], shown: Callable[[float], str]) -> str:
    """A number and, if it is known, its interval."""
    mean, low, high = values
    if np.isnan(mean):
        return "–"
    return shown(mean) + ("" if np.isnan(low) else f" [{shown(low)} to {shown(high)}]")


def _mean(values: Array) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else np.nan
