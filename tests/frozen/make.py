"""Makes the files of bench/data/files from the tables that plotnine ships, which are ggplot2's; see the NOTICE there.

    make frozen

Needs the peers' environment, for plotnine; only the tables are read, the package is not imported.
"""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FILES = Path(__file__).parent.parent.parent / "bench/data/files"
CUT = ["Fair", "Good", "Very Good", "Premium", "Ideal"]
COLOR = list("DEFGHIJ")
CLARITY = ["I1", "SI2", "SI1", "VS2", "VS1", "VVS2", "VVS1", "IF"]


def _table(name: str) -> pd.DataFrame:
    found = importlib.util.find_spec("plotnine")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("plotnine is not installed here")
    return pd.read_csv(Path(found.submodule_search_locations[0]) / "data" / name)


def diamonds() -> dict[str, np.ndarray]:
    """53,917 diamonds; 23 of the table's rows, with a size of zero or beyond 30 mm, are left out."""
    table = _table("diamonds.csv")
    for column, order in (("cut", CUT), ("color", COLOR), ("clarity", CLARITY)):
        table[column] = table[column].map({name: code for code, name in enumerate(order)}).astype("int8")
    sound = (table[["x", "y", "z"]] > 0).all(axis=1) & (table["y"] < 30) & (table["z"] < 30)
    return {str(name): values.to_numpy() for name, values in table[sound].items()}


def txhousing() -> dict[str, np.ndarray]:
    """7,986 months of house sales in 46 Texan cities, those with a median price; cities by number in alphabet order."""
    table = _table("txhousing.csv")
    table = table[table["median"].notna()].copy()
    order = sorted(table["city"].unique())
    table["city"] = table["city"].map({name: code for code, name in enumerate(order)}).astype("int8")
    return {str(name): values.to_numpy() for name, values in table.items()}


def write(folder: Path) -> None:
    """Writes both files."""
    for made in (diamonds, txhousing):
        columns: dict[str, Any] = {
            name: values if values.dtype.kind == "i" else values.astype(np.float32) for name, values in made().items()
        }
        np.savez_compressed(folder / f"{made.__name__}.npz", **columns)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FILES)
