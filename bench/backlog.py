"""Which units a worker does next, and how long all that is left will take.

A worker stays with a cell until its replicates are done, so that each cell is compiled once, and with a task until its
cells are done, so that what a task's optimizers share is made once; what will take longest goes first; an idle worker
takes cells off the task with most left, and at last replicates off a cell.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bench import costs
from bench.grid import Cell
from bench.jobs import Swept
from bench.protocol import Protocol
from bench.records import unit_name
from bench.task import Task


@dataclass(frozen=True)
class Unit:
    """One replicate of one cell that is wanted, and the record of it that exists, if it only lacks final seeds.

    `optimizer` is its name in records; the specs are what the user wrote, and what a worker is sent.
    """

    task: Task
    optimizer: str
    task_spec: str | Task
    optimizer_spec: str
    replicate: int
    fingerprint: str
    previous: bytes | None = None

    @property
    def name(self) -> str:
        """Name of the unit and of its file."""
        return unit_name(self.task.name, self.optimizer, self.replicate)

    @property
    def cell(self) -> Cell:
        """(task, optimizer)."""
        return self.task.name, self.optimizer


class Backlog:
    """Units that wait, by cell, and the seconds they are expected to take; `together` of a cell make a job."""

    def __init__(self, units: Iterable[Unit], protocol: Protocol, together: int) -> None:
        self._waiting: dict[Cell, list[Unit]] = defaultdict(list)
        for unit in units:
            self._waiting[unit.cell].append(unit)
        self._together = together
        self._apart: set[Cell] = set()  # cells whose units go one at a time
        self._fresh = set(self._waiting)  # cells that nobody has begun
        self._begun: set[str] = set()  # tasks that somebody has begun
        self._at: dict[int, Cell] = {}  # the cell that each worker is at
        self._predicted: dict[Cell, float] = {}  # seconds of a unit on the machine of the table of costs
        self._protocol = protocol
        self._ratios: dict[str, list[float]] = defaultdict(list)  # of what units took to that, by task
        self._setup_s: list[float] = []

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def next(self, worker: int) -> list[Unit]:
        """A worker's next units: of its own cell, else of a new cell of its task, else of the longest task that nobody
        has begun, else of a new cell of the task with most left, else of any cell of it."""
        cell = self._at.get(worker, ("", ""))
        if not self._waiting.get(cell):
            left = {c: len(units) * self._expected(units[0]) for c, units in self._waiting.items() if units}
            if not left:
                return []
            by_task: dict[str, float] = defaultdict(float)
            for (task, _), seconds in left.items():
                by_task[task] += seconds
            fresh = [c for c in left if c in self._fresh]
            own = [c for c in fresh if c[0] == cell[0]]
            untouched = [c for c in fresh if c[0] not in self._begun]
            cell = max(own or untouched or fresh or left, key=lambda c: (by_task[c[0]], left[c]))
        self._at[worker] = cell
        self._begun.add(cell[0])
        self._fresh.discard(cell)
        count = 1 if cell in self._apart else self._together
        units, self._waiting[cell] = self._waiting[cell][:count], self._waiting[cell][count:]
        return units

    def back(self, units: Sequence[Unit]) -> None:
        """Puts units back, to be drawn again before others of their cell."""
        self._waiting[units[0].cell] = [*units, *self._waiting[units[0].cell]]

    def split(self, units: Sequence[Unit]) -> None:
        """Puts units back that failed together, to be done one at a time."""
        self._apart.add(units[0].cell)
        self.back(units)

    def drop(self, cell: Cell) -> list[Unit]:
        """Takes the rest of a cell off the queue."""
        self._fresh.discard(cell)
        return self._waiting.pop(cell, [])

    def learn(self, units: Sequence[Unit], swept: Swept) -> None:
        """Corrects the guesses by what units took. Only a cell's first ones have anything to set up."""
        if swept.setup_s > 0.05:
            self._setup_s.append(swept.setup_s)
        if all(unit.previous is None for unit in units):
            self._ratios[units[0].task.name].append(swept.run_s / len(units) / self._predict(units[0]))

    def remaining(self, running: Sequence[Unit]) -> float | None:
        """Worker-seconds of all that waits and, taken as half done, runs; None before any unit has ended."""
        if not self._ratios:
            return None
        waiting = sum(len(units) * self._expected(units[0]) for units in self._waiting.values() if units)
        at_hand = sum(self._expected(unit) for unit in running) / 2
        return waiting + at_hand + len(self._fresh) * float(np.median(self._setup_s or [0.0]))

    def _predict(self, unit: Unit) -> float:
        if unit.cell not in self._predicted:
            seconds = costs.unit_seconds(unit.task, unit.optimizer_spec, self._protocol)
            self._predicted[unit.cell] = seconds
        return self._predicted[unit.cell]

    def _expected(self, unit: Unit) -> float:
        """As predicted, and corrected by what was seen of the task, else of any."""
        seen = self._ratios.get(unit.task.name) or [ratio for ratios in self._ratios.values() for ratio in ratios]
        return self._predict(unit) * (float(np.median(seen)) if seen else 1.0)
