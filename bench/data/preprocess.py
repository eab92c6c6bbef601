"""Splits and scalings. Whatever is fitted is fitted on training rows only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Transform = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (array, training rows) to the array transformed


def split(y: np.ndarray, valid: float = 0.15, test: float = 0.15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the training, validation and test splits, ascending; the same for ever.

    Integer targets are split class by class, others as one stratum. RandomState, because its stream is frozen across
    versions of NumPy.
    """
    rng = np.random.RandomState(0)
    strata = [np.flatnonzero(y == c) for c in np.unique(y)] if y.dtype.kind == "i" else [np.arange(len(y))]
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for stratum in strata:
        rows = rng.permutation(stratum)
        first, second = round(valid * len(rows)), round(valid * len(rows)) + round(test * len(rows))
        for part, chosen in zip(parts, (rows[second:], rows[:first], rows[first:second]), strict=True):
            part.append(chosen)
    train_rows, valid_rows, test_rows = (np.sort(np.concatenate(part)) for part in parts)
    return train_rows, valid_rows, test_rows


@dataclass(frozen=True)
class DivideBy:
    """Divides by a constant: for images, whose pixels share a scale. Per-pixel standardising would divide by the
    near-zero spread of pixels that are almost never lit."""

    divisor: float

    def __call__(self, x: np.ndarray, train: np.ndarray) -> np.ndarray:
        """Any shape to the same, float32."""
        del train
        return (x / self.divisor).astype(np.float32)


def standardize(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Zero mean and unit spread of each column over the training rows: (rows, columns) to the same, float32."""
    fitted = x[train].astype(np.float64)
    return ((x - fitted.mean(0)) / fitted.std(0)).astype(np.float32)


def one_hot(y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Classes 0 to k-1, (rows,), to (rows, k)."""
    del train
    return np.eye(y.max() + 1, dtype=np.float32)[y]


def column(y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(rows,) to (rows, 1), float32."""
    del train
    return y[:, None].astype(np.float32)


def standardized_column(y: np.ndarray, train: np.ndarray) -> np.ndarray:
    """(rows,) to (rows, 1), zero mean and unit spread over the training rows."""
    return standardize(y[:, None], train)
