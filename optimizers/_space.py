"""Search spaces: what a tuner may try for a hyperparameter.

A distribution maps the unit interval to values, so that one quasi-random point in the unit cube is one trial.
Where a search finds its best setting at the edge of its space, the space was too narrow: laws can say where in them a
value lies, and be extended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

Bounds = tuple[float, float]

EVERYWHERE: Bounds = (float("-inf"), float("inf"))
# What 1 - x may take its x from: at 1 an average has no memory, and float32 knows no number between 1 - 1e-7 and 1.
FRACTIONS: Bounds = (1e-7, 1.0)
ROUNDING = 1e-6  # of a position


@runtime_checkable
class Distribution(Protocol):
    """A law on one hyperparameter, given by its quantile function, which is monotone."""

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at probabilities `u` in [0, 1]; any shape, float64."""
        ...

    def position(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `quantile`, in [0, 1]; a value outside the law is at the end that it is beyond."""
        ...

    def extended(self, times: int, within: Bounds = EVERYWHERE) -> "Distribution":
        """The law grown `times` times at both ends, by no more than `within` allows; it holds all that it held."""
        ...


Space = Mapping[str, Distribution]


@dataclass(frozen=True)
class LogUniform:
    low: float
    high: float

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return np.clip(self.low * (self.high / self.low) ** np.asarray(u, np.float64), self.low, self.high)

    def position(self, values: np.ndarray) -> np.ndarray:
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        return np.clip(np.log(inside / self.low) / np.log(self.high / self.low), 0.0, 1.0)

    def extended(self, times: int, within: Bounds = EVERYWHERE) -> "LogUniform":
        """Each time by a decade at each end."""
        factor = 10.0**times
        return LogUniform(*_grown(self.low, self.high, (self.low / factor, self.high * factor), within))

    def __str__(self) -> str:
        return f"log-uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Uniform:
    low: float
    high: float
    within: Bounds = EVERYWHERE

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.low + (self.high - self.low) * np.asarray(u, np.float64)

    def position(self, values: np.ndarray) -> np.ndarray:
        inside = np.clip(np.asarray(values, np.float64), self.low, self.high)
        return np.clip((inside - self.low) / (self.high - self.low), 0.0, 1.0)

    def extended(self, times: int, within: Bounds = EVERYWHERE) -> "Uniform":
        """Each time by its own width at each end."""
        by = times * (self.high - self.low)
        both = max(within[0], self.within[0]), min(within[1], self.within[1])
        return Uniform(*_grown(self.low, self.high, (self.low - by, self.high + by), both), self.within)

    def __str__(self) -> str:
        return f"uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class OneMinus:
    """1 - x for x of another law: the natural scale of averaging constants such as b1."""

    inner: Distribution

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return 1.0 - self.inner.quantile(u)

    def position(self, values: np.ndarray) -> np.ndarray:
        return self.inner.position(1.0 - np.asarray(values, np.float64))

    def extended(self, times: int, within: Bounds = EVERYWHERE) -> "OneMinus":
        """As x is, which stays among FRACTIONS."""
        low, high = FRACTIONS
        return OneMinus(self.inner.extended(times, (max(low, 1.0 - within[1]), min(high, 1.0 - within[0]))))

    def __str__(self) -> str:
        return f"1 - ({self.inner})"


def _grown(low: float, high: float, wished: Bounds, within: Bounds) -> Bounds:
    """The ends `wished` for as far as `within` allows, but never short of `low` and `high`."""
    return min(low, max(wished[0], within[0])), max(high, min(wished[1], within[1]))


def log_uniform(low: float, high: float) -> LogUniform:
    """Uniform in the logarithm between `low` and `high`.

    Raises:
      ValueError: the bounds are not 0 < low < high.
    """
    if not 0 < low < high < float("inf"):
        raise ValueError(f"log_uniform({low!r}, {high!r}): bounds must satisfy 0 < low < high")
    return LogUniform(low, high)


def uniform(low: float, high: float, within: Bounds = EVERYWHERE) -> Uniform:
    """Uniform between `low` and `high`; `within` is what the hyperparameter can be at all, for a wider search.

    Raises:
      ValueError: the bounds are not finite with low < high, or not within.
    """
    if not float("-inf") < low < high < float("inf"):
        raise ValueError(f"uniform({low!r}, {high!r}): bounds must be finite with low < high")
    if not within[0] <= low < high <= within[1]:
        raise ValueError(f"uniform({low!r}, {high!r}, within={within!r}): bounds must be within")
    return Uniform(low, high, within)


def one_minus(inner: Distribution) -> OneMinus:
    """The law of 1 - x where x follows `inner`."""
    return OneMinus(inner)


def holds(law: Distribution, value: float) -> bool:
    """Whether a value is between the ends of a law."""
    low, high = ends(law)
    return bool(low <= value <= high)


def ends(law: Distribution) -> Bounds:
    """The lowest and the highest value of a law."""
    first, last = law.quantile(np.array([0.0, 1.0]))
    return float(min(first, last)), float(max(first, last))


def heights(law: Distribution, values: np.ndarray) -> np.ndarray:
    """How high values lie in a law, by probability: 0 at its lowest value, 1 at its highest."""
    first, last = law.quantile(np.array([0.0, 1.0]))
    position = law.position(values)
    return position if first < last else 1.0 - position


def open_ends(law: Distribution) -> tuple[bool, bool]:
    """Whether a law can be extended at its lower and at its upper end; an end set by nature stays where it is."""
    low, high = heights(law.extended(1), np.array(ends(law)))
    return bool(low > ROUNDING), bool(high < 1.0 - ROUNDING)
