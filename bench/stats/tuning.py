"""What a search tells of an optimizer: how much tuning it takes, and how wide its good learning rates are.

A trial that gave no number (NaN or inf) failed, and a failed trial counts: left out, a fragile optimizer would look
like one that is easily tuned.
"""

from collections.abc import Sequence
from functools import cache
from math import comb

import numpy as np

from bench.stats.scores import Array


def expected_best(losses: Array, sizes: Sequence[int], worst: float) -> Array:
    """Expected lowest loss of k of the trials: log losses (N,) and K sizes to (K,), exact.

    Of trials drawn without replacement, so that k = 1 is their mean, k = N their best, and the answer without bias for
    k fresh trials: sum over ranks i of x_(i) C(N - i, k - 1) / C(N, k) (Tang et al., 2020, arXiv:2004.13705). With
    replacement, as in Dodge et al., 2019, arXiv:1909.03004, the same trial can come twice, and even N trials are
    expected to miss their own best. Trials are taken to be exchangeable, which the paper's defaults are not quite.

    Args:
      worst: what a failed trial counts as, and at most any other, in log loss.

    Raises:
      ValueError: a size is not from 1 to N.
    """
    ordered = np.sort(np.minimum(np.where(np.isfinite(losses), losses, worst), worst))
    count = len(ordered)
    if not all(1 <= size <= count for size in sizes):
        raise ValueError(f"of {count} trials no more can be drawn, and at least one must be: {list(sizes)}")
    return _chances(count, tuple(sizes)) @ ordered


@cache
def _chances(count: int, sizes: tuple[int, ...]) -> Array:
    """Of each rank, the chance that it is the best of so many trials: (sizes, count)."""
    chances = [[comb(count - 1 - i, size - 1) / comb(count, size) for i in range(count)] for size in sizes]
    return np.array(chances, dtype=float).reshape(len(sizes), count)


def basin(rates: Array, losses: Array, within: float = 0.1) -> float:
    """How wide the good learning rates are, in decades: rates (N,) and log losses (N,) to a number.

    The length of the connected region around the best trial in which the loss is at most (1 + within) times the best,
    linear in log loss over log rate between neighbours. Of trials at one rate the best counts; next to a failed trial
    the region ends at the last that did not fail; of several best the widest region counts. 0 for a single rate, NaN
    where no trial succeeded. What lies beyond the outermost trials is not known, so this is a lower bound.

    Raises:
      ValueError: a rate is not positive and finite.
    """
    if not (np.isfinite(rates) & (rates > 0)).all():
        raise ValueError("learning rates must be positive and finite")
    decades, place = np.unique(np.log10(rates), return_inverse=True)
    heights = np.full(len(decades), np.inf)
    np.minimum.at(heights, place, np.where(np.isfinite(losses), losses, np.inf))
    if not np.isfinite(heights).any():
        return float("nan")
    limit = heights.min() + np.log1p(within)
    bottom = np.flatnonzero(heights == heights.min())
    return max(_reach(decades[i:], heights[i:], limit) + _reach(-decades[i::-1], heights[i::-1], limit) for i in bottom)


def _reach(places: Array, heights: Array, limit: float) -> float:
    """How far from the first place, ascending, heights stay at or below the limit."""
    above = np.flatnonzero(heights > limit)
    if not above.size:
        return float(places[-1] - places[0])
    last, end = above[0] - 1, above[0]
    share = (limit - heights[last]) / (heights[end] - heights[last])  # 0 towards a failed trial
    return float(places[last] - places[0] + share * (places[end] - places[last]))
