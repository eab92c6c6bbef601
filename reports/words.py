"""What a board says, in sentences: who leads, what is not shown, and what it cannot say."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench import stats
from reports.rows import Row

MANY = 8  # names in a sentence


def answer(rows: Sequence[Row]) -> str:
    """Who leads one board and who is not told apart from it, in a sentence or two."""
    ranked = [row for row in rows if row.tier]
    if not ranked:
        return "No optimizer has results on every task, so none is ranked."
    if _all_diverged(ranked):
        return "Every final run of those with results on every task diverged, so nobody leads."
    leader, others = ranked[0].optimizer, ranked[1:]
    if not others:
        return f"{leader} is the only one with results on every task: there is nothing to compare it with."
    tied = [row.optimizer for row in others if row.tier == 1]
    behind = [row.optimizer for row in others if row.tier > 1]
    where = f"on {'this task' if ranked[0].all_tasks == 1 else f'these {ranked[0].all_tasks} tasks'}"
    if not tied:
        who = "every other" if len(ranked) == len(rows) else "every other that is ranked"
        return f"{leader} leads, and {who} is told apart from it {where}: {listed(behind)}."
    if not behind:
        return f"{leader} has the best score, but no other is told apart from it {where}: {listed(tied)}."
    not_apart, worse = (f"{listed(group)} {'is' if len(group) == 1 else 'are'}" for group in (tied, behind))
    return f"{leader} has the best score {where}; {not_apart} not told apart from it; {worse} worse."


def margin(rows: Sequence[Row]) -> str:
    """By how much the leader of one board is ahead, of the next one and of the best that is told apart from it."""
    ranked = [row for row in rows if row.tier]
    if len(ranked) < 2 or all(len(row.losses) < 1 for row in ranked) or _all_diverged(ranked):
        return ""
    leader, second = ranked[0], ranked[1]
    behind = next((row for row in ranked[1:] if row.tier > 1), None)
    rivals = [second] if behind in (None, second) else [second, behind]
    said = [f"{_lower(leader, row)} {row.optimizer}'s" for row in rivals]
    kind = "test" if leader.board == "generalization" else "training"
    where = "Its" if leader.all_tasks == 1 else "On the median task its"
    return (
        f"{where} {kind} loss is {listed(said)}; score {leader.score:+.2f}"
        + ("" if math.isnan(leader.low) else f" ({leader.low:+.2f} to {leader.high:+.2f})")
        + f" beside {listed([f'{row.score:+.2f}' for row in rivals])}."
    )


def _all_diverged(rows: Sequence[Row]) -> bool:
    return all(row.runs and row.diverged == row.runs for row in rows)


def _lower(leader: Row, other: Row) -> str:
    """How far the leader's loss lies below another's on the median task."""
    pairs = [(leader.losses[task].mean, other.losses[task].mean) for task in leader.losses]
    change = statistics.median(_change(one, two) for one, two in pairs)
    return f"{abs(change):.0%} {'below' if change < 0 else 'above'}" if round(abs(change), 2) else "level with"


def _change(one: float, two: float) -> float:
    """Of a loss beside another, as a share of it; a diverged one is the worst there is."""
    if math.isinf(one) or math.isinf(two):
        return 0.0 if one == two else -1.0 if math.isinf(two) else 1.0
    return one / two - 1


def cautions(rows: Sequence[Row]) -> list[str]:
    """What one board cannot say, each in a sentence."""
    ranked = [row for row in rows if row.tier]
    if not ranked:
        return []
    tasks, replicates = ranked[0].all_tasks, min(row.replicates for row in ranked)
    said = [too_few(tasks, replicates) or "Tiers are about these tasks; on others the order may differ."]
    said += [words for words in limits(tasks, replicates, len(ranked)) if words not in said]
    said += _unranked(rows)
    return said + _like_these(ranked) + _unseen(ranked) + _own_units(ranked) + _narrow(ranked)


def _unranked(rows: Sequence[Row]) -> list[str]:
    """Who is in no verdict."""
    names = [row.optimizer for row in rows if not row.tier]
    if not names:
        return []
    which = listed(names) if len(names) <= MANY else f"{len(names)} optimizers"
    return [f"Not ranked, for want of results on every task: {which}."]


def limits(tasks: int, replicates: int, optimizers: int) -> list[str]:
    """What the design of a board of so many ranked optimizers cannot show."""
    control = stats.usual_control(optimizers)
    said = [words] if (words := too_few(tasks, replicates)) else []
    if optimizers > 1 and control.least(tasks, replicates, optimizers) > stats.LEVEL:
        said.append("So few replicates cannot tell any two of so many optimizers apart, whatever the difference.")
    if min(tasks, replicates) < 2:
        said.append("A score of one task, or of one replicate, has no interval.")
    if control is stats.FALSE_DISCOVERY:
        said.append("With so many optimizers, up to about one in twenty of the differences found may be false.")
    return said


def _like_these(rows: Sequence[Row]) -> list[str]:
    """What holds beyond these tasks."""
    if len(rows) < 2 or too_few(rows[0].all_tasks, min(row.replicates for row in rows)):
        return []
    apart = [row.optimizer for row in rows[1:] if row.p_like <= stats.LEVEL]
    if apart:
        more = f"{listed(apart)} {'is' if len(apart) == 1 else 'are'} told apart from {rows[0].optimizer}"
    else:
        least = min(1.0, stats.smallest_flip(rows[0].data_sets) * (len(rows) - 1))
        cannot = f", and with {rows[0].data_sets} data sets and {len(rows) - 1} rivals none could be"
        more = f"none is told apart from {rows[0].optimizer}{cannot if least > stats.LEVEL else ''}"
    return [f"{rows[0].board.capitalize()}, on tasks like these (sign-flip over data sets): {more}."]


def _unseen(rows: Sequence[Row]) -> list[str]:
    """That what is not told apart need not be equal."""
    score, share = rows[0].detectable, rows[0].detectable_share
    if len(rows) < 2 or math.isnan(score):
        return []
    # Where losses run to zero a share of them says nothing.
    loss = f", {share:.0%} of the loss on the median task," if share < 1 else ""
    return [
        f"{rows[0].board.capitalize()}: not told apart is not equal; a difference of {score:.2f} in score{loss} would "
        "have been seen four times in five."
    ]


def _own_units(rows: Sequence[Row]) -> list[str]:
    """That scores depend on who takes part."""
    own, every = rows[0].own_units, rows[0].all_tasks
    if not own:
        return []
    which = "Scores" if own == every else f"Scores on {own} of {every} tasks"
    return [f"{which} are in units of this run, for want of constants, and depend on who takes part."]


def worth(verdicts: Mapping[str, Any], replicates: int, optimizers: int) -> str:
    """How often tiers are wrong, as `bench.calibration` has measured it for a board of so many replicates and at least
    so many optimizers; empty where it has not."""
    measured = [
        row
        for row in verdicts.get("false", ())
        if row["procedure"] == "tiers of a board" and row["replicates"] == replicates and row["names"] >= optimizers
    ]
    if not measured:
        return ""
    rates = [f"{row['share']:.1%} ({row['low']:.1%} to {row['high']:.1%}) of {row['board']} boards" for row in measured]
    return (
        f"Measured on the whole suite: of one optimizer under {measured[0]['names']} names, each with {replicates} "
        f"replicates, some are told apart on {listed(rates)}; 5 % is the most that it should be."
    )


def _narrow(rows: Sequence[Row]) -> list[str]:
    """That spaces were too narrow for the best settings of one board."""
    if all(math.isnan(row.edges) for row in rows):
        return ["Whether best settings lie at the edges of their spaces is not known of results this old."]
    narrow = [f"{row.optimizer} on {row.edges:.0f} of {row.all_tasks} ({row.edge_of})" for row in rows if row.edges > 0]
    if not narrow:
        return []
    which = listed(narrow) if len(narrow) <= MANY else f"of {len(narrow)} optimizers"
    return [
        f"{rows[0].board.capitalize()}: on some tasks the best setting lies at the edge of its space, which may be too "
        f"narrow: {which}. optgrid run --widen extends all spaces."
    ]


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
