"""A data set: named, versioned, loaded once from its source, kept as plain arrays with a hash, opened in milliseconds.

The arrays are those that the source ships; what is done to them is a task's preprocessing. Their hashes are declared,
so a cached file that is cut, flipped, half written or foreign is made again, and a source with other numbers is
refused.
"""

import hashlib
import io
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from filelock import FileLock

from bench import paths
from bench.data.sources import Raw, Source
from bench.errors import Unavailable, UserError
from bench.files import explain, write_atomically
from bench.preprocess import RandomSplit, Rows, Split, Table


@dataclass(frozen=True)
class Dataset:
    """A data set and what is known of it.

    Attributes:
      name: of the data set and of its file.
      source: where the arrays come from.
      sha256: hashes of the bytes of x and of y, little-endian, in C order; None for a data set of one's own, whose
        arrays are then taken as they are and, unless the source is said to be checked, not cached.
      sizes: rows of the training, validation and test split.
      licence: as far as it is known.
      checked: whether the source itself makes sure that it always gives the same arrays.
      split: how the rows are split.
      version: moves when the arrays change.
      origin: what its rows are taken from, where others are too; they are one set of data to a statistician.
    """

    name: str
    source: Source = field(repr=False)  # its hashes say what comes out of it
    sha256: tuple[str, str] | None = None
    sizes: tuple[int, int, int] | None = None
    licence: str = "not stated"
    checked: bool = False
    split: Split = RandomSplit()  # noqa: RUF009  # frozen
    version: int = 1
    origin: str = field(default="", repr=False)

    @property
    def file(self) -> Path:
        """Where the arrays are kept."""
        return paths.cache() / "data" / f"{self.name}-{self.version}.npz"

    @property
    def identity(self) -> str:
        """Name, version, content and split as text; reads the arrays only where no hash is declared."""
        content = self.sha256 or _hashes(self.raw())
        return f"{self.name}@{self.version} {' '.join(content)} {self.split}"

    def missing(self) -> str:
        """Empty if the data is here, or can be made here without the network; else why not and the remedy. Quick: the
        content is not looked at."""
        return "" if self.prepared else self.source.missing()

    @property
    def prepared(self) -> bool:
        """Whether there is nothing left to fetch or make, as far as one can tell without looking into the file."""
        try:
            return self.kept and self.file.exists()
        except OSError:  # a cache that may not be looked into; who then makes the file says so
            return False

    @property
    def kept(self) -> bool:
        """Whether the arrays are cached."""
        return self.checked or self.sha256 is not None

    def raw(self) -> Raw:
        """The arrays as shipped; fetches or makes them where that has not been done.

        Raises:
          Unavailable: they are not here and cannot be had now.
          UserError: they are not those that were declared, or cannot be written.
        """
        return _opened(self, paths.cache())

    def table(self) -> Table:
        """The arrays, split, before any preprocessing; raises what `raw` does."""
        x, y = self.raw()
        return Table(x, y, np.ones(len(x)), self.split(x, y))

    def rows(self) -> tuple[int, int, int]:
        """How many rows each split has; reads the arrays only where that is not declared."""
        return self.sizes or _sizes(self.table().rows)


def _sizes(rows: Rows) -> tuple[int, int, int]:
    train, valid, test = (len(part) for part in rows.values())
    return train, valid, test


@lru_cache(maxsize=4)
def _opened(dataset: Dataset, cache: Path) -> Raw:
    del cache  # part of the key only: another cache folder is another file
    if not dataset.kept:
        return _from_source(dataset)
    try:
        dataset.file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(dataset.file.with_suffix(".lock"))
        lock.acquire()
    except OSError as error:
        raise UserError(f"{explain(error, dataset.file)}; OPTGRID_CACHE names the cache's folder") from error
    try:
        kept = _read(dataset)
        if kept is None:
            kept = prepare(dataset)
            buffer = io.BytesIO()
            np.savez(buffer, x=kept[0], y=kept[1], sha256=np.array(_hashes(kept)))
            write_atomically(dataset.file, buffer.getvalue())
        return kept
    finally:
        lock.release()


def prepare(dataset: Dataset) -> Raw:
    """The arrays from the source, which are checked.

    Raises:
      Unavailable: the source cannot be had now.
      UserError: its arrays are not those declared.
    """
    raw = _from_source(dataset)
    for what, found, expected in zip("xy", _hashes(raw), dataset.sha256 or _hashes(raw), strict=True):
        if found != expected:
            raise UserError(
                f"data set {dataset.name}: {what} from {dataset.source.credit} is not what this suite was made for "
                f"(SHA-256 {found[:12]}, not {expected[:12]}); install the versions in constraints.txt"
            )
    return raw


def _from_source(dataset: Dataset) -> Raw:
    try:
        return dataset.source.read()
    except Unavailable as error:
        raise Unavailable(f"data set {dataset.name}: {error}") from error


def _hashes(raw: Raw) -> tuple[str, str]:
    x, y = (hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for array in raw)
    return x, y


def _read(dataset: Dataset) -> Raw | None:
    """The arrays in the data set's file, or None where there are none or they are damaged, and must be made again."""
    try:
        with np.load(io.BytesIO(dataset.file.read_bytes()), allow_pickle=False) as file:
            raw, stored = (file["x"], file["y"]), tuple(file["sha256"].tolist())
    except Exception:  # whatever unpacking a damaged file raises: zip, zlib and NumPy have theirs
        return None
    return raw if _hashes(raw) == stored == (dataset.sha256 or stored) else None
