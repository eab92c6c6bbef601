"""The units that wait, in the order of `bench.order`, and how long all that is left will take."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bench import costs
from bench.jobs import Swept
from bench.order import Cell, Order
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
        first = [waiting[0] for waiting in self._waiting.values()]
        self._predicted = {u.cell: costs.unit_seconds(u.task, u.optimizer_spec, protocol) for u in first}
        self._order = Order({cell: len(waiting) for cell, waiting in self._waiting.items()}, self._predicted)
        self._together = together
        self._apart: set[Cell] = set()  # cells whose units go one at a time
        self._at: dict[int, Cell] = {}  # the cell that each worker is at
        self._ratios: dict[str, list[float]] = defaultdict(list)  # of what units took to what was predicted, by task
        self._setup_s: list[float] = []

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def next(self, worker: int) -> list[Unit]:
        """A worker's next units, all of one cell; none when there are none."""
        cell = self._order.take(self._at.get(worker))
        if cell is None:
            return []
        self._at[worker] = cell
        count = 1 if cell in self._apart else self._together
        units, self._waiting[cell] = self._waiting[cell][:count], self._waiting[cell][count:]
        self._order.back(cell, 1 - len(units))  # one of them is taken already
        return units

    def back(self, units: Sequence[Unit]) -> None:
        """Puts units back, to be drawn again before others of their cell."""
        self._waiting[units[0].cell] = [*units, *self._waiting[units[0].cell]]
        self._order.back(units[0].cell, len(units))

    def split(self, units: Sequence[Unit]) -> None:
        """Puts units back that failed together, to be done one at a time."""
        self._apart.add(units[0].cell)
        self.back(units)

    def drop(self, cell: Cell) -> list[Unit]:
        """Takes the rest of a cell off."""
        self._order.drop(cell)
        return self._waiting.pop(cell, [])

    def learn(self, units: Sequence[Unit], swept: Swept) -> None:
        """Corrects what is expected by what units took. Only a cell's first ones have anything to set up."""
        if swept.setup_s > 0.05:
            self._setup_s.append(swept.setup_s)
        if all(unit.previous is None for unit in units):
            first = units[0]
            self._ratios[first.task.name].append(swept.run_s / len(units) / self._predicted[first.cell])

    def remaining(self, running: Sequence[Unit]) -> float | None:
        """Worker-seconds of all that waits and, taken as half done, runs; None before any unit has ended."""
        if not self._ratios:
            return None
        waiting = sum(len(units) * self._expected(cell) for cell, units in self._waiting.items() if units)
        at_hand = sum(self._expected(unit.cell) for unit in running) / 2
        return waiting + at_hand + self._order.fresh * float(np.median(self._setup_s or [0.0]))

    def _expected(self, cell: Cell) -> float:
        """As predicted, and corrected by what was seen of the task, else of any."""
        seen = self._ratios.get(cell[0]) or [ratio for ratios in self._ratios.values() for ratio in ratios]
        return self._predicted[cell] * (float(np.median(seen)) if seen else 1.0)
