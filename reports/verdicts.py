"""Verdicts on one optimizer beside another: on each task, on these tasks and on tasks like these, on one board.

Whoever compares several pairs at once has more chances to be wrong: p-values are Holm-adjusted over all pairs that are
compared, and those of single tasks over all their tasks too. Differences are newcomer less rival: below 0 is better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench import stats
from bench.stats import Array
from reports.boards import Board

BETTER, WORSE, NONE = "better", "worse", "no difference shown"


class Verdict(NamedTuple):
    """What is said of one question.

    Attributes:
      said: BETTER, WORSE or NONE.
      p: two-sided, adjusted.
      effect, low, high: the difference and its 95 % interval, not adjusted: of a single task in log loss, of several in
        score.
      seen: the true difference that would have been shown four times in five; NaN where that is not known, inf where
        none could have been.
    """

    said: str
    p: float
    effect: float
    low: float
    high: float
    seen: float


@dataclass(frozen=True)
class Duel:
    """A newcomer beside a rival on one board.

    Attributes:
      here: on these tasks; there: on tasks like these.
      tasks: by task.
      median: the loss as a share of the rival's, on the median task.
      family: pairs that were compared at once.
    """

    board: str
    newcomer: str
    rival: str
    here: Verdict
    there: Verdict
    tasks: dict[str, Verdict]
    median: float
    family: int


def duels(board: Board, pairs: Sequence[tuple[str, str]]) -> list[Duel]:
    """The verdicts on (newcomer, rival) pairs of a board, adjusted for all of them together."""
    places = [(board.optimizers.index(newcomer), board.optimizers.index(rival)) for newcomer, rival in pairs]
    here = stats.holm([stats.permutation_test(board.z[:, n], board.z[:, r]) for n, r in places])
    means = stats.cell_means(board.z)
    there = stats.holm([stats.sign_flip(means[:, n] - means[:, r], board.data) for n, r in places])
    single = [[stats.one_task(board.z[t, n], board.z[t, r]) for t in range(len(board.tasks))] for n, r in places]
    tasks = stats.holm(np.ravel(single)).reshape(len(pairs), -1)
    return [
        Duel(
            board.name, newcomer, rival,
            _here(board, n, r, float(here[i]), len(pairs)),
            _there(board, n, r, float(there[i]), len(pairs)),
            {task: _task(board, t, n, r, float(tasks[i, t]), tasks.size) for t, task in enumerate(board.tasks)},
            _median(board, n, r), len(pairs),
        )
        for i, ((newcomer, rival), (n, r)) in enumerate(zip(pairs, places, strict=True))
    ]  # fmt: skip


def _said(p: float, effect: float) -> str:
    if not p <= stats.LEVEL or effect == 0 or math.isnan(effect):
        return NONE
    return BETTER if effect < 0 else WORSE


def _here(board: Board, n: int, r: int, p: float, family: int) -> Verdict:
    """The interval is that of a sum of means of replicates, normal."""
    both = board.z[:, [n, r]]
    means = stats.cell_means(both)
    count = (~np.isnan(both)).sum(-1)
    squares = np.nansum((both - means[..., None]) ** 2, axis=-1)
    errors = np.divide(squares, (count - 1) * count, out=np.full(count.shape, np.nan), where=count > 1)
    tasks = ~np.isnan(means).any(-1)
    effect = float((means[:, 0] - means[:, 1])[tasks].mean()) if tasks.any() else math.nan
    half = 1.96 * float(np.sqrt(errors[tasks].sum())) / max(tasks.sum(), 1)
    return Verdict(
        _said(p, effect), p, effect, effect - half, effect + half, stats.detectable_score(both[tasks], family)
    )


def _there(board: Board, n: int, r: int, p: float, family: int) -> Verdict:
    """The interval is from a bootstrap over tasks and replicates; starts are shared, so replicates are paired."""
    difference = (board.z[:, n] - board.z[:, r])[:, None]
    effect = float(stats.means(difference)[0])
    low, high = (float(end[0]) for end in stats.bootstrap(difference))
    able = stats.smallest_flip(len(set(board.data))) * family <= stats.LEVEL
    return Verdict(_said(p, effect), p, effect, low, high, math.nan if able else math.inf)


def _task(board: Board, t: int, n: int, r: int, p: float, family: int) -> Verdict:
    """The interval is Welch's."""
    one, other = (_present(board.scores[t, o]) for o in (n, r))
    if not one.size or not other.size:
        return Verdict(NONE, 1.0, *[math.nan] * 4)
    effect = _difference(one, other)
    low, high = stats.welch_interval(one, other)
    finite = [values[np.isfinite(values)] for values in (one, other)]
    spread = [values.var(ddof=1) for values in finite if values.size > 1]
    sd = math.sqrt(float(np.mean(spread))) if spread else math.nan
    sides = one.size, other.size
    able = not math.isnan(sd) and min(sides) > 1
    seen = stats.detectable(sd, *sides, level=stats.LEVEL / family) if able else math.nan
    z = stats.cell_means(board.z[t : t + 1])[0]
    return Verdict(_said(p, float(z[n] - z[r])), p, effect, low, high, seen)


def _difference(one: Array, other: Array) -> float:
    """Of means in log loss; infinite where only one side diverged, 0 where both did."""
    lost = not np.isfinite(one).all(), not np.isfinite(other).all()
    if any(lost):
        return 0.0 if all(lost) else math.inf if lost[0] else -math.inf
    return float(one.mean() - other.mean())


def _median(board: Board, n: int, r: int) -> float:
    """On tasks that both have."""
    each = [_difference(_present(row[n]), _present(row[r])) for row in board.scores if _both(row, n, r)]
    return float(np.exp(np.median(each))) if each else math.nan


def _both(row: Array, n: int, r: int) -> bool:
    return bool(_present(row[n]).size and _present(row[r]).size)


def _present(values: Array) -> Array:
    return values[~np.isnan(values)]
