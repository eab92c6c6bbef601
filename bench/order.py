"""The order in which workers take the units of many cells. Pure: the runner goes by it, and a plan plays it through.

A worker stays with a cell until its units are taken, so that each cell is compiled once, and with a task until its
cells are begun, so that what a task's optimizers share is made once; what will take longest goes first; a worker with
nothing of its own takes a cell off the task with most left, and at last units off a cell that others are at.
"""

from collections import defaultdict, deque
from collections.abc import Mapping

Cell = tuple[str, str]  # (task, optimizer)


class Order:
    """Units that nobody has taken, by cell.

    Args:
      units: how many each cell has.
      seconds: what one of them is expected to take.
    """

    def __init__(self, units: Mapping[Cell, int], seconds: Mapping[Cell, float]) -> None:
        self.left = dict(units)
        self._seconds = seconds
        self._by_task: dict[str, float] = defaultdict(float)
        self._fresh: dict[str, deque[Cell]] = defaultdict(deque)  # cells that nobody has begun, the longest first
        self._begun: set[str] = set()  # tasks that somebody has begun
        for cell in sorted(units, key=self._waiting, reverse=True):
            self._by_task[cell[0]] += self._waiting(cell)
            if units[cell]:
                self._fresh[cell[0]].append(cell)

    @property
    def fresh(self) -> int:
        """How many cells nobody has begun."""
        return sum(map(len, self._fresh.values()))

    def take(self, at: Cell | None) -> Cell | None:
        """The cell of the next unit of a worker that was last at a cell, one unit fewer; None when there are none."""
        cell = at if at is not None and self.left.get(at) else self._other(at)
        if cell is not None:
            self._change(cell, -1)
            self._begun.add(cell[0])
        return cell

    def back(self, cell: Cell, units: int) -> None:
        """Puts units back that were taken."""
        self._change(cell, units)

    def drop(self, cell: Cell) -> None:
        """Takes all that is left of a cell off."""
        self._change(cell, -self.left[cell])
        if cell in self._fresh[cell[0]]:
            self._fresh[cell[0]].remove(cell)

    def _change(self, cell: Cell, units: int) -> None:
        self.left[cell] += units
        self._by_task[cell[0]] += units * self._seconds[cell]

    def _waiting(self, cell: Cell) -> float:
        return self.left[cell] * self._seconds[cell]

    def _other(self, at: Cell | None) -> Cell | None:
        if at is not None and self._fresh[at[0]]:
            return self._fresh[at[0]].popleft()
        fresh = [task for task, cells in self._fresh.items() if cells]
        untouched = [task for task in fresh if task not in self._begun]
        if fresh:
            return self._fresh[max(untouched or fresh, key=self._by_task.__getitem__)].popleft()
        rest = [cell for cell, units in self.left.items() if units]
        return max(rest, key=lambda cell: (self._by_task[cell[0]], self._waiting(cell))) if rest else None
