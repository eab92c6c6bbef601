"""How soon runs reach a target, and how often: times to a target with misses counted, never dropped.

A time is in whatever `at` is in: steps, gradient evaluations or seconds. inf is a miss, NaN a run that is not there.
"""

import numpy as np

from bench.stats.scores import Array


def time_to(curve: Array, at: Array, target: float | Array, floor: float) -> Array:
    """When a curve first is at or below a target: curve (..., P), at (P,) or (..., P), target () or (...), to (...).

    Linear in log loss between evaluations. The first evaluation's own time where that is there already; where the one
    before the crossing is no number, that of the crossing. inf where the target is not reached.

    Args:
      curve: losses; NaN and inf are above every target.
      at: when they were read, ascending; NaN for no reading.
      target: a loss.
      floor: losses and targets below it count as it, positive.

    Raises:
      ValueError: the floor is not positive, or `at` descends.
    """
    if not floor > 0:
        raise ValueError(f"the floor must be positive, not {floor}")
    if (np.diff(at) < 0).any():
        raise ValueError("times of evaluations must ascend")
    goal = np.log(np.maximum(np.asarray(target, dtype=float), floor))[..., None]
    loss = np.where(np.isfinite(curve), curve, np.nan)
    height, time = np.log(np.maximum(loss, floor)), np.asarray(at, dtype=float)
    shape = np.broadcast_shapes(height.shape, time.shape, (*goal.shape[:-1], 1))
    height, time = np.broadcast_to(height, shape), np.broadcast_to(time, shape)
    if not shape[-1]:
        return np.full(shape[:-1], np.inf)
    below = (height <= goal) & ~np.isnan(time)
    here = below.argmax(-1)[..., None]
    before = np.maximum(here - 1, 0)
    height_0, height_1 = (np.take_along_axis(height, index, -1) for index in (before, here))
    time_0, time_1 = (np.take_along_axis(time, index, -1) for index in (before, here))
    drop = height_0 - height_1  # 0 at the first evaluation, NaN after one that is no number
    share = np.divide(height_0 - goal, drop, out=np.ones(drop.shape), where=drop > 0)
    crossing = np.where(np.isnan(time_0), time_1, time_0 + share * (time_1 - time_0))
    return np.where(below.any(-1), crossing[..., 0], np.inf)


def ert(times: Array, budget: float) -> Array:
    """Expected running time to a target with restarts, times (..., N runs) to (...), in their unit.

    All time spent over the number of successes (Hansen et al., 2016, arXiv:1603.08785): a miss has spent
    the budget, and a time beyond it is a miss. inf where no run succeeds, NaN where there is none.
    """
    success, there = times <= budget, ~np.isnan(times)
    successes, misses = success.sum(-1), (there & ~success).sum(-1)
    spent = np.where(success, times, 0.0).sum(-1) + misses * budget
    nothing = np.where(there.any(-1), np.inf, np.nan)
    return np.divide(spent, successes, out=nothing, where=successes > 0)


def ecdf(times: Array, at: Array) -> Array:
    """Share of all pairs of a run and a target that are solved by each time: times of any shape, at (K,), to (K,).

    A miss is in the denominator, a pair that is not there is not; NaN where none is there.
    """
    known = np.sort(times[~np.isnan(times)])
    solved = np.searchsorted(known[np.isfinite(known)], at, side="right")
    return solved / known.size if known.size else np.full(np.shape(at), np.nan)


def performance_profile(costs: Array, factors: Array) -> Array:
    """Share of tasks on which each optimizer costs at most so many times the cheapest: (T, O), (K,) to (K, O).

    Dolan & More, 2002, doi:10.1007/s101070100263. A cost that is inf (a miss) or NaN (not there) is within no factor,
    and a task that none solves counts against all; ties are all the cheapest. A profile depends on who else takes part:
    two of them may change order when a third comes. NaN where there are no tasks.

    Raises:
      ValueError: a cost is not positive.
    """
    if (costs <= 0).any():
        raise ValueError("costs must be positive")
    tasks, optimizers = costs.shape
    if not tasks:
        return np.full((len(factors), optimizers), np.nan)
    solved = np.where(np.isfinite(costs), costs, np.inf)
    best = solved.min(-1, keepdims=True, initial=np.inf)
    within = np.isfinite(solved) & (solved <= np.asarray(factors)[:, None, None] * best)
    return within.mean(1)
