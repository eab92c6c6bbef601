"""Power laws: fitted, with the interval of the exponent, and held to be one only where nothing speaks against it.

y = factor x^exponent is a line in logarithms, with errors that are factors. The criterion, all of it: at least VALUES
values that span a factor of SPAN, no departure from the line that the spread of the replicates would not explain (the
F-test of lack of fit, p above 5 %), and an exponent whose 95 % interval does not hold zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from bench.stats.scores import LEVEL, Array

VALUES = 4
SPAN = 8.0
CRITERION = (
    f"at least {VALUES} values over a factor of {SPAN:g}, no departure from a line in logarithms beyond the spread of "
    "the replicates (F-test of lack of fit, p above 5 %), and an exponent whose 95 % interval does not hold zero"
)


@dataclass(frozen=True)
class PowerLaw:
    """A fit, and whether it holds.

    Attributes:
      exponent, low, high: the exponent with its 95 % interval (t), NaN where nothing could be fitted.
      factor: y at x = 1.
      first, last: the ends of the values of x that it is about.
      lack: p-value of the test of lack of fit; NaN where there was none.
      fails: why it does not hold; empty if it does.
      part: whether it is about a part of the values that was found by looking, so that its interval is too short.
    """

    exponent: float
    low: float
    high: float
    factor: float
    first: float
    last: float
    lack: float
    fails: str
    part: bool = False


def power_law(x: Array, y: Array) -> PowerLaw:
    """Fits all values: x (V,), y (V, R) to a law; NaN are replicates that are not there."""
    nan, first, last = float("nan"), float(x.min(initial=np.inf)), float(x.max(initial=0.0))
    nothing = PowerLaw(nan, nan, nan, nan, first, last, nan, "")
    if len(x) < VALUES:
        return _failing(nothing, f"{len(x)} values, and a law takes {VALUES}")
    if not (x > 0).all():
        return _failing(nothing, f"a value of {x.min():g} has no logarithm")
    if x.max() < SPAN * x.min():
        return _failing(nothing, f"values over a factor of {x.max() / x.min():.2g}, and a law takes {SPAN:g}")
    there = ~np.isnan(y)
    if there.sum(1).min() < 2:
        return _failing(nothing, "a value with fewer than two replicates")
    if not (np.isfinite(y[there]) & (y[there] > 0)).all():
        return _failing(nothing, "a replicate that missed it, or is not above zero")
    return _fitted(np.log(x), np.log(np.where(there, y, 1.0)), there)


def _failing(law: PowerLaw, why: str) -> PowerLaw:
    return replace(law, fails=why)


def _fitted(x: Array, y: Array, there: np.ndarray) -> PowerLaw:
    """The line through logarithms, and what its residuals say."""
    from scipy.special import fdtrc, stdtrit

    count = there.sum(1)
    n, values = int(count.sum()), len(x)
    means = np.where(there, y, 0.0).sum(1) / count
    centre = float((count * x).sum() / n)
    spread = float((count * (x - centre) ** 2).sum())
    slope = float((count * (x - centre) * means).sum()) / spread
    level = float((count * means).sum()) / n - slope * centre
    pure = float((np.where(there, y - means[:, None], 0.0) ** 2).sum())
    bend = float((count * (means - level - slope * x) ** 2).sum())
    half = float(stdtrit(n - 2, 1 - LEVEL / 2)) * float(np.sqrt((pure + bend) / (n - 2) / spread))
    tiny = 1e-20 * n
    lack = 1.0 if bend <= tiny else 0.0 if pure <= tiny else float(
        fdtrc(values - 2, n - values, (bend / (values - 2)) / (pure / (n - values)))
    )  # fmt: skip
    low, high = slope - half, slope + half
    bent = f"the points depart from a line in logarithms (lack of fit, p {lack:.2g})" if lack <= LEVEL else ""
    flat = "no exponent is told from zero" if low <= 0 <= high else ""
    first, last = float(np.exp(x.min())), float(np.exp(x.max()))
    return PowerLaw(slope, low, high, float(np.exp(level)), first, last, lack, bent or flat)


def longest(x: Array, y: Array) -> PowerLaw:
    """The law of all values or, where that does not hold, of the longest run of neighbours for which one does."""
    whole = power_law(x, y)
    if not whole.fails:
        return whole
    for first, last in _runs(len(x)):
        part = power_law(x[first:last], y[first:last])
        if not part.fails:
            return replace(part, part=True)
    return whole


def _runs(values: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbours shorter than all, the longest first and of equals the last."""
    for length in range(values - 1, VALUES - 1, -1):
        for first in range(values - length, -1, -1):
            yield first, first + length
