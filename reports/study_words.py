"""What a study says in words, made from its numbers and no stronger than they are."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from bench import stats
from bench.edges import edges
from bench.records import Record
from bench.stats.scaling import PowerLaw
from reports.tables import chance, number
from reports.turned import Cells, Turned, lost_at
from reports.words import listed


def title(told: Turned) -> str:
    """The question of the study."""
    return f"What does {told.studied.about.axis} do on {told.studied.about.task}?"


def answer(told: Turned) -> list[str]:
    """The answer, sentence by sentence, the most important first."""
    if not np.isfinite(told.means).any():
        return ["Nothing was finished: there is no answer yet."]
    said = [_more(told), *_gains(told), _leaders(told), _order(told), _choices(told), *_transfer(told)]
    return [words for words in said if words]


def details(told: Turned) -> list[str]:
    """What is behind the answer: laws, the gap, steps and the ends of the metric."""
    if not np.isfinite(told.means).any():
        return []
    return [words for words in (*_scaling(told), _gap(told), _steps(told), _range(told)) if words]


def chooser(told: Turned) -> str:
    """What a setting is chosen by, other than for training loss."""
    runs = told.studied.runs.values()
    ways = {str(run.manifest.get("protocol", {}).get("select", "valid")) for run in runs}
    if ways <= {"valid"}:
        return "lowest validation loss"
    return "lowest loss on validation rows or on folds of these and training rows, as each value says"


def _of(told: Turned, v: int, o: int) -> str:
    mean, low, high = (float(a[v, o]) for a in told.interval)
    return number(mean) if math.isnan(low) else f"{number(mean)} ({number(low)} to {number(high)})"


def _range(told: Turned) -> str:
    """How far the metric goes over the values, optimizer by optimizer."""
    about, parts = told.studied.about, []
    for o, name in enumerate(told.optimizers):
        goodness = told.better * told.means[:, o]
        if np.isfinite(goodness).any():
            best, worst = int(np.nanargmax(goodness)), int(np.nanargmin(goodness))
            parts.append(f"{name} from {_of(told, worst, o)} at {_text(told, worst)} to {_of(told, best, o)} at "
                         f"{_text(told, best)}")  # fmt: skip
    return f"Test {about.metric} by {about.label}, worst to best: {'; '.join(parts)}."


def _text(told: Turned, v: int) -> str:
    return told.points[v].text


def _gains(told: Turned) -> list[str]:
    """What other values do beside the base, as far as it is shown."""
    about = told.studied.about
    gain, p = told.beside_base
    name = f"{_text(told, about.base)}, " + ("the task's own value" if about.own else "the first value")
    shown: dict[str, list[str]] = {}  # who has the same said of it
    silent: list[str] = []
    for o, optimizer in enumerate(told.optimizers):
        at = {
            which: [_text(told, v) for v in range(len(p)) if p[v, o] <= stats.LEVEL and sign * gain[v, o] > 0]
            for which, sign in (("better", 1), ("worse", -1))
        }
        words = " and ".join(f"{which} at {listed(texts)}" for which, texts in at.items() if texts)
        (shown.setdefault(words, []) if words else silent).append(optimizer)
    parts = [f"{listed(who)} {'are' if len(who) > 1 else 'is'} {words}" for words, who in shown.items()]
    said = [f"Beside {name}: {'; '.join(parts)}."] if parts else []
    if silent:
        said.append(f"No value is told apart from {name} for {listed(silent)}.")
    return said


def _leaders(told: Turned) -> str:
    """Who leads over all values together."""
    if len(told.optimizers) < 2:
        return ""
    score, p = told.overall
    if not np.isfinite(score).any():
        return "No optimizer has results at all values, so none is said to lead over all of them."
    first = int(np.nanargmin(score))
    others = [o for o in np.flatnonzero(np.isfinite(score)).tolist() if o != first]
    equal = [told.optimizers[o] for o in others if p[first, o] > stats.LEVEL]
    apart = [told.optimizers[o] for o in others if p[first, o] <= stats.LEVEL]
    partial = [name for name, own in zip(told.optimizers, score, strict=True) if np.isnan(own)]
    return (
        f"On average over all values, each in units of its own spread, {told.optimizers[first]} has the best test "
        f"{told.studied.about.metric}"
        f"{f', told apart from {listed(apart)}' * bool(apart)}"
        f"{f'; not told apart from it: {listed(equal)}' * bool(equal)}"
        f"{f'; not at all values, and so not compared: {listed(partial)}' * bool(partial)}."
    )


def _order(told: Turned) -> str:
    """Whether the order of optimizers depends on the value, as far as it is shown."""
    if len(told.optimizers) < 2:
        return ""
    crossed = crossings(told)
    firsts = [int(np.nanargmin(ranks)) if np.isfinite(ranks).any() else -1 for ranks in told.ranks]
    changes = len({o for o in firsts if o >= 0}) > 1
    if crossed:
        parts = [f"{told.optimizers[a]} is ahead of {told.optimizers[b]} at {_text(told, v)} and behind it at "
                 f"{_text(told, w)}" for a, b, v, w in crossed]  # fmt: skip
        return f"The order of optimizers depends on the value: {'; '.join(parts[:3])}."
    if changes:
        by = {o: [_text(told, v) for v, own in enumerate(firsts) if own == o] for o in dict.fromkeys(firsts) if o >= 0}
        parts = [f"{told.optimizers[o]} at {listed(texts)}" for o, texts in by.items()]
        return (
            f"First by the mean: {', '.join(parts)}; but no two optimizers are told apart one way at one value and the "
            "other way at another, so that a change of order is not shown."
        )
    return f"{told.optimizers[firsts[0]]} is first by the mean at every value."


def crossings(told: Turned) -> list[tuple[int, int, int, int]]:
    """Pairs that change order with both orders shown: (a, b, a value where a is ahead, one where b is)."""
    found = []
    for a, b in combinations(range(len(told.optimizers)), 2):
        lead = told.better * (told.means[:, a] - told.means[:, b])
        shown = told.apart[:, a, b] <= stats.LEVEL
        ahead, behind = np.flatnonzero(shown & (lead > 0)), np.flatnonzero(shown & (lead < 0))
        if ahead.size and behind.size:
            found.append((a, b, int(ahead[0]), int(behind[0])))
    return found


def _more(told: Turned) -> str:
    """Whether the axis or the optimizer moves the metric more."""
    finite = np.isfinite(told.means).all()
    if not finite or len(told.optimizers) < 2:
        return ""
    along, across = np.ptp(told.means, axis=0), np.ptp(told.means, axis=1)
    spread = math.sqrt(float(np.nanmean(np.nanvar(told.cells.test, axis=-1, ddof=1)))) if _repeated(told) else 0.0
    noise = f" Beside that: replicates of one cell have a standard deviation of {spread:.2g}." * (spread > 0)
    return (
        f"Turning {told.studied.about.axis} moves the mean test {told.studied.about.metric} of an optimizer by "
        f"{along.min():.2g} to {along.max():.2g}, from its worst value to its best; at one value the worst and the "
        f"best optimizer differ by {across.min():.2g} to {across.max():.2g}.{noise}"
    )


def _repeated(told: Turned) -> bool:
    """Whether every cell has replicates enough for a spread."""
    return bool((~np.isnan(told.cells.test)).sum(-1).min() > 1)


def _choices(told: Turned) -> str:
    """How often another setting was chosen than at the base, where searches tried the same ones at both."""
    about = told.studied.about
    parts = []
    for v, point in enumerate(told.points):
        if v == about.base:
            continue
        pairs = [
            (one, other)
            for name in told.optimizers
            for one in told.studied.records(told.points[about.base], name)
            for other in told.studied.records(point, name)
            if _same_search(one, other)
        ]
        if pairs:
            changed = sum(int(a.arrays["selected/valid"]) != int(b.arrays["selected/valid"]) for a, b in pairs)
            parts.append(f"{point.text} in {changed} of {len(pairs)}")
    if not parts:
        return ""
    return f"Of equal searches another setting was chosen than with {_text(told, about.base)}: with {listed(parts)}."


def _same_search(one: Record, other: Record) -> bool:
    tried, others = one.group("hparams"), other.group("hparams")
    same = one.meta["replicate"] == other.meta["replicate"] and tried.keys() == others.keys()
    return bool(tried) and same and all(np.array_equal(values, others[name]) for name, values in tried.items())


def law(fit: PowerLaw) -> str:
    """A fit in words: its exponent, and where it holds."""
    if math.isnan(fit.exponent):
        return "–"
    return f"{fit.exponent:+.2f} ({fit.low:+.2f} to {fit.high:+.2f})"


def _gap(told: Turned) -> str:
    """Whether training rows and validation rows part along an axis of numbers."""
    if told.numbers is None or told.studied.about.scale == "categorical":
        return ""
    gap = told.better * (told.cells.train - told.cells.valid)
    p = stats.holm([stats.one_task(gap[0, o], gap[-1, o]) for o in range(len(told.optimizers))])
    change = (stats.t_interval(gap[-1])[0] - stats.t_interval(gap[0])[0]).tolist()
    named = {
        words: [told.optimizers[o] for o, by in enumerate(change) if p[o] <= stats.LEVEL and sign * by > 0]
        for words, sign in (("larger", 1), ("smaller", -1))
    }
    first, last = _text(told, 0), _text(told, -1)
    parts = [f"{words} at {last} than at {first} for {listed(who)}" for words, who in named.items() if who]
    what = f"The gap in {told.studied.about.metric} between training and validation rows is"
    return f"{what} {'; it is '.join(parts)}." if parts else f"{what} not shown to differ between {first} and {last}."


def _steps(told: Turned) -> str:
    """Where the target takes the fewest steps."""
    parts, steps = [], told.reach[0]
    for o, name in enumerate(told.optimizers):
        if np.isfinite(steps[:, o]).any():
            best = int(np.nanargmin(steps[:, o]))
            missed = [_text(told, v) for v in np.flatnonzero(np.isinf(steps[:, o])).tolist()]
            low, high = (end[best, o] for end in told.reach[1:])
            ends = f" ({low:.0f} to {high:.0f})" if math.isfinite(low) and math.isfinite(high) else ""
            parts.append(f"{name} {steps[best, o]:.0f}{ends} at {_text(told, best)}" +
                         f", never at {listed(missed)}" * bool(missed))  # fmt: skip
    goal = f"To test {told.studied.about.metric} {number(told.target)}"
    return f"{goal} the fewest gradient evaluations, with restarts, are: {'; '.join(parts)}." if parts else ""


def _scaling(told: Turned) -> list[str]:
    """The laws that hold."""
    said = []
    for what, fits in told.laws.items():
        parts = [
            f"{name} {law(fit)}" + f" from {fit.first:g} to {fit.last:g}" * fit.part
            for name, fit in zip(told.optimizers, fits, strict=True)
            if not fit.fails
        ]
        if parts:
            some = "" if len(parts) == len(fits) else f"; of the other {len(fits) - len(parts)} none holds"
            said.append(
                f"{what.capitalize()} is a power of {told.studied.about.label}, exponent {', '.join(parts)}{some}."
            )
    if told.laws and not said:
        said.append(f"No power law holds of {listed(list(told.laws))}.")
    return said


def _transfer(told: Turned) -> list[str]:
    """What keeping a setting costs, and where it gains, beside one that was tuned at the value."""
    if told.moved is None:
        return []
    about = told.studied.about
    mean, low, high, p = told.regret
    shown = {
        way: [
            f"{name} at {_text(told, v)} by {sign * mean[v, o]:.2g} ({min(ends):.2g} to {max(ends):.2g})"
            for o, name in enumerate(told.optimizers)
            for v in range(len(told.points))
            if p[v, o] <= stats.LEVEL and sign * mean[v, o] > 0
            for ends in [(sign * low[v, o], sign * high[v, o])]
        ]
        for way, sign in (("worse", 1), ("better", -1))
    }
    parts = [f"{way} for {listed(where)}" for way, where in shown.items() if where]
    parts += [f"lost by divergence for {'; '.join(lost)}" for lost in [_diverged(told, told.moved)] if lost]
    whole = f"the setting tuned at {_text(told, about.base)}, its learning rate and all else that was searched"
    beside = f"Run with {whole}, beside the one tuned at the value, test {about.metric} is"
    if parts:
        luck = ", which the luck of its search can do" * bool(shown["better"])
        return [f"{beside} {'; '.join(parts)}{luck}; elsewhere no difference is shown."]
    largest = float(np.nanmax(np.delete(mean, about.base, 0), initial=-np.inf))
    most = f"; the largest mean loss is {largest:.2g}" if math.isfinite(largest) else ""
    return [f"{beside} not shown to differ at any value{most}."]


def limits(told: Turned) -> list[str]:
    """What the study cannot say."""
    about = told.studied.about
    least = stats.smallest_p(1, about.replicates)
    count = len(told.points) * math.comb(len(told.optimizers), 2)
    said = [
        f"Every interval and test is over {about.replicates} replicate{'s' * (about.replicates != 1)}, each with its "
        f"own {'search and ' * about.tuned}seeds; the least p that one comparison can have is {chance(least)}"
        f"{f', before it is corrected for {count} of them' * (count > 1)}. “Not told apart” is not “equal”.",
        f"This is one task, {about.task}, and this budget: another task may answer otherwise.",
    ]
    said += [about.caution] * bool(about.caution)
    if not about.comparable:
        said.append("So neither losses nor power laws of losses are shown; steps are to a level of the metric.")
    if told.moved is not None:
        said.append("What is transferred, and what stands beside it, is one setting for all replicates: of those that "
                    "they chose, the one of the median learning rate. How much the luck of a search does is not in "
                    "these intervals.")  # fmt: skip
    if narrow := at_edges(told):
        said.append(f"At the edge of its search space, which may be too narrow there: {'; '.join(narrow)}.")
    for cells, words in ((told.cells, ""), (told.moved, f" with the settings tuned at {_text(told, about.base)}")):
        if cells is not None and (lost := _diverged(told, cells)):
            said.append(f"Some final runs{words} diverged and count as the worst there is: {'; '.join(lost)}.")
    said += [f"Missing: {name}: {why}" for name, why in told.studied.failed.items()]
    return said


def _diverged(told: Turned, cells: Cells) -> list[str]:
    """Who diverged where."""
    lost = lost_at(cells)
    at = {name: [_text(told, v) for v in np.flatnonzero(lost[:, o]).tolist()] for o, name in enumerate(told.optimizers)}
    return [f"{name} at {listed(texts)}" for name, texts in at.items() if texts]


def at_edges(told: Turned) -> list[str]:
    """Where the best setting by validation loss lies at an edge of what was searched, so that more could be had."""
    about, found = told.studied.about, list[str]()
    at = {
        (point.run, edge.task, edge.optimizer): f"{edge.side} {edge.hyperparameter}"
        for point in about.points
        if about.tuned and point.run in told.studied.runs
        for edge in edges(told.studied.runs[point.run])
        if edge.selected_by == "valid"
    }
    for name in about.optimizers:
        own = [(p.text, at[place]) for p in about.points if (place := (p.run, p.task, p.optimizers[name])) in at]
        by = {which: [text for text, words in own if words == which] for _, which in own}
        found += [f"{name} at {listed(texts)} ({which})" for which, texts in by.items()]
    return found


def lines(told: Turned) -> Sequence[str]:
    """The answer for a terminal."""
    return [
        title(told),
        *(f"  {words}" for words in (*answer(told), *details(told))),
        *(f"  note: {words}" for words in limits(told)),
    ]
