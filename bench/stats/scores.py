"""Scores: units of what matters on each task, one number for an optimizer, and intervals.

Arrays as in `bench.stats`: scores (T, O, R) in log loss, z the same scaled.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Aggregate = Callable[[Array], Array]  # z (T, O, R) to one number for an optimizer, (O,)

LIMIT = 3.0  # scaled scores end here, so that one disaster does not decide a board
SMALLEST_SCALE = 0.01  # log units: where all results agree to one per cent there is nothing to magnify
LEVEL = 0.05
BOOTSTRAP_DRAWS = 4_000


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
    return np.sqrt(_medians(variances))


def scales(scores: Array) -> Array:
    """What a difference of one unit is on each task, in log loss: (T, O, R) to (T,), all positive.

    sqrt(IQR^2 + (3 noise)^2): the spread between optimizers, unless noise is so large that the spread is no more than
    noise. At least SMALLEST_SCALE, which is also the answer for a task without finite scores.
    """
    spread = [_interquartile(row[~np.isnan(row)]) for row in cell_means(scores)]
    return np.maximum(np.hypot(spread, 3 * noise(scores)), SMALLEST_SCALE)


def centres(scores: Array) -> Array:
    """What 0 is on each task, in log loss: (T, O, R) to (T,).

    The median over optimizers of their means over finite replicates; alone on a task, an optimizer is its own median.
    0 for a task without finite scores.
    """
    return _medians(cell_means(scores))


def scaled(scores: Array, scale: Array, centre: Array | None = None) -> Array:
    """Scores in units of `scale` (T,) from `centre` (T,), clipped at +-LIMIT: (T, O, R).

    A diverged replicate is +LIMIT, a missing one stays NaN. Without a centre it is that of these scores; with a scale
    and a centre that were kept from others, no score depends on who else is on the board.
    """
    zero = centres(scores) if centre is None else centre
    return np.clip((scores - zero[:, None, None]) / scale[:, None, None], -LIMIT, LIMIT)


def means(z: Array) -> Array:
    """One number for an optimizer: mean over tasks of its mean over replicates, (T, O, R) to (O,).

    Over the tasks it has; NaN where it has none. Means over different tasks are not comparable: see `complete`.
    """
    by_task = _mean_of(z, ~np.isnan(z))
    return _mean_of(by_task.T, ~np.isnan(by_task.T))


def iqm(z: Array) -> Array:
    """The interquartile mean, (T, O, R) to (O,): of all replicates on all tasks but the lowest and highest quarter.

    Agarwal et al., 2021, arXiv:2108.13264, section 4.3. Less swayed by one task than `means`, and blind to what happens
    on fewer than a quarter of them. A quarter is rounded down, so that of fewer than four all count. Missing replicates
    are left out, so a task with fewer weighs less; NaN where there are none.
    """
    runs = np.sort(np.moveaxis(z, 1, 0).reshape(z.shape[1], -1), axis=-1)  # NaN last
    count = (~np.isnan(runs)).sum(-1, keepdims=True)
    place = np.arange(runs.shape[1])
    return _mean_of(runs, (place >= count // 4) & (place < count - count // 4))


def complete(z: Array) -> NDArray[np.bool_]:
    """Which optimizers have a replicate on every task: (O,). Only they are ranked."""
    return np.asarray((~np.isnan(z)).any(-1).all(0), dtype=bool)


def bootstrap(
    z: Array, draws: int = BOOTSTRAP_DRAWS, seed: int = 0, aggregate: Aggregate = means
) -> tuple[Array, Array]:
    """Ends of the 95 % percentile interval of an aggregate, over tasks and replicates together: two (O,).

    Each draw takes T tasks with replacement and, on each, as many replicates as there are with replacement. Scales
    and centres are held fixed. Over tasks alone or replicates alone an interval would be far too short, so an optimizer
    with fewer than two of either has none (NaN). An optimizer's interval depends on its own numbers only, as
    all share the random numbers.

    Args:
      aggregate: `means` or `iqm`; whatever takes z to one number for an optimizer.
    """
    ends = np.quantile(bootstrapped(z, draws, seed, aggregate), [LEVEL / 2, 1 - LEVEL / 2], axis=-1)
    return ends[0], ends[1]


def rank_intervals(z: Array, draws: int = BOOTSTRAP_DRAWS, seed: int = 0) -> tuple[Array, Array]:
    """Ends of the 95 % percentile interval of each optimizer's rank by `means`, 1 the best: two (O,).

    The draws of `bootstrap`, in which all that are `complete` are ranked together, ties at the better rank. A rank
    depends on who else takes part. NaN for those not complete, and for all where one of these has no interval.
    """
    ends, ranked = np.full((2, z.shape[1]), np.nan), np.flatnonzero(complete(z))
    drawn = bootstrapped(z[:, ranked], draws, seed)
    if np.isnan(drawn).any():
        return ends[0], ends[1]
    ranks = np.array([(drawn < own).sum(0) + 1 for own in drawn]).reshape(drawn.shape)
    ends[:, ranked] = np.quantile(ranks, [LEVEL / 2, 1 - LEVEL / 2], axis=-1, method="inverted_cdf")
    return ends[0], ends[1]


def bootstrapped(z: Array, draws: int = BOOTSTRAP_DRAWS, seed: int = 0, aggregate: Aggregate = means) -> Array:
    """The draws behind `bootstrap`, the same tasks in all optimizers' and so comparable: (O, draws)."""
    tasks, optimizers, replicates = z.shape
    rng = np.random.default_rng(seed)
    which_task, which_replicate = rng.random((draws, tasks)), rng.random((draws, tasks, replicates))
    every = np.full((optimizers, draws), np.nan)
    counts = (~np.isnan(z)).sum(-1)
    alike: dict[tuple[int, ...], list[int]] = {}  # optimizers by the sizes of the cells that they have
    for index in range(optimizers):
        alike.setdefault(tuple(counts[counts[:, index] > 0, index].tolist()), []).append(index)
    for key, members in alike.items():
        if len(key) < 2 or min(key) < 2:
            continue
        cells = np.stack([_packed(z[counts[:, index] > 0, index]) for index in members])
        sizes = np.array(key)
        task = (which_task[:, : len(key)] * len(key)).astype(int)[..., None]
        size = sizes[task]
        replicate = (which_replicate[:, : len(key)] * size).astype(int)
        used = np.arange(replicates) < size
        if aggregate is means and np.isfinite(cells).all():
            drawn = _drawn_means(cells, task, replicate, used, size)
        else:  # draws stand where optimizers do: (draws, T, R) to (T, draws, R)
            picked = (np.where(used, cell[task, replicate], np.nan).swapaxes(0, 1) for cell in cells)
            drawn = np.stack([aggregate(values) for values in picked])
        every[members] = drawn
    return every


def _packed(cells: Array) -> Array:
    """Rows with what is there first, and 0 behind it for what is missing: (T, R) to the same."""
    order = np.isnan(cells).argsort(-1, kind="stable")
    return np.nan_to_num(np.take_along_axis(cells, order, -1), nan=0.0, posinf=np.inf, neginf=-np.inf)


def _drawn_means(
    cells: Array, task: NDArray[np.int_], replicate: NDArray[np.int_], used: NDArray[np.bool_], size: NDArray[np.int_]
) -> Array:
    """`means` of the draws of optimizers with cells (O, T, R), all drawn alike, to (O, draws): how often each replicate
    comes up is the same for all of them."""
    draws, tasks, replicates = used.shape
    place = (np.arange(draws)[:, None, None] * tasks + task) * replicates + replicate
    weight = np.broadcast_to(1 / (size * tasks), used.shape)
    weights = np.bincount(place[used], weight[used], draws * tasks * replicates).reshape(draws, -1)
    # One product for each, as the last bit of a product of matrices depends on who else is in it.
    return np.stack([weights @ cell.ravel() for cell in cells])


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


def _medians(rows: Array) -> Array:
    """Median of each row without its NaN; 0 where nothing else is in it."""
    present = [row[~np.isnan(row)] for row in rows]
    return np.array([np.median(row) if row.size else 0.0 for row in present])


def _interquartile(values: Array) -> float:
    if not values.size:
        return 0.0
    low, high = np.percentile(values, [25, 75])
    return float(high - low)
