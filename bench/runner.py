"""Many units over the workers: what is missing of a grid, who does it, and what is written down.

The runner is the only writer. Every unit is claimed before it is begun, so that several commands on one folder share
the work; what another command has finished, or failed at, meanwhile is taken from the folder.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

from bench import failures, records
from bench.backlog import Backlog, Unit
from bench.claims import Claims
from bench.errors import NewerRecord, UserError
from bench.fingerprint import lanes
from bench.grid import Cell, Grid
from bench.jobs import SweepJob, Swept
from bench.machine import pinned
from bench.pool import Team
from bench.protocol import Protocol
from bench.records import DamagedRecord, Record, unit_file
from bench.travel import optimizer_from, task_from
from bench.worker import Failure

ATTEMPTS = 3  # at a unit whose worker is ended from outside


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
            found = _look(folder, unit, grid.protocol)
        except DamagedRecord as error:
            damaged[unit.name] = str(error)
            missing.append(unit)
            continue
        if found.record is None or not found.whole:
            missing.append(found.unit)
        if found.record is not None and found.record.meta["fingerprint"] != unit.fingerprint:
            stale.append(unit.name)
    return Plan(wanted, missing, stale, damaged)


@dataclass(frozen=True)
class _Found:
    """What a folder holds of a unit: its record, if any, whether that is all of it, and the unit that is left to do."""

    record: Record | None
    whole: bool
    unit: Unit


def _look(folder: Path, unit: Unit, protocol: Protocol) -> _Found:
    """Reads a unit's file.

    Raises:
      DamagedRecord: it is no whole record.
      UserError: it is of another protocol, a later version's, or no file.
    """
    path = unit_file(folder, unit.name)
    try:
        content = records.content_of(path)
        record = records.unit(content, unit.name)
    except FileNotFoundError:
        return _Found(None, False, replace(unit, previous=None))
    except NewerRecord as error:
        raise UserError(f"{path} was {error}") from error
    except DamagedRecord:
        if path.is_dir():
            raise UserError(f"{path} is a folder, not a file; move it away") from None
        raise
    if record.meta.get("protocol") != protocol.identity:
        raise UserError(f"{path} is of another protocol; choose another folder with --out")
    if record.meta["fingerprint"] != unit.fingerprint:
        return _Found(record, False, replace(unit, previous=None))
    whole = record.seeds >= protocol.seeds
    return _Found(record, whole, replace(unit, previous=None if whole else content))


@dataclass
class Progress:
    """Where a sweep stands, told to whoever shows it.

    Attributes:
      total: units of the grid.
      done: units finished now or before, by cell.
      running: units that a worker is at.
      elsewhere: units that other commands are at, and this one waits for.
      failed: by unit, those that will give no record.
      runs, seconds: training runs finished now, and the time since the start.
      remaining_s: the rest of the sweep by what was seen so far; None before the first unit ends.
      latest: the record of a unit that has just ended.
      homes: the worker that began each task, and so has most of its programs.
      worker_s, busy_s: seconds that workers were there, all of them together, and those that they computed.
    """

    total: int
    done: dict[Cell, int] = field(default_factory=lambda: defaultdict(int))
    running: list[Unit] = field(default_factory=list)
    elsewhere: int = 0
    failed: dict[str, Failure] = field(default_factory=dict)
    runs: int = 0
    seconds: float = 0.0
    remaining_s: float | None = None
    latest: Record | None = None
    homes: dict[str, int] = field(default_factory=dict)
    worker_s: float = 0.0
    busy_s: float = 0.0

    @property
    def workers(self) -> float:
        """Workers that were there, on average."""
        return self.worker_s / self.seconds if self.seconds else 0.0

    @property
    def busy(self) -> float:
        """Share of the workers' time that they computed."""
        return self.busy_s / self.worker_s if self.worker_s else 0.0

    @property
    def finished(self) -> int:
        """Units finished now or before."""
        return sum(self.done.values())


def sweep(
    folder: Path,
    work: Plan,
    protocol: Protocol,
    team: Team,
    timeout: float,
    show: Callable[[Progress], None],
    stop: Callable[[], bool] = lambda: False,
) -> Progress:
    """Computes the plan's missing units and writes each as it ends; `show` is told several times a second.

    A unit that fails takes the rest of its cell with it where they would fail alike; one whose worker is ended from
    outside is tried again. Once `stop` says so, nothing more is begun, and what is at hand is finished.

    Raises:
      UserError: a record could not be written.
    """
    with closing(Claims(folder)) as claims:
        return _Sweep(folder, work, protocol, claims, stop).run(team, timeout, show)


class _Sweep:
    """One command's share of a sweep, and what it knows of the others'."""

    def __init__(self, folder: Path, work: Plan, protocol: Protocol, claims: Claims, stop: Callable[[], bool]) -> None:
        self._folder, self._protocol, self._claims, self._stop = folder, protocol, claims, stop
        self._backlog = Backlog(work.missing, protocol, together=max(1, lanes() // protocol.trials))
        self._elsewhere: dict[str, Unit] = {}  # claimed by other commands
        self._losses: Counter[str] = Counter()
        self._failed_before = failures.stamps(folder)
        self._progress = Progress(len(work.wanted))
        missing = {unit.name for unit in work.missing}
        for unit in work.wanted:
            self._progress.done[unit.cell] += unit.name not in missing

    def run(self, team: Team, timeout: float, show: Callable[[Progress], None]) -> Progress:
        """Works until nothing is left, here or at another command."""
        begin, progress = time.monotonic(), self._progress
        self._place = team.place

        def allowed(units: list[Unit]) -> float:
            return timeout * len(units) * (1 if pinned() else len(team.numbers))  # others may be at the accelerator

        for ended in team.run(self._draw, allowed, self._waits):
            now = time.monotonic() - begin
            progress.worker_s += len(team.numbers) * (now - progress.seconds)
            progress.seconds = now
            progress.latest = None
            if ended is not None:
                for unit in ended.tag:
                    progress.running.remove(unit)
                if isinstance(ended.outcome, Failure):
                    progress.busy_s += ended.seconds
                    self._fail(ended.tag, ended.outcome)
                else:
                    progress.busy_s += ended.outcome.setup_s + ended.outcome.run_s
                    self._keep(ended.tag, ended.outcome)
            self._ask_elsewhere()
            progress.elsewhere = len(self._elsewhere)
            remaining = self._backlog.remaining(progress.running)
            progress.remaining_s = None if remaining is None else remaining / max(1, team.at_once)
            show(progress)
        return progress

    def _draw(self, worker: int) -> tuple[list[Unit], SweepJob] | None:
        while not self._stop():
            drawn = self._backlog.next(worker)
            if not drawn:
                return None
            units = [unit for unit in map(self._claimed, drawn) if unit is not None]
            if units:
                self._progress.running.extend(units)
                self._progress.homes.setdefault(units[0].task.name, worker)
                replicates = {unit.replicate: unit.previous for unit in units}
                first = units[0]
                specs = task_from(first.task_spec, self._place), optimizer_from(first.optimizer_spec, self._place)
                return units, SweepJob(*specs, self._protocol, replicates, first.fingerprint)
        return None

    def _waits(self) -> bool:
        return bool(self._elsewhere or self._backlog) and not self._stop()

    def _claimed(self, unit: Unit) -> Unit | None:
        """What is left to do of a unit, which is then claimed; None where that is nothing, or another's."""
        if not self._claims.take(unit.name):
            self._elsewhere[unit.name] = unit
            return None
        try:
            found = _look(self._folder, unit, self._protocol)
        except DamagedRecord:
            return unit
        if not found.whole:
            return found.unit
        self._progress.done[unit.cell] += 1
        self._claims.release(unit.name)
        return None

    def _is_done(self, unit: Unit) -> bool:
        """Whether another command, which may allow more, has finished a unit meanwhile."""
        with suppress(DamagedRecord):
            if _look(self._folder, unit, self._protocol).whole:
                self._progress.done[unit.cell] += 1
                return True
        return False

    def _ask_elsewhere(self) -> None:
        """Takes over what other commands have done, failed at or left."""
        for name, unit in list(self._elsewhere.items()):
            if not self._claims.take(name):
                continue
            del self._elsewhere[name]
            left = self._claimed(unit)
            if left is None:
                continue
            failed = failures.stamps(self._folder).get(name)
            if failed is not None and failed != self._failed_before.get(name):
                self._progress.failed[name] = Failure(failures.reasons(self._folder, [name])[name])
            else:
                self._backlog.back([left])
            self._claims.release(name)

    def _keep(self, units: Sequence[Unit], swept: Swept) -> None:
        for unit, record in zip(units, swept.records, strict=True):
            records.save(self._folder, record, unit.name)
            failures.clear(self._folder, unit.name)
            self._claims.release(unit.name)
            self._progress.latest = records.decode(record)
            self._progress.done[unit.cell] += 1
            self._progress.runs += _runs(self._progress.latest)
        self._backlog.learn(units, swept)

    def _fail(self, units: Sequence[Unit], failure: Failure) -> None:
        first = units[0]
        failed = list(units)
        if failure.unfit:
            self._backlog.back(units)
            failed = []
        elif len(units) > 1:
            self._backlog.split(units)  # one of them may be to blame, or their number
            failed = []
        elif failure.lost and self._losses[first.name] + 1 < ATTEMPTS:
            self._losses[first.name] += 1
            self._backlog.back(units)
            failed = []
        elif failure.repeats or failure.lost:
            failed += [unit for unit in self._backlog.drop(first.cell) if not self._is_done(unit)]
        for unit in failed:
            failures.save(self._folder, unit.name, failure)
            self._progress.failed[unit.name] = failure
        for unit in units:
            self._claims.release(unit.name)


def _runs(record: Record) -> int:
    """Training runs that made a record."""
    searched = record.arrays["search/diverged"].size * (1 + len(record.arrays.get("folds/loss", ())))
    return int(searched + record.arrays["final/diverged"].size)
