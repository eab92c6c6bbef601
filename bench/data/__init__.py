"""Data sets by name."""

from bench.data.catalogue import DATASETS
from bench.data.dataset import Dataset
from bench.errors import unknown

__all__ = ["DATASETS", "Dataset", "open_dataset"]


def open_dataset(name: str) -> Dataset:
    """The data set of that name.

    Raises:
      UserError: there is none.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    return DATASETS[name]
