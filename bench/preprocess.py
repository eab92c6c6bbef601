"""Preprocessing as data: how rows are split, and the steps from a raw table to what a network sees.

A step is a frozen description that maps a `Table` to a `Table`; a task lists its steps in order. Whatever a step fits
(a mean, a scale, the frequency of a class) is fitted on training rows only, and whatever it removes, repeats or
corrupts are training rows, so that all variants of a task are scored on the same validation and test rows.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.errors import UserError
from bench.task import SPLITS

Rows = Mapping[str, np.ndarray]  # by split, int64 indices into a table


class Table(NamedTuple):
    """A data set on its way to a network.

    Attributes:
      x: (rows, features), NaN where a value is missing.
      y: (rows,) or (rows, outputs); integers where classes.
      weight: float64 (rows,), how much a row counts in the training loss.
      rows: which rows each split has.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    rows: Rows

    @property
    def train(self) -> np.ndarray:
        """The training rows."""
        return self.rows["train"]

    def training_rows(self, rows: np.ndarray) -> "Table":
        """The same with other training rows."""
        return self._replace(rows={**self.rows, "train": rows})


Split = Callable[[np.ndarray, np.ndarray], Rows]
Step = Callable[[Table], Table]


def stream(purpose: str) -> np.random.RandomState:
    """Random numbers for one purpose, the same for ever. Two purposes must not share a stream: rows drawn for one
    would be those drawn for the other."""
    return np.random.RandomState(np.frombuffer(hashlib.sha256(purpose.encode()).digest(), "<u4"))


# Splits: (x, y) to rows by split, the same for ever. RandomState, as its stream is frozen across versions of NumPy.


def _draw(rng: np.random.RandomState, strata: list[np.ndarray], valid: float, test: float) -> list[np.ndarray]:
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for stratum in strata:
        rows = rng.permutation(stratum)
        first, second = round(valid * len(rows)), round(valid * len(rows)) + round(test * len(rows))
        for part, chosen in zip(parts, (rows[second:], rows[:first], rows[first:second]), strict=True):
            part.append(chosen)
    return [np.sort(np.concatenate(part)) for part in parts]


def _strata(values: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    if values.dtype.kind != "i":
        return [rows]
    return [rows[values[rows] == value] for value in np.unique(values[rows])]


@dataclass(frozen=True)
class RandomSplit:
    """Shares of the rows, drawn within each class where the target is one.

    Attributes:
      within: draw within the values of this column of x instead.
    """

    valid: float = 0.15
    test: float = 0.15
    within: int | None = None

    def __call__(self, x: np.ndarray, y: np.ndarray) -> Rows:
        """x (rows, features) and y (rows, ...) to rows by split, ascending."""
        values = y if self.within is None else x[:, self.within].astype(np.int64)
        parts = _draw(np.random.RandomState(0), _strata(values, np.arange(len(y))), self.valid, self.test)
        return dict(zip(SPLITS, parts, strict=True))


@dataclass(frozen=True)
class OfficialSplit:
    """The first `train` rows are for training, as the data set's makers have it; the rest is halved, class by class,
    into validation and test rows."""

    train: int

    def __call__(self, x: np.ndarray, y: np.ndarray) -> Rows:
        """x (rows, features) and y (rows, ...) to rows by split, ascending."""
        rest = np.arange(self.train, len(x))
        _, valid, test = _draw(np.random.RandomState(0), _strata(y, rest), 0.5, 0.5)
        return {"train": np.arange(self.train), "valid": valid, "test": test}


@dataclass(frozen=True)
class Folded:
    """One fold of a cross-validation within another split: its training and validation rows are dealt anew, class by
    class, into `of` equal parts, of which part `fold` is for validation. A few rows drawn of all, fewer than `of`, are
    left out."""

    split: Split
    fold: int
    of: int

    def __call__(self, x: np.ndarray, y: np.ndarray) -> Rows:
        """x (rows, features) and y (rows, ...) to rows by split, ascending.

        Raises:
          UserError: there are fewer rows than folds.
        """
        rows = self.split(x, y)
        within = getattr(self.split, "within", None)
        values, rng = y if within is None else x[:, within].astype(np.int64), stream("folds")
        strata = _strata(values, np.sort(np.concatenate([rows["train"], rows["valid"]])))
        dealt = np.concatenate([rng.permutation(stratum) for stratum in strata])
        kept = np.sort(rng.permutation(len(dealt))[: len(dealt) // self.of * self.of])
        dealt = dealt[kept].reshape(-1, self.of)
        if not len(dealt):
            raise UserError(f"{len(rows['train']) + len(rows['valid'])} rows cannot be dealt into {self.of} folds")
        rest = np.delete(dealt, self.fold, axis=1)
        return {"train": np.sort(rest.ravel()), "valid": np.sort(dealt[:, self.fold]), "test": rows["test"]}


# Features


@dataclass(frozen=True)
class Divide:
    """Divides features by a constant: for images, whose pixels share a scale. Per-pixel standardising would divide by
    the near-zero spread of pixels that are almost never lit."""

    by: float

    def __call__(self, table: Table) -> Table:
        """Scales x."""
        return table._replace(x=table.x / np.float32(self.by))


@dataclass(frozen=True)
class MinMax:
    """Each feature to 0 to 1 over the training rows; a constant one to 0."""

    def __call__(self, table: Table) -> Table:
        """Scales x."""
        low, high = np.nanmin(table.x[table.train], 0), np.nanmax(table.x[table.train], 0)
        return table._replace(x=(table.x - low) / np.where(high > low, high - low, 1))


@dataclass(frozen=True)
class Standardize:
    """Each feature to zero mean and unit spread over the training rows; a constant one to 0."""

    def __call__(self, table: Table) -> Table:
        """Scales x."""
        mean, spread = _moments(table.x[table.train])
        return table._replace(x=(table.x - mean) / spread)


def _moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column, missing values aside; a spread of 1 for a constant column."""
    fitted = rows.astype(np.float64)
    spread = np.nanstd(fitted, 0)
    return np.nanmean(fitted, 0), np.where(spread > 1e-12, spread, 1)


@dataclass(frozen=True)
class Pool:
    """Square images of `side` pixels a side, averaged over blocks of `by` x `by` pixels."""

    side: int
    by: int

    def __call__(self, table: Table) -> Table:
        """x (rows, side^2) to (rows, (side / by)^2)."""
        small = self.side // self.by
        if table.x.shape[1] != self.side**2 or small * self.by != self.side:
            raise UserError(f"{self} does not fit {table.x.shape[1]} features")
        blocks = table.x.reshape(-1, small, self.by, small, self.by)
        return table._replace(x=blocks.mean((2, 4), dtype=np.float32).reshape(-1, small * small))


@dataclass(frozen=True)
class Columns:
    """Makes features of columns, in this order.

    Attributes:
      keep: columns left as they are.
      log: columns to log(1 + value).
      cyclic: (column, period) to sine and cosine of its phase.
      one_hot: columns of codes to one column for each code that there is.
    """

    keep: tuple[int, ...] = ()
    log: tuple[int, ...] = ()
    cyclic: tuple[tuple[int, float], ...] = ()
    one_hot: tuple[int, ...] = ()

    def __call__(self, table: Table) -> Table:
        """x (rows, columns) to (rows, features)."""
        x = table.x.astype(np.float64)
        named = [*self.keep, *self.log, *self.one_hot, *(column for column, _ in self.cyclic)]
        if max(named, default=-1) >= x.shape[1]:
            raise UserError(f"{self} names column {max(named)}; there are {x.shape[1]}, counted from 0")
        parts = [x[:, list(self.keep)], np.log1p(x[:, list(self.log)])]
        for column, period in self.cyclic:
            phase = 2 * np.pi * x[:, [column]] / period
            parts += [np.sin(phase), np.cos(phase)]
        parts += [x[:, [column]] == np.unique(x[:, column]) for column in self.one_hot]
        return table._replace(x=np.concatenate(parts, 1))


# Missing values


@dataclass(frozen=True)
class Delete:
    """Leaves out the training rows with missing values. Validation and test rows stay, so that a deleted variant is
    not scored on easier rows than the others: `Fill` must follow."""

    def __call__(self, table: Table) -> Table:
        """Fewer training rows."""
        whole = table.train[~np.isnan(table.x[table.train]).any(1)]
        if not len(whole):
            raise UserError("every training row has a missing value: Delete leaves none")
        return table.training_rows(whole)


@dataclass(frozen=True)
class Fill:
    """Missing values to a statistic of their column over the training rows.

    Attributes:
      by: mean or median.
      indicators: append for each column with missing training values one that is 1 where it was missing.
    """

    by: str
    indicators: bool = False

    def __post_init__(self) -> None:
        if self.by not in ("mean", "median"):
            raise UserError(f"Fill: by must be mean or median, not {self.by!r}")

    def __call__(self, table: Table) -> Table:
        """No missing values in x."""
        fitted = table.x[table.train].astype(np.float64)
        empty = np.isnan(fitted).all(0)
        if empty.any():
            raise UserError(f"{self}: column {np.flatnonzero(empty)[0]} has no training value to fill from")
        value = np.nanmean(fitted, 0) if self.by == "mean" else np.nanmedian(fitted, 0)
        missing = np.isnan(table.x)
        told = missing[:, np.isnan(fitted).any(0)] if self.indicators else missing[:, :0]
        return table._replace(x=np.concatenate([np.where(missing, value, table.x), told], 1))


@dataclass(frozen=True)
class Interpolate:
    """Missing values to the line between the nearest training rows of the same group that have them, and beyond the
    last of these to its value; a group without any keeps them missing, and `Fill` must follow.

    Attributes:
      along: the column that orders rows, such as time.
      within: the column that groups them.
    """

    along: int
    within: int

    def __call__(self, table: Table) -> Table:
        """Fewer missing values in x."""
        x = table.x.astype(np.float64)
        trained = np.zeros(len(x), bool)
        trained[table.train] = True
        for group in np.unique(x[:, self.within]):
            members = np.flatnonzero(x[:, self.within] == group)
            members = members[np.argsort(x[members, self.along], kind="stable")]
            for column in np.flatnonzero(np.isnan(x[members]).any(0)):
                values, at = x[members, column], x[members, self.along]
                known = ~np.isnan(values) & trained[members]
                if known.any():
                    filled = np.interp(at, at[known], values[known])
                    x[members, column] = np.where(np.isnan(values), filled, values)
        return table._replace(x=x)


# Targets, and which training rows there are


@dataclass(frozen=True)
class OneHot:
    """Classes 0 to k-1 to k columns."""

    def __call__(self, table: Table) -> Table:
        """y (rows,) to (rows, k)."""
        _need_classes(self, table)
        return table._replace(y=np.eye(int(table.y.max()) + 1, dtype=np.float32)[table.y])


@dataclass(frozen=True)
class StandardizeTarget:
    """The target to zero mean and unit spread over the training rows.

    Attributes:
      log: of its logarithm, for a target with a heavy tail.
    """

    log: bool = False

    def __call__(self, table: Table) -> Table:
        """Scales y."""
        y = np.log(table.y.astype(np.float64)) if self.log else table.y
        mean, spread = _moments(y[table.train])
        return table._replace(y=(y - mean) / spread)


@dataclass(frozen=True)
class Reconstruct:
    """The features are the target: an autoencoder."""

    def __call__(self, table: Table) -> Table:
        """y is x."""
        return table._replace(y=table.x)


@dataclass(frozen=True)
class LabelNoise:
    """A share of the training labels is drawn anew, uniformly over the classes; the same rows for every run.

    Attributes:
      share: of the training rows; one in k of them gets its own class again.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise UserError(f"LabelNoise: share must be from 0 to 1, not {self.share}")

    def __call__(self, table: Table) -> Table:
        """Other y in some training rows."""
        _need_classes(self, table)
        rng = stream("label noise")
        chosen = rng.permutation(table.train)[: round(self.share * len(table.train))]
        y = table.y.copy()
        y[chosen] = rng.randint(0, int(table.y.max()) + 1, len(chosen))
        return table._replace(y=y)


@dataclass(frozen=True)
class Resample:
    """Repeats training rows until every class has as many as the largest: whole copies, and a draw for the rest."""

    def __call__(self, table: Table) -> Table:
        """More training rows."""
        _need_classes(self, table)
        rng = stream("resampling")
        classes = [table.train[table.y[table.train] == c] for c in np.unique(table.y[table.train])]
        largest = max(map(len, classes))
        drawn = [
            np.concatenate([np.tile(rows, largest // len(rows)), rng.permutation(rows)[: largest % len(rows)]])
            for rows in classes
        ]
        return table.training_rows(np.sort(np.concatenate(drawn)))


@dataclass(frozen=True)
class ClassWeights:
    """Weighs rows inversely to how frequent their class is in training, with mean one over the training rows:
    n / (k n_c), scikit-learn's 'balanced'."""

    def __call__(self, table: Table) -> Table:
        """Other weights."""
        _need_classes(self, table)
        counts = np.bincount(table.y[table.train], minlength=int(table.y.max()) + 1)
        weights = len(table.train) / (np.count_nonzero(counts) * np.maximum(counts, 1))
        return table._replace(weight=weights[table.y])


def _need_classes(step: Step, table: Table) -> None:
    if table.y.ndim != 1 or table.y.dtype.kind != "i":
        raise UserError(f"{step} needs one integer class a row: put it before OneHot, on a data set with classes")
