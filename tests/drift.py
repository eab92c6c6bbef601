"""Whether two revisions of the suite compute the same curves, up to rounding.

    python -m tests.drift BEFORE AFTER        # two folders of runs of one suite; AFTER made by this revision

Training multiplies rounding errors, some of it by a little and some of it by a lot, so no one tolerance is right.
What rounding does to a cell is therefore measured: its search is run again from initial parameters that are off by the
last bit, and the two revisions may differ by no more than ten times what that does. Ends with 1 if a cell differs more.
"""

import sys
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from rich.progress import track

import optimizers
from bench import records, tasks
from bench.program import Program, compile_program
from bench.protocol import Protocol

ALLOWED = 10.0  # times what the last bit of the start does
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


def nudged(program: Program, trial: dict[str, float]) -> np.ndarray:
    """The training losses (points,) of a trial whose initial parameters are off by their last bit."""
    start = program.start(0, "search")
    rng = np.random.default_rng(0)

    def off(leaf: jax.Array) -> np.ndarray:
        ways = rng.choice(np.array([-np.inf, np.inf], np.float32), leaf.shape)
        return np.where(np.asarray(leaf) == 0, leaf, np.nextafter(np.asarray(leaf), ways))

    return np.asarray(
        program.run(start._replace(params=jax.tree.map(off, start.params)), trial).metrics["train"]["loss"]
    )


def compare(before: Path, after: Path) -> Cell:
    """The first replicate of one cell in both folders."""
    old, new = (records.decode(file.read_bytes()) for file in (before, after))
    task, name = new.meta["task"], new.meta["optimizer"]
    program = compile_program(tasks.get(task), optimizers.get(name), Protocol(**new.meta["protocol"]))
    settings = {
        key.removeprefix("hparams/"): values for key, values in new.arrays.items() if key.startswith("hparams/")
    }
    trials = [
        {key: float(values[t]) for key, values in settings.items()} for t in range(len(new.arrays["search/diverged"]))
    ]
    curves = new.arrays["search/train/loss"]
    again = np.stack([nudged(program, trial) for trial in trials])
    drift, noise = (apart(curves, other, new.meta["floor"]) for other in (old.arrays["search/train/loss"], again))
    return Cell(f"{task} {name}", float(np.median(drift)), float(np.median(noise)))


def main(before: Path, after: Path) -> int:
    """Prints the cells that differ most; 1 if any differs by more than rounding explains, 2 if there is none."""
    pairs = [(before / "units" / file.name, file) for file in sorted((after / "units").glob("*--r00.npz"))]
    cells = [compare(*pair) for pair in track(pairs, "comparing", transient=True) if pair[0].exists()]
    if not cells:
        print(f"{before} and {after} have no unit in common", file=sys.stderr)
        return 2
    cells.sort(key=lambda cell: cell.drift / (cell.noise + ROUNDING), reverse=True)
    print("cell                                      drift    last bit")
    for cell in cells[:12]:
        print(f"{cell.name:38} {cell.drift:8.1e}    {cell.noise:8.1e}  {'' if cell.agrees else 'DIFFERS'}")
    agreeing = sum(cell.agrees for cell in cells)
    print(f"{agreeing} of {len(cells)} cells agree within {ALLOWED:g} times what the last bit of the start does")
    return int(agreeing < len(cells))


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
