"""Search spaces: what a tuner may try for a hyperparameter.

A distribution maps the unit interval to values, so that one quasi-random point in the unit cube is one trial.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Distribution(Protocol):
    """A law on one hyperparameter, given by its quantile function."""

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Values at probabilities `u` in [0, 1]; any shape, float64."""
        ...


Space = Mapping[str, Distribution]


@dataclass(frozen=True)
class LogUniform:
    low: float
    high: float

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.low * (self.high / self.low) ** np.asarray(u, np.float64)

    def __str__(self) -> str:
        return f"log-uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Uniform:
    low: float
    high: float

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return self.low + (self.high - self.low) * np.asarray(u, np.float64)

    def __str__(self) -> str:
        return f"uniform {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class OneMinus:
    """1 - x for x of another law: the natural scale of averaging constants such as b1."""

    inner: Distribution

    def quantile(self, u: np.ndarray) -> np.ndarray:
        return 1.0 - self.inner.quantile(u)

    def __str__(self) -> str:
        return f"1 - ({self.inner})"


def log_uniform(low: float, high: float) -> LogUniform:
    """Uniform in the logarithm between `low` and `high`.

    Raises:
      ValueError: the bounds are not 0 < low < high.
    """
    if not 0 < low < high < float("inf"):
        raise ValueError(f"log_uniform({low!r}, {high!r}): bounds must satisfy 0 < low < high")
    return LogUniform(low, high)


def uniform(low: float, high: float) -> Uniform:
    """Uniform between `low` and `high`.

    Raises:
      ValueError: the bounds are not finite with low < high.
    """
    if not float("-inf") < low < high < float("inf"):
        raise ValueError(f"uniform({low!r}, {high!r}): bounds must be finite with low < high")
    return Uniform(low, high)


def one_minus(inner: Distribution) -> OneMinus:
    """The law of 1 - x where x follows `inner`."""
    return OneMinus(inner)


def holds(law: Distribution, value: float) -> bool:
    """Whether a value is between the ends of a law."""
    low, high = sorted(law.quantile(np.array([0.0, 1.0])))
    return bool(low <= value <= high)
