"""Power laws: fitted, with the interval of the exponent, and held to be one only where nothing speaks against it.

y = factor x^exponent is a line in logarithms, with errors that are factors. The criterion, all of it: at least VALUES
values that span a factor of SPAN, no departure from the line that the spread of the replicates would not explain (the
F-test of lack of fit, p above 5 %), and an exponent that is told from zero at 5 %, after a correction for all fits that
are looked at together, parts of the values included.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.stats.comparisons import false_discovery
from bench.stats.scores import LEVEL, Array

VALUES = 4
SPAN = 8.0
CRITERION = (
    f"at least {VALUES} values over a factor of {SPAN:g}, no departure from a line in logarithms beyond the spread of "
    "the replicates (F-test of lack of fit, p above 5 %), and an exponent that is told from zero at 5 % (t test, "
    "corrected for the share of false ones among all fits here)"
)


FLAT = "no exponent is told from zero"


@dataclass(frozen=True)
class PowerLaw:
    """A fit, and whether it holds.

    Attributes:
      exponent, low, high: the exponent with its 95 % interval (t), NaN where nothing could be fitted.
      factor: y at x = 1.
      first, last: the ends of the values of x that it is about.
      p: of an exponent of zero; of a part times the runs of values that were looked at, and of `together` corrected for
        all fits.
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
    p: float
    lack: float
    fails: str
    part: bool = False


def power_law(x: Array, y: Array) -> PowerLaw:
    """Fits all values: x (V,), y (V, R) to a law; NaN are replicates that are not there."""
    nan, first, last = float("nan"), float(x.min(initial=np.inf)), float(x.max(initial=0.0))
    nothing = PowerLaw(nan, nan, nan, nan, first, last, nan, nan, "")
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
    from scipy.special import fdtrc, stdtr, stdtrit

    count = there.sum(1)
    n, values = int(count.sum()), len(x)
    means = np.where(there, y, 0.0).sum(1) / count
    centre = float((count * x).sum() / n)
    spread = float((count * (x - centre) ** 2).sum())
    slope = float((count * (x - centre) * means).sum()) / spread
    level = float((count * means).sum()) / n - slope * centre
    pure = float((np.where(there, y - means[:, None], 0.0) ** 2).sum())
    bend = float((count * (means - level - slope * x) ** 2).sum())
    error = float(np.sqrt((pure + bend) / (n - 2) / spread))
    half = float(stdtrit(n - 2, 1 - LEVEL / 2)) * error
    p = float(2 * stdtr(n - 2, -abs(slope) / error)) if error else float(slope == 0)
    tiny = 1e-20 * n
    lack = 1.0 if bend <= tiny else 0.0 if pure <= tiny else float(
        fdtrc(values - 2, n - values, (bend / (values - 2)) / (pure / (n - values)))
    )  # fmt: skip
    low, high = slope - half, slope + half
    bent = f"the points depart from a line in logarithms (lack of fit, p {lack:.2g})" if lack <= LEVEL else ""
    first, last = float(np.exp(x.min())), float(np.exp(x.max()))
    return PowerLaw(slope, low, high, float(np.exp(level)), first, last, p, lack, bent or (FLAT if p > LEVEL else ""))


def longest(x: Array, y: Array) -> PowerLaw:
    """The law of all values or, where that does not hold, of the longest run of neighbours for which one does."""
    whole, runs = power_law(x, y), list(_runs(len(x)))
    if not whole.fails:
        return whole
    for first, last in runs:
        part = power_law(x[first:last], y[first:last])
        p = min(1.0, part.p * (1 + len(runs)))
        if not part.fails and p <= LEVEL:
            return replace(part, p=p, part=True)
    return whole


def together(laws: Sequence[PowerLaw]) -> list[PowerLaw]:
    """The same laws as one family: p-values corrected for the share of false ones among all that have one, and no law
    where the exponent is not told from zero after that."""
    p = np.array([law.p for law in laws])
    tested = np.flatnonzero(~np.isnan(p))
    p[tested] = false_discovery(p[tested])
    told = ["" if np.isnan(own) or own <= LEVEL else FLAT for own in p]
    found = zip(laws, p.tolist(), told, strict=True)
    return [replace(law, p=own, fails=law.fails or flat) for law, own, flat in found]


def _runs(values: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbours shorter than all, the longest first and of equals the last."""
    for length in range(values - 1, VALUES - 1, -1):
        for first in range(values - length, -1, -1):
            yield first, first + length
