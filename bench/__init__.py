"""optgrid: which optimizer to use, or whether a new one is really better.

    import bench
    results = bench.run(suite="smoke", out="runs/smoke")      # what `optgrid run` does
    tables = bench.load("runs/smoke")                         # pandas: curves, trials, units

The main path, in reading order: `task`, `train`, `program`, `sweep`, `runner`. Importing this package is free; JAX
comes in with the worker that needs it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.frames import Tables
    from bench.results import Results

__all__ = ["load", "run"]


def run(suite: str = "core", **options: Any) -> "Results":
    """Runs a grid, or what is missing of it, and returns its results; see `bench.experiment.run` for the options."""
    from bench import experiment

    return experiment.run(suite, **options)


def load(folder: str | Path) -> "Tables":
    """The tables of a run: `curves`, `trials` and `units`, as pandas frames."""
    from bench import frames, results

    return frames.tables(results.load(Path(folder)))
