"""Whether two versions of the suite, or of what it stands on, compute the same curves, up to rounding.

Training multiplies rounding errors, some of it by a little and some of it by a lot, so no one tolerance is right. What
rounding does to a cell is therefore measured: its search is run again, three times, from initial parameters that are
off by the last bit, and two versions may differ by no more than ten times the most that does. Compared are the losses
on all splits of every trial of the first replicate, and of a cell's trials the one in the middle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from bench import records, tasks
from bench.program import Program, compile_program
from bench.protocol import Protocol
from bench.records import Record
from bench.sweep import searched
from bench.task import SPLITS
from optimizers import _bare

ALLOWED = 10.0  # times what the last bit of the start does
NUDGES = 3
ROUNDING = 1e-6  # of a loss in float32, a sum over a thousand rows: where the last bit of the start does nothing at all


@dataclass(frozen=True)
class Cell:
    """One cell: the medians over its trials of how far curves are apart, at their farthest, as logarithms of losses.

    Attributes:
      drift: between the versions; noise: by the last bit of the start.
      where: the first point at which they are farther apart than is allowed; empty if none is.
    """

    name: str
    drift: float
    noise: float
    where: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the versions are no farther apart than rounding brings them."""
        return self.drift <= ALLOWED * self.noise + ROUNDING


def apart(one: np.ndarray, other: np.ndarray, floor: float) -> np.ndarray:
    """How far curves (..., points) are apart, (..., points); infinite where only one has diverged."""
    gone = ~np.isfinite(one), ~np.isfinite(other)
    with np.errstate(invalid="ignore"):
        gaps = np.abs(np.log(np.maximum(one, floor)) - np.log(np.maximum(other, floor)))
    return np.where(gone[0] & gone[1], 0.0, np.where(gone[0] | gone[1], np.inf, gaps))


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


def compare(before: Path, after: Path, optimizer: str | None = None) -> Iterator[Cell]:
    """The cells that two folders of runs share, or those of one optimizer; rounding is measured by the code that runs
    now. Of cells that tried other settings `drift` is infinite."""
    for file in sorted((after / "units").glob("*--r00.npz")):
        if not (earlier := before / "units" / file.name).exists():
            continue
        old, new = records.read(earlier), records.read(file)
        if optimizer in (None, new.meta["optimizer"]):
            yield _cell(old, new)


def _cell(old: Record, new: Record) -> Cell:
    name = f"{new.meta['task']} {new.meta['optimizer']}"
    settings, others = new.group("hparams"), old.group("hparams")
    if settings.keys() != others.keys() or any(not np.array_equal(settings[key], others[key]) for key in settings):
        return Cell(name, np.inf, 0.0, "the settings that were tried")
    if old.meta["budget"] != new.meta["budget"] or losses(old).shape != losses(new).shape:
        return Cell(name, np.inf, 0.0, "the budget or what it is read at")
    protocol, floor = Protocol(**new.meta["protocol"]), new.meta["floor"]
    task, optimizer = tasks.get(new.meta["task"], protocol.steps), _bare.get(new.meta["optimizer"])
    program = compile_program(task, searched(optimizer, protocol), protocol)
    trials = [{key: float(values[t]) for key, values in settings.items()} for t in range(protocol.trials)]
    gaps = apart(losses(new), losses(old), floor)
    noise = np.zeros(len(trials))
    for seed in range(NUDGES):
        again = np.stack([nudged(program, trial, seed) for trial in trials])
        noise = np.maximum(noise, apart(losses(new), again, floor).max(axis=1))
    allowed = ALLOWED * float(np.median(noise)) + ROUNDING
    return Cell(name, float(np.median(gaps.max(axis=1))), float(np.median(noise)), _first(new, gaps, allowed))


def _first(record: Record, gaps: np.ndarray, allowed: float) -> str:
    """Where the median over trials of the gaps (trials, splits x points) first is more than what is allowed."""
    by_split = np.median(gaps, axis=0).reshape(len(SPLITS), -1)
    beyond = np.argwhere(allowed < by_split.T)
    if not len(beyond):
        return ""
    point, split = beyond[0]
    return f"step {record.arrays['step'][point]}, {SPLITS[split]} loss off by {by_split[split, point]:.1e}"
