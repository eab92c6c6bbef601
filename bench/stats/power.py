"""What a comparison could have seen, and whether two boards agree."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.stats.scores import LEVEL, Array


def detectable(sd: float, a: int, b: int, level: float = LEVEL, power: float = 0.8) -> float:
    """The smallest true difference of means that a two-sided t-test of a and b replicates shows with this power.

    In the unit of `sd`, the standard deviation of a replicate, taken to be the same on both sides: the noncentrality at
    which the noncentral t distribution has so much outside the critical values (Cohen, 1988, section 2.4), times
    sd sqrt(1/a + 1/b). Both tests of `one_task` need a little more. inf for fewer than two replicates a side.

    Raises:
      ValueError: sd is not finite or is negative, or not 0 < level < power < 1.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtrit
    from scipy.stats import nct

    if not (np.isfinite(sd) and sd >= 0 and 0 < level < power < 1):
        raise ValueError(f"nothing is detectable with sd {sd}, level {level} and power {power}")
    if min(a, b) < 2:
        return float("inf")
    degrees = a + b - 2
    critical = stdtrit(degrees, 1 - level / 2)

    def excess(shift: float) -> float:
        wrong_side = np.nan_to_num(nct.cdf(-critical, degrees, shift))  # SciPy says NaN where it is next to nothing
        return float(nct.sf(critical, degrees, shift) + wrong_side - power)

    upper = 1.0
    while excess(upper) < 0:
        upper *= 2
    return float(sd * np.sqrt(1 / a + 1 / b) * brentq(excess, 0.0, upper, xtol=1e-12))


def detectable_score(z: Array, family: int = 1, power: float = 0.8) -> float:
    """The smallest true difference of two mean scores that `permutation_test` shows with this power on a board.

    z (T, O, R) to the unit of a score. By the normal approximation of the test: the standard error of a difference of
    means over tasks, sqrt(sum over tasks of 2 s^2 / R) / T with s^2 the mean over optimizers of the variance over
    replicates, times the quantiles of level and power. NaN without two replicates of any cell.

    Args:
      family: how many pairs the level is shared by (Bonferroni; Holm's first step).
    """
    from scipy.special import ndtri

    present = ~np.isnan(z)
    count = present.sum(-1)
    centre = np.where(present, z, 0.0).sum(-1) / np.maximum(count, 1)
    squares = (np.where(present, z - centre[..., None], 0.0) ** 2).sum(-1)
    several = count > 1
    if not several.any(axis=1).all():
        return float("nan")
    errors = np.where(several, squares / np.maximum(count - 1, 1) / np.maximum(count, 1), 0.0).sum(1) / several.sum(1)
    return float(np.sqrt(2 * errors.sum()) / len(z) * (ndtri(1 - LEVEL / (2 * family)) + ndtri(power)))


def clopper_pearson(k: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Ends of the exact interval of a share of which k of n were seen (Clopper & Pearson, 1934); (0, 1) for n = 0.

    They need not be whole numbers: n may be how many independent draws dependent ones are worth.

    Raises:
      ValueError: k is not from 0 to n, or the level not between 0 and 1.
    """
    from scipy.special import betaincinv

    if not (0 <= k <= n and 0 < level < 1):
        raise ValueError(f"no interval at level {level} for {k} of {n}")
    tail = (1 - level) / 2
    low = betaincinv(k, n - k + 1, tail) if k else 0.0
    high = betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return float(low), float(high)


def kendall_tau(a: Array, b: Array) -> float:
    """Kendall's tau-b of two scores of the same optimizers, (O,) and (O,): 1 for one order, -1 for its opposite.

    Kendall, 1945, which discounts ties. inf ranks last; optimizers that either lacks (NaN) are left out. NaN where
    fewer than two are left or all on one side are ties.
    """
    both = ~(np.isnan(a) | np.isnan(b))
    x, y = (_compared(values[both]) for values in (a, b))
    untied = np.sqrt(float((x != 0).sum()) * float((y != 0).sum()))
    return float((x * y).sum() / untied) if untied else float("nan")


def contradictions(
    tiers_a: NDArray[np.int_], tiers_b: NDArray[np.int_], order_a: Array, order_b: Array
) -> tuple[int, int]:
    """On how many pairs of optimizers two boards contradict each other: all (O,), to (contradicted, told apart).

    Told apart are pairs that stand in different tiers of either board; contradicted those that do in both, in opposite
    order. Optimizers that a board does not rank (tier 0) are told apart from none on it.

    Args:
      order_a, order_b: place or score on each board, lower is better.
    """
    apart_a, apart_b = (
        (_compared(tier) != 0) & (tier > 0)[:, None] & (tier > 0)[None, :] for tier in (tiers_a, tiers_b)
    )
    opposite = _compared(order_a) * _compared(order_b) < 0
    pairs = np.triu(np.ones(opposite.shape, dtype=bool), 1)
    return int((apart_a & apart_b & opposite & pairs).sum()), int(((apart_a | apart_b) & pairs).sum())


def _compared(values: NDArray[Any]) -> Array:
    """1 where the first of a pair is larger, -1 where it is smaller, 0 for ties: (O,) to (O, O); inf equals inf."""
    return (values[:, None] > values).astype(float) - (values[:, None] < values)
