"""Steps that make training data scarcer, lopsided or full of holes, for studies; see `bench.preprocess`.

Each touches training rows alone, and draws from a stream that is the same for ever. A larger amount of one holds what a
smaller one does: the rows of a tenth are among those of a fifth, and a value that is missing stays so.
"""

from dataclasses import dataclass

import numpy as np

from bench.errors import UserError
from bench.preprocess import Table, stream

FIFTH = 0.2  # of the training rows, which every ratio of `Unbalance` keeps at most


@dataclass(frozen=True)
class Subsample:
    """Keeps a share of the training rows, within each class where the target is one, and at least a row of each.

    Attributes:
      share: of the training rows.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise UserError(f"Subsample: share must be above 0 and at most 1, not {self.share}")

    def __call__(self, table: Table) -> Table:
        """Fewer training rows."""
        rng = stream("subsampling")
        drawn = [rng.permutation(rows) for rows in _classes(table) or [table.train]]
        kept = [rows[: max(1, round(self.share * len(rows)))] for rows in drawn]
        return table.training_rows(np.sort(np.concatenate(kept)))


@dataclass(frozen=True)
class Unbalance:
    """Keeps a fifth of the training rows, so many of each class that their numbers fall by one factor from class to
    class, the most frequent first, which becomes `ratio` times as frequent as the last (Cui et al., 2019,
    arXiv:1901.05555). Every ratio keeps as many rows in all, fewer than a fifth where the rarest class has not its
    share of that, so that what differs is balance and not how much data there is.

    Attributes:
      ratio: of the most frequent class to the rarest; 1 is balance.
    """

    ratio: float

    def __post_init__(self) -> None:
        if not 1 <= self.ratio < float("inf"):
            raise UserError(f"Unbalance: ratio must be at least 1, not {self.ratio}")

    def __call__(self, table: Table) -> Table:
        """Fewer training rows."""
        classes = _classes(table)
        if len(classes) < 2:
            raise UserError(f"{self} needs two integer classes or more: put it before OneHot, on a data set with them")
        classes.sort(key=len, reverse=True)
        falling = self.ratio ** -np.linspace(0, 1, len(classes))
        total = min(FIFTH * len(table.train), len(classes) * len(classes[-1]))
        counts = np.maximum(1, np.round(total * falling / falling.sum())).astype(int)
        rng = stream("imbalance")
        kept = []
        for rows, count in zip(classes, counts.tolist(), strict=True):
            if count > len(rows):
                raise UserError(f"{self} needs {count} rows of a class that has {len(rows)}; a smaller ratio would do")
            kept.append(rng.permutation(rows)[:count])
        return table.training_rows(np.sort(np.concatenate(kept)))


@dataclass(frozen=True)
class Erase:
    """Makes a share of the training rows' features missing, each by itself (completely at random); `Fill` must follow.

    Attributes:
      share: of the values.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise UserError(f"Erase: share must be at least 0 and below 1, not {self.share}")

    def __call__(self, table: Table) -> Table:
        """Missing values in the training rows of x."""
        x = table.x.astype(np.float32)
        lost = stream("missing values").uniform(size=(len(table.train), x.shape[1])) < self.share
        x[table.train] = np.where(lost, np.float32(np.nan), x[table.train])
        return table._replace(x=x)


def _classes(table: Table) -> list[np.ndarray]:
    """The training rows of each class; empty where the target is no class."""
    if table.y.ndim != 1 or table.y.dtype.kind != "i":
        return []
    of = table.y[table.train]
    return [table.train[of == value] for value in np.unique(of)]
