"""How a run grows: `python -m tests.scaling` measures its time against its size, and memory over a thousand units.

Each point is the shortest of several runs in turns, on one worker and with programs compiled before; a line is fitted
to them. Memory is what the runner and its worker hold, as the units go by.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import bench
from bench import machine
from bench.experiment import Watcher
from bench.runner import Progress

TASK, OPTIMIZER = "breast_cancer", "adam"
BASE: Mapping[str, int] = {"replicates": 4, "trials": 8, "seeds": 4, "steps": 500}
AXES: Mapping[str, Sequence[int]] = {
    "replicates": (8, 16, 32, 48, 64),
    "trials": (16, 32, 64, 96, 128),
    "seeds": (8, 16, 32, 48, 64),
    "steps": (1000, 2000, 4000, 6000, 8000),
}
ROUNDS = 3
UNITS = 1000


def seconds(folder: Path, **changes: int) -> float:
    """Wall time of a sweep, the start of its worker included."""
    shutil.rmtree(folder, ignore_errors=True)
    options = {"tasks": [TASK], "optimizers": [OPTIMIZER], "out": folder, "workers": 1, "timed": False}
    return float(bench.run("smoke", **options, **{**BASE, **changes}).manifest["wall"]["sweep_s"])


def line(x: Sequence[int], y: Sequence[float]) -> tuple[float, float, float]:
    """Intercept, slope and R² of the least-squares line."""
    slope, intercept = np.polyfit(x, y, 1)
    left = np.var(np.asarray(y) - intercept - slope * np.asarray(x)) / np.var(y)
    return float(intercept), float(slope), float(1 - left)


class Memory(Watcher):
    """What the runner and its workers hold, by the units that are done."""

    def __init__(self) -> None:
        self.held: dict[int, tuple[int, int]] = {}

    def swept(self, progress: Progress) -> None:
        """Reads it from the system."""
        me, workers = os.getpid(), 0
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == me:
                workers += machine.taken(int(status.parent.name))
        self.held[progress.finished] = (machine.taken(me), workers)


def main() -> None:
    """Prints a line for each axis, and memory at 50 units and at the last."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        seconds(folder)
        for axis, sizes in AXES.items():
            rounds = [[seconds(folder, **{axis: size}) for size in sizes] for _ in range(ROUNDS)]
            best = [min(of) for of in zip(*rounds, strict=True)]
            intercept, slope, fit = line(sizes, best)
            told = ", ".join(f"{size}: {s:.1f} s" for size, s in zip(sizes, best, strict=True))
            print(f"{axis}: {intercept:.2f} s + {slope * 1000:.3g} ms each, R² {fit:.4f} ({told})", flush=True)
        memory = Memory()
        shutil.rmtree(folder)
        options = {"optimizers": [OPTIMIZER], "tasks": [TASK], "out": folder, "workers": 1, "timed": False}
        bench.run("smoke", **options, trials=2, seeds=1, steps=50, replicates=UNITS, watcher=memory)
        for who, place in (("runner", 0), ("worker", 1)):
            early, late = (memory.held[min(n for n in memory.held if n >= at)][place] for at in (50, UNITS))
            print(
                f"{who}: {machine.shown(early)} at 50 units, {machine.shown(late)} at {UNITS}: {late / early - 1:+.1%}"
            )


if __name__ == "__main__":
    main()
