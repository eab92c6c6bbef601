"""From differences to verdicts, pure: intervals, tests and power of one contrast over paired replicates.

A difference is positive where it goes the rule's way. Tests are two-sided, so that a rule can come out wrong, and their
p-values are Holm-adjusted over all claims of the catalogue, however few are looked at.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.stats import LEVEL, Array, holm, sign_flip, t_interval

HOLDS, AGAINST, NONE, UNDECIDED = "holds", "against", "no difference", "undecided"
POWER = 0.8


class Estimate(NamedTuple):
    """What the differences of one claim say by themselves.

    Attributes:
      replicates: pairs that are there.
      mean, low, high: of the difference, with its 95 % t interval.
      sd: over replicates.
      p: two-sided, that there is no difference, by flipping signs.
      p_equal: that it is as large as the named effect, on either side, by two one-sided t tests.
    """

    replicates: int
    mean: float
    low: float
    high: float
    sd: float
    p: float
    p_equal: float


def estimate(differences: Array, effect: float) -> Estimate:
    """(R,) differences, NaN where a replicate is missing; at least two of them must be there for an interval."""
    present = differences[~np.isnan(differences)]
    mean, low, high = (float(value) for value in t_interval(present))
    sd = float(present.std(ddof=1)) if present.size > 1 else float("nan")
    p = sign_flip(present, range(present.size)) if present.size else 1.0
    return Estimate(present.size, mean, low, high, sd, p, equivalence(mean, sd, present.size, effect))


def equivalence(mean: float, sd: float, replicates: int, effect: float) -> float:
    """p-value of two one-sided t tests (Schuirmann, 1987) that the difference is not within +- `effect`."""
    from scipy.special import stdtr

    if replicates < 2:
        return 1.0
    room = effect - abs(mean)
    if sd == 0:
        return 0.0 if room > 0 else 1.0
    return float(stdtr(replicates - 1, -room / (sd / np.sqrt(replicates))))


def power(effect: float, sd: float, replicates: int, level: float) -> float:
    """How often a two-sided paired t test at `level` shows a true difference of `effect`, on its side: the share of the
    noncentral t distribution beyond the critical value. NaN without a standard deviation."""
    from scipy.special import stdtrit
    from scipy.stats import nct

    if replicates < 2 or np.isnan(sd):
        return float("nan")
    if sd == 0:
        return 1.0
    degrees = replicates - 1
    return float(nct.sf(stdtrit(degrees, 1 - level / 2), degrees, effect * np.sqrt(replicates) / sd))


def smallest(sd: float, replicates: int, level: float, wanted: float = POWER) -> float:
    """The smallest true difference that is shown with power `wanted`; NaN without a standard deviation."""
    from scipy.optimize import brentq

    if replicates < 2 or np.isnan(sd):
        return float("nan")
    if sd == 0:
        return 0.0
    upper = sd
    while power(upper, sd, replicates, level) < wanted:
        upper *= 2
    return float(brentq(lambda effect: power(effect, sd, replicates, level) - wanted, 0.0, upper, xtol=1e-9 * upper))


def needed(effect: float, sd: float, level: float, wanted: float = POWER, most: int = 10_000) -> int:
    """How many replicates show a true difference of `effect` with power `wanted`; `most` if more than that would."""
    low, high = 1, 2
    while high < most and power(effect, sd, high, level) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, sd, middle, level) >= wanted else (middle, high)
    return min(high, most)


def verdict(found: Estimate, p: float, p_equal: float, effect: float) -> str:
    """One of HOLDS, AGAINST, NONE and UNDECIDED, by adjusted p-values.

    NONE is a difference shown to be smaller than the named effect, whatever its sign, and goes first: what nobody would
    act on is no verdict on a rule. Interval and test must agree for any of the others.
    """
    if not np.isfinite(found.low):
        return UNDECIDED
    if p_equal <= LEVEL and -effect < found.low and found.high < effect:
        return NONE
    if p <= LEVEL and found.low > 0:
        return HOLDS
    return AGAINST if p <= LEVEL and found.high < 0 else UNDECIDED


def adjusted(found: Sequence[Estimate], family: int) -> tuple[Array, Array]:
    """Holm-adjusted `p` and `p_equal` of claims, of a family of so many."""
    return holm([one.p for one in found], family), holm([one.p_equal for one in found], family)
