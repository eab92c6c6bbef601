"""How long workers take over many units: the runner's order of work, played through without doing any of it.

Each worker sets up the process, each of its tasks and each of its cells once.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.order import Order


@dataclass(frozen=True)
class Load:
    """A cell's work: `units` of `unit_s` seconds each, after `setup_s` in every worker that takes one."""

    task: str
    optimizer: str
    units: int
    unit_s: float
    setup_s: float


@dataclass(frozen=True)
class Played:
    """How it went.

    Attributes:
      wall_s: seconds from the start of the workers to the end of the last unit.
      busy_s: worker-seconds of all that was done, starting and setting up included.
      longest_s: the longest way through one unit: process, task, cell and unit, which no number of workers shortens.
      homes: {task: the worker that began it}.
      compiled: {worker: the (task, optimizer) cells that it set up}.
    """

    wall_s: float
    busy_s: float
    longest_s: float
    homes: Mapping[str, int]
    compiled: Mapping[int, set[tuple[str, str]]]


def play(
    loads: Sequence[Load], workers: int, start_s: float = 0.0, opening_s: Mapping[str, float] | None = None
) -> Played:
    """Plays the loads through on so many workers.

    Args:
      loads: one for each cell, cells without units left out.
      start_s: seconds until a worker's process can take its first unit.
      opening_s: {task: seconds until a process that has not had it can take a cell of it}; 0 where not given.
    """
    opening = opening_s or {}
    cells = {(load.task, load.optimizer): load for load in loads if load.units}
    waiting = Order(
        {cell: load.units for cell, load in cells.items()}, {cell: load.unit_s for cell, load in cells.items()}
    )
    units = sum(load.units for load in cells.values())
    free = [(start_s, worker) for worker in range(min(workers, units))]  # a heap: sorted
    at: dict[int, tuple[str, str]] = {}
    homes: dict[str, int] = {}
    compiled: dict[int, set[tuple[str, str]]] = defaultdict(set)
    opened: dict[int, set[str]] = defaultdict(set)
    wall, busy, longest = 0.0, start_s * len(free), 0.0
    while free:
        now, worker = heapq.heappop(free)
        cell = waiting.take(at.get(worker))
        if cell is None:
            continue
        load, first = cells[cell], opening.get(cell[0], 0.0)
        took = load.unit_s
        if cell[0] not in opened[worker]:
            took += first
        if cell not in compiled[worker]:
            took += load.setup_s
        at[worker] = cell
        homes.setdefault(cell[0], worker)
        opened[worker].add(cell[0])
        compiled[worker].add(cell)
        heapq.heappush(free, (now + took, worker))
        wall, busy = max(wall, now + took), busy + took
        longest = max(longest, start_s + first + load.setup_s + load.unit_s)
    return Played(wall, busy, longest, homes, compiled)
