"""Whether two revisions of the suite compute the same curves, up to rounding.

    python -m tests.drift BEFORE AFTER        # two folders of runs of one grid; AFTER made by this revision

Training multiplies rounding errors, some of it by a little and some of it by a lot, so no one tolerance is right.
What rounding does to a cell is therefore measured: its search is run again, three times, from initial parameters that
are off by the last bit, and the two revisions may differ by no more than ten times the most that does. Compared are the
losses on all splits of every trial of the first replicate, and of a cell's trials the one in the middle. Ends with 1 if
a cell differs more.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.progress import track

from bench import records, worker
from bench.protocol import Protocol
from bench.records import Record
from bench.task import SPLITS

if __name__ == "__main__":  # before JAX is imported: programs as the runs had them
    os.environ.update(worker.environment(core=0))

import jax

import optimizers
from bench import tasks
from bench.program import Program, compile_program
from bench.sweep import searched

ALLOWED = 10.0  # times what the last bit of the start does
NUDGES = 3
ROUNDING = 1e-6  # of a loss in float32, a sum over a thousand rows: where the last bit of the start does nothing at all


class Cell(NamedTuple):
    """One cell: the medians over its trials of how far curves are apart, at their farthest, as logarithms of losses."""

    name: str
    drift: float
    noise: float

    @property
    def agrees(self) -> bool:
        """Whether the revisions are no farther apart than rounding brings them."""
        return self.drift <= ALLOWED * self.noise + ROUNDING


def apart(one: np.ndarray, other: np.ndarray, floor: float) -> np.ndarray:
    """How far curves (trials, points) are apart at their farthest, (trials,); infinite if only one has diverged."""
    gone = ~np.isfinite(one), ~np.isfinite(other)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(np.log(np.maximum(one, floor)) - np.log(np.maximum(other, floor)))
    return np.where(gone[0] & gone[1], 0.0, np.where(gone[0] | gone[1], np.inf, gaps)).max(axis=1)


def losses(record: Record) -> np.ndarray:
    """Of the search, on all splits: (trials, splits x points)."""
    return np.concatenate([record.arrays[f"search/{split}/loss"] for split in SPLITS], axis=1)


def nudged(program: Program, trial: dict[str, float], seed: int) -> np.ndarray:
    """The losses (splits x points,) of a trial whose initial parameters are off by their last bit."""
    start = program.start(0, "search")
    rng = np.random.default_rng(seed)

    def off(leaf: jax.Array) -> np.ndarray:
        ways = rng.choice(np.array([-np.inf, np.inf], np.float32), leaf.shape)
        return np.where(np.asarray(leaf) == 0, leaf, np.nextafter(np.asarray(leaf), ways))

    metrics = program.run(start._replace(params=jax.tree.map(off, start.params)), trial).metrics
    return np.concatenate([np.asarray(metrics[split]["loss"]) for split in SPLITS])


def compare(before: Path, after: Path) -> Cell:
    """The first replicate of one cell in both folders.

    Raises:
      ValueError: the two tried different settings.
    """
    old, new = records.read(before), records.read(after)
    settings, others = new.group("hparams"), old.group("hparams")
    if settings.keys() != others.keys() or any(not np.array_equal(settings[name], others[name]) for name in settings):
        raise ValueError(f"{before} and {after} did not try the same settings")
    protocol = Protocol(**new.meta["protocol"])
    optimizer = optimizers.get(new.meta["optimizer"])
    program = compile_program(tasks.get(new.meta["task"], protocol.steps), searched(optimizer, protocol), protocol)
    trials = [{name: float(values[t]) for name, values in settings.items()} for t in range(protocol.trials)]
    drift = apart(losses(new), losses(old), new.meta["floor"])
    noise = np.zeros(len(trials))
    for seed in range(NUDGES):
        again = np.stack([nudged(program, trial, seed) for trial in trials])
        noise = np.maximum(noise, apart(losses(new), again, new.meta["floor"]))
    return Cell(f"{new.meta['task']} {new.meta['optimizer']}", float(np.median(drift)), float(np.median(noise)))


def main(arguments: list[str]) -> int:
    """Prints the cells that differ most; 1 if any differs by more than rounding explains, 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m tests.drift", description="Compares two folders of runs.")
    for name in ("before", "after"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args(arguments)
    pairs = [(given.before / "units" / file.name, file) for file in sorted((given.after / "units").glob("*--r00.npz"))]
    cells = [compare(*pair) for pair in track(pairs, "comparing", transient=True) if pair[0].exists()]
    if not cells:
        print(f"{given.before} and {given.after} have no unit in common", file=sys.stderr)
        return 2
    cells.sort(key=lambda cell: cell.drift / (cell.noise + ROUNDING), reverse=True)
    print("cell                                      drift    last bit")
    for cell in cells[:12]:
        print(f"{cell.name:38} {cell.drift:8.1e}    {cell.noise:8.1e}  {'' if cell.agrees else 'DIFFERS'}")
    agreeing = sum(cell.agrees for cell in cells)
    print(f"{agreeing} of {len(cells)} cells agree within {ALLOWED:g} times what the last bit of the start does")
    return int(agreeing < len(cells))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
