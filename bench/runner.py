"""Many units over the workers: who does what next, how long it will take, and what is written down.

A worker stays with a cell until its replicates are done, so that each cell is compiled once, and with a task until its
cells are done, so that what a task's optimizers share is made once; what will take longest goes first; an idle worker
takes cells off the task with most left, and at last replicates off a cell. The runner is the only writer.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from bench import records
from bench.errors import NewerRecord, UserError
from bench.fingerprint import lanes
from bench.grid import Cell, Grid
from bench.machine import pinned
from bench.pool import Pool
from bench.protocol import Protocol
from bench.records import DamagedRecord, Record, unit_file, unit_name
from bench.task import Task
from bench.worker import Failure, Job, SweepJob, Swept

FLOPS = 6e10  # a guess of what a core does a second, until units have been seen
STEP_S = 5e-6  # a guess of what a step costs beside them


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


@dataclass(frozen=True)
class Plan:
    """What a command asks for against what a folder already holds.

    Attributes:
      wanted: every unit of the grid, in order.
      missing: those to compute; the others are whole and of the right fingerprint.
      stale: names of missing units whose file was made by other code, data, settings or versions.
      damaged: {name: what is wrong} of missing units whose file cannot be read.
    """

    wanted: Sequence[Unit]
    missing: Sequence[Unit]
    stale: Sequence[str]
    damaged: Mapping[str, str]


def plan(folder: Path, grid: Grid, fingerprints: Mapping[Cell, str]) -> Plan:
    """Compares a grid with the files of a folder.

    Raises:
      UserError: a unit of the grid is there under another protocol, or of a newer version.
    """
    wanted: list[Unit] = []
    missing: list[Unit] = []
    stale: list[str] = []
    damaged: dict[str, str] = {}
    for task, (name, spec), replicate in product(grid.tasks, grid.optimizers.items(), range(grid.protocol.replicates)):
        unit = Unit(task, name, grid.specs[task.name], spec, replicate, fingerprints[task.name, name])
        wanted.append(unit)
        try:
            content = records.content_of(unit_file(folder, unit.name))
            record = records.unit(content, unit.name)
        except FileNotFoundError:
            missing.append(unit)
        except NewerRecord as error:
            raise UserError(f"{unit_file(folder, unit.name)} was {error}") from error
        except DamagedRecord as error:
            if unit_file(folder, unit.name).is_dir():
                raise UserError(f"{unit_file(folder, unit.name)} is a folder, not a file; move it away") from error
            damaged[unit.name] = str(error)
            missing.append(unit)
        else:
            if record.meta.get("protocol") != grid.protocol.identity:
                raise UserError(
                    f"{unit_file(folder, unit.name)} is of another protocol; choose another folder with --out"
                )
            if record.meta["fingerprint"] != unit.fingerprint:
                stale.append(unit.name)
                missing.append(unit)
            elif record.seeds < grid.protocol.seeds:
                missing.append(replace(unit, previous=content))
    return Plan(wanted, missing, stale, damaged)


@dataclass
class Progress:
    """Where a sweep stands, told to whoever shows it.

    Attributes:
      total: units of the grid.
      done: units finished now or before, by cell.
      running: units that a worker is at.
      failed: by unit, those that will give no record.
      runs, seconds: training runs finished now, and the time since the start.
      remaining_s: the rest of the sweep by what was seen so far; None before the first unit ends.
      latest: the record of a unit that has just ended.
      homes: the worker that began each task, and so has most of its programs.
    """

    total: int
    done: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    running: list[Unit] = field(default_factory=list)
    failed: dict[str, Failure] = field(default_factory=dict)
    runs: int = 0
    seconds: float = 0.0
    remaining_s: float | None = None
    latest: Record | None = None
    homes: dict[str, int] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        """Units finished now or before."""
        return sum(self.done.values())


def sweep(
    folder: Path,
    work: Plan,
    protocol: Protocol,
    workers: Pool,
    timeout: float,
    show: Callable[[Progress], None],
) -> Progress:
    """Computes the plan's missing units and writes each as it ends; `show` is told several times a second.

    A unit that fails takes the rest of its cell with it where they would fail alike.

    Raises:
      UserError: a record could not be written.
    """
    begin = time.monotonic()
    progress = Progress(len(work.wanted))
    missing = {unit.name for unit in work.missing}
    for unit in work.wanted:
        progress.done[unit.cell] += unit.name not in missing
    queue = _Queue(work.missing, protocol, together=max(1, lanes() // protocol.trials))

    def draw(worker: int) -> tuple[list[Unit], Job] | None:
        units = queue.next(worker)
        if not units:
            return None
        progress.running.extend(units)
        progress.homes.setdefault(units[0].task.name, worker)
        replicates = {unit.replicate: unit.previous for unit in units}
        first = units[0]
        return units, SweepJob(first.task_spec, first.optimizer_spec, protocol, replicates, first.fingerprint)

    def allowed(units: list[Unit]) -> float:
        return timeout * len(units) * (1 if pinned() else len(workers.workers))  # others may be at the accelerator

    for ended in workers.run(draw, allowed):
        progress.seconds = time.monotonic() - begin
        progress.latest = None
        if ended is not None:
            units = ended.tag
            for unit in units:
                progress.running.remove(unit)
            if isinstance(ended.outcome, Failure) and len(units) > 1:
                queue.split(units)  # one of them may be to blame, or their number
            elif isinstance(ended.outcome, Failure):
                rest = queue.drop(units[0].cell) if ended.outcome.repeats else []
                for unit in (*units, *rest):
                    progress.failed[unit.name] = ended.outcome
            else:
                for unit, record in zip(units, ended.outcome.records, strict=True):
                    records.save(folder, record, unit.name)
                    progress.latest = records.decode(record)
                    progress.done[unit.cell] += 1
                    progress.runs += _runs(progress.latest)
                queue.learn(units, ended.outcome)
        remaining = queue.remaining(progress.running)
        at_once = len(workers.workers) if pinned() else 1
        progress.remaining_s = None if remaining is None else remaining / at_once
        show(progress)
    return progress


def _runs(record: Record) -> int:
    """Training runs that made a record."""
    return int(record.arrays["search/diverged"].size + record.arrays["final/diverged"].size)


class _Queue:
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
        self._runs = protocol.trials + 1.5 * protocol.seeds  # the two selections often choose the same trial
        self._points = protocol.evaluations + 1
        self._run_s: dict[str, list[float]] = defaultdict(list)  # by task
        self._ratios: list[float] = []  # of what a unit took to what was guessed
        self._setup_s: list[float] = []

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

    def split(self, units: Sequence[Unit]) -> None:
        """Puts units back that failed together, to be done one at a time."""
        self._apart.add(units[0].cell)
        self._waiting[units[0].cell] = [*units, *self._waiting[units[0].cell]]

    def drop(self, cell: Cell) -> list[Unit]:
        """Takes the rest of a cell off the queue."""
        self._fresh.discard(cell)
        return self._waiting.pop(cell, [])

    def learn(self, units: Sequence[Unit], swept: Swept) -> None:
        """Corrects the guesses by what units took. Only a cell's first ones have anything to set up."""
        if swept.setup_s > 0.05:
            self._setup_s.append(swept.setup_s)
        if all(unit.previous is None for unit in units):
            each = swept.run_s / len(units)
            self._run_s[units[0].task.name].append(each)
            self._ratios.append(each / self._guess(units[0]))

    def remaining(self, running: Sequence[Unit]) -> float | None:
        """Worker-seconds of all that waits and, taken as half done, runs; None before any unit has ended."""
        if not self._ratios:
            return None
        waiting = sum(len(units) * self._expected(units[0]) for units in self._waiting.values() if units)
        at_hand = sum(self._expected(unit) for unit in running) / 2
        return waiting + at_hand + len(self._fresh) * float(np.median(self._setup_s or [0.0]))

    def _guess(self, unit: Unit) -> float:
        return self._runs * (unit.task.run_cost(self._points) / FLOPS + unit.task.steps * STEP_S)

    def _expected(self, unit: Unit) -> float:
        seen = self._run_s.get(unit.task.name)
        if seen:
            return float(np.mean(seen))
        return self._guess(unit) * (float(np.median(self._ratios)) if self._ratios else 1.0)
