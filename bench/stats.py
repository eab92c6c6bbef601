"""What a board's numbers say: scores across tasks, their intervals, and which differences are shown.

Pure NumPy and SciPy on one array, nothing read or written. Shapes: T tasks, O optimizers, R replicates.

    scores (T, O, R)   mean log final loss of a replicate; NaN where it is missing, inf where a run diverged
    z (T, O, R)        the same in units of what matters on the task, within +-3: `scaled(scores, scales(scores))`

A replicate is a whole tuning procedure, so its score carries the luck of the search and of the seeds alike; tests on
seeds alone would not. Lower is better throughout.
"""

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LIMIT = 3.0  # scaled scores end here, so that one disaster does not decide a board
SMALLEST_SCALE = 0.01  # log units: where all results agree to one per cent there is nothing to magnify
LEVEL = 0.05
BOOTSTRAP_DRAWS = 4_000
EXACT_LIMIT = 200_000  # relabellings; up to here a permutation test counts them all
MONTE_CARLO_DRAWS = 20_000
GENERAL_TASKS, GENERAL_REPLICATES = 6, 3  # with fewer, a board says that it has too few


def cell_means(scores: Array) -> Array:
    """Mean over the finite replicates of each cell: (T, O, R) to (T, O); NaN where a cell has none."""
    return _mean_of(scores, np.isfinite(scores))


def noise(scores: Array) -> Array:
    """Replicate noise of each task: (T, O, R) to (T,).

    The square root of the median over optimizers of the variance over replicates; the median, as one optimizer that
    falls off a cliff now and then must not hide differences among the others. 0 where no cell has two finite
    replicates.
    """
    finite = np.isfinite(scores)
    squares = np.where(finite, scores - cell_means(scores)[..., None], 0.0) ** 2
    degrees = finite.sum(-1) - 1
    variances = np.divide(squares.sum(-1), degrees, out=np.full(degrees.shape, np.nan), where=degrees > 0)
    return np.array([np.sqrt(np.median(row[~np.isnan(row)])) if not np.isnan(row).all() else 0.0 for row in variances])


def scales(scores: Array) -> Array:
    """What a difference of one unit is on each task, in log loss: (T, O, R) to (T,), all positive.

    sqrt(IQR^2 + (3 noise)^2): the spread between optimizers, unless noise is so large that the spread is no more than
    noise. At least SMALLEST_SCALE, which is also the answer for a task without finite scores.
    """
    spread = [_interquartile(row[~np.isnan(row)]) for row in cell_means(scores)]
    return np.maximum(np.hypot(spread, 3 * noise(scores)), SMALLEST_SCALE)


def scaled(scores: Array, scale: Array) -> Array:
    """Scores in units of `scale` (T,) from the task's median over optimizers, clipped at +-LIMIT: (T, O, R).

    A diverged replicate is +LIMIT, a missing one stays NaN. The median is that of the optimizers' means over finite
    replicates; alone on a task, an optimizer is its own median.
    """
    means = cell_means(scores)
    centre = np.array([np.median(row[~np.isnan(row)]) if not np.isnan(row).all() else 0.0 for row in means])
    return np.clip((scores - centre[:, None, None]) / scale[:, None, None], -LIMIT, LIMIT)


def means(z: Array) -> Array:
    """One number for an optimizer: mean over tasks of its mean over replicates, (T, O, R) to (O,).

    Over the tasks it has; NaN where it has none. Means over different tasks are not comparable: see `complete`.
    """
    by_task = _mean_of(z, ~np.isnan(z))
    return _mean_of(by_task.T, ~np.isnan(by_task.T))


def complete(z: Array) -> NDArray[np.bool_]:
    """Which optimizers have a replicate on every task: (O,). Only they are ranked."""
    return np.asarray((~np.isnan(z)).any(-1).all(0), dtype=bool)


def bootstrap(z: Array, draws: int = BOOTSTRAP_DRAWS, seed: int = 0) -> tuple[Array, Array]:
    """Ends of the 95 % percentile interval of `means`, over tasks and replicates together: two (O,).

    Each draw takes T tasks with replacement and, on each, as many replicates as there are with replacement. Scales
    and medians are held fixed. Over tasks alone or replicates alone an interval would be far too short, so an optimizer
    with fewer than two of either has none (NaN). An optimizer's interval depends on its own numbers only, as
    all share the random numbers.
    """
    tasks, optimizers, replicates = z.shape
    rng = np.random.default_rng(seed)
    which_task, which_replicate = rng.random((draws, tasks)), rng.random((draws, tasks, replicates))
    ends = np.full((2, optimizers), np.nan)
    for index in range(optimizers):
        cells = [row[~np.isnan(row)] for row in z[:, index]]
        cells = [cell for cell in cells if cell.size]
        if len(cells) < 2 or min(cell.size for cell in cells) < 2:
            continue
        sizes = np.array([cell.size for cell in cells])
        padded = np.array([np.pad(cell, (0, replicates - cell.size)) for cell in cells])
        task = (which_task[:, : len(cells)] * len(cells)).astype(int)
        size = sizes[task][..., None]
        replicate = (which_replicate[:, : len(cells)] * size).astype(int)
        values = np.where(np.arange(replicates) < size, padded[task[..., None], replicate], 0.0)
        ends[:, index] = np.quantile((values.sum(-1) / size[..., 0]).mean(-1), [LEVEL / 2, 1 - LEVEL / 2])
    return ends[0], ends[1]


def permutation_test(a: Array, b: Array, seed: int = 0) -> float:
    """Two-sided p-value for two optimizers being one on these tasks: z (T, Ra) and (T, Rb) to a number.

    Stratified: labels are permuted within each task; the statistic is the sum over tasks of differences of means. All
    relabellings are counted where there are at most EXACT_LIMIT, else MONTE_CARLO_DRAWS are drawn and p is
    (1 + k) / (1 + n) (Phipson & Smyth, 2010). Tasks on which either has no replicate are left out; with none left,
    p is 1. It says nothing about other tasks: where optimizers differ by task in random directions it rejects often.
    """
    strata = []
    for x, y in zip(a, b, strict=True):
        x, y = x[~np.isnan(x)], y[~np.isnan(y)]
        if x.size and y.size:
            strata.append((np.concatenate([x, y]), x.size))
    observed = sum(float(values[:size].mean() - values[size:].mean()) for values, size in strata)
    threshold = abs(observed) - 1e-9  # equal sums in another order of addition are ties
    if prod(comb(len(values), size) for values, size in strata) <= EXACT_LIMIT:
        sums = np.zeros(1)
        for values, size in strata:
            sums = (sums[:, None] + _differences(values, _labels(len(values), size))).ravel()
        return float(np.mean(np.abs(sums) >= threshold))
    rng = np.random.default_rng(seed)
    sums = sum((_drawn_differences(values, size, rng) for values, size in strata), np.zeros(MONTE_CARLO_DRAWS))
    return float((1 + np.sum(np.abs(sums) >= threshold)) / (1 + MONTE_CARLO_DRAWS))


def smallest_p(tasks: int, replicates: int) -> float:
    """The least that `permutation_test` can answer for two optimizers with so many tasks and replicates."""
    relabellings = comb(2 * replicates, replicates) ** tasks
    return 2 / relabellings if relabellings <= EXACT_LIMIT else max(2 / relabellings, 1 / (1 + MONTE_CARLO_DRAWS))


def holm(p: Sequence[float] | Array, family: int | None = None) -> Array:
    """Holm's adjusted p-values, in the order given (Holm, 1979).

    Args:
      family: how many hypotheses there are, where `p` are only some of them. The others then count as larger, which
        can only make the answer more cautious: whatever is at most alpha here also is where all are given.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    factors = (len(values) if family is None else family) - np.arange(len(values))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0) if len(values) else values
    return adjusted


def tiers(z: Array) -> tuple[NDArray[np.int_], Array]:
    """Groups of optimizers: tier 1 is the best on the board and all that are not told apart from it *on these tasks*;
    tier 2 is the best of the others and all that are not told apart from that, and so on.

    The family of Holm's correction is all pairs on the board: the leader is the best *because* it came out best, and
    a correction for its rivals alone would tell equals apart on one board in eight. An optimizer can be told apart
    from the leader while another with a worse but noisier score is not.

    Returns:
      tier (O,), 0 for optimizers that are not `complete` and so not ranked; and p (O,), adjusted, against the leader
      of the board, NaN for itself and for those not ranked.
    """
    ranked = np.flatnonzero(complete(z))
    waiting = list(ranked[np.argsort(means(z)[ranked], kind="stable")])
    family = comb(len(waiting), 2)
    tier, p = np.zeros(z.shape[1], dtype=int), np.full(z.shape[1], np.nan)
    level = 0
    while waiting:
        level += 1
        leader, others = waiting[0], waiting[1:]
        adjusted = holm([permutation_test(z[:, leader], z[:, other]) for other in others], family)
        if level == 1:
            p[others] = adjusted
        tier[waiting] = level
        waiting = [other for other, value in zip(others, adjusted, strict=True) if value <= LEVEL]
    return tier, p


def t_interval(values: Array) -> tuple[Array, Array, Array]:
    """Mean over the last axis and the ends of its 95 % t interval; NaN are left out.

    The ends are NaN for fewer than two values, the mean for none.
    """
    from scipy.special import stdtrit  # here, as printing a finished board needs this module and must be instant

    present = ~np.isnan(values)
    count = present.sum(-1)
    mean = _mean_of(values, present)
    squares = (np.where(present, values - mean[..., None], 0.0) ** 2).sum(-1)
    several = np.maximum(count - 1, 1)
    half = np.where(
        count > 1, stdtrit(several, 1 - LEVEL / 2) * np.sqrt(squares / several / np.maximum(count, 1)), np.nan
    )
    return mean, mean - half, mean + half


def _mean_of(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Mean over the last axis of the chosen values; NaN where none is."""
    count = chosen.sum(-1)
    total = np.where(chosen, values, 0.0).sum(-1)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)


def _interquartile(values: Array) -> float:
    if not values.size:
        return 0.0
    low, high = np.percentile(values, [25, 75])
    return float(high - low)


@cache
def _labels(total: int, size: int) -> NDArray[np.bool_]:
    """Every way to call `size` of `total` replicates the first optimizer's: (ways, total)."""
    chosen = np.array(list(combinations(range(total), size)))
    labels = np.zeros((len(chosen), total), dtype=bool)
    np.put_along_axis(labels, chosen, True, axis=1)
    return labels


def _differences(values: Array, labels: NDArray[np.bool_]) -> Array:
    """Difference of the two groups' means under each labelling: values (n,), labels (ways, n) to (ways,)."""
    size = int(labels[0].sum())
    first = labels @ values
    return first / size - (values.sum() - first) / (len(values) - size)


def _drawn_differences(values: Array, size: int, rng: np.random.Generator) -> Array:
    """The same under MONTE_CARLO_DRAWS random labellings."""
    ways = comb(len(values), size)
    if ways <= EXACT_LIMIT:
        return _differences(values, _labels(len(values), size))[rng.integers(ways, size=MONTE_CARLO_DRAWS)]
    ranks = rng.random((MONTE_CARLO_DRAWS, len(values))).argsort(-1)
    return _differences(values, ranks < size)
