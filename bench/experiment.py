"""A whole run, or what is missing of it: the sweep, then the times, and the manifest that says what was done."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench import machine, records, results, runner
from bench.code import code_digest
from bench.edges import Edge, edges
from bench.errors import Unavailable, UserError
from bench.files import explain, write_atomically
from bench.fingerprint import ROOT, fingerprint
from bench.grid import Cell, Grid, resolve
from bench.pool import Pool, pool
from bench.protocol import EXTENSIONS, Protocol
from bench.results import Results
from bench.runner import Plan, Progress
from bench.task import Task
from bench.worker import BASELINE, Failure, Job, TimingJob

TIMEOUT_S = 600.0  # for one unit


class Watcher:
    """Is told how a run goes; this one keeps it to itself."""

    def preparing(self, task: str) -> None:
        """A task's data is about to be fetched or made for the first time."""

    def damaged(self, files: Mapping[str, str]) -> None:
        """Files beside the units, each with what is wrong with it, are made anew."""

    def planned(self, grid: Grid, plan: Plan) -> None:
        """The work is known, if there is any, and about to begin."""

    def swept(self, progress: Progress) -> None:
        """Called several times a second during the sweep."""

    def timing(self, task: str) -> None:
        """A task's step times are about to be measured."""

    def close(self) -> None:
        """The work has ended, well or not."""

    def widening(self, found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> None:
        """The run in `before` has best settings at edges; `grid`, of wider spaces, is about to run in `folder`."""

    def widest(self, found: Sequence[Edge]) -> None:
        """Spaces are not extended any further; these best settings lie at edges, if any."""


def run(
    suite: str = "core",
    tasks: Sequence[str | Task] | None = None,
    optimizers: Sequence[str] | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    timeout: float = TIMEOUT_S,
    watcher: Watcher | None = None,
    widen: bool = False,
    timed: bool = True,
    **protocol: Any,
) -> Results:
    """Runs a grid, or what is missing of it.

    Args:
      suite, tasks, optimizers: what to run; see `bench.grid.resolve`. A task whose data is not on this machine and
        cannot be fetched is skipped, and the manifest says why.
      out: folder of the run; runs/SUITE if not given.
      workers: processes; as `bench.machine.slots` has it if not given.
      timeout: seconds that one unit may take.
      watcher: is told how it goes.
      widen: whether to run all of it again, in OUT-widened-1 and so on, with the spaces of all optimizers extended and
        more trials for all, as long as a best setting lies at the edge of its space; up to EXTENSIONS times.
      timed: whether to measure step times after the sweep.
      protocol: fields of `bench.protocol.Protocol` to change.

    Returns:
      The run's results, the widest one's; units that failed are in `manifest["failed"]`.

    Raises:
      UserError, OptimizerError: a name is wrong, there is no search to widen, or the folder holds another protocol, is
        in use or cannot be written.
    """
    grid = resolve(suite, tasks, optimizers, **protocol)
    folder = Path(out) if out is not None else Path("runs") / grid.suite.name
    if not 0 < timeout < float("inf"):
        raise UserError(f"--timeout must be a number of seconds above 0, not {timeout}")
    if widen and grid.protocol.trials < 2:
        raise UserError("--widen needs searches, and so --trials of at least 2: one trial is the paper's defaults")
    slots = machine.slots(workers)
    watcher = watcher or Watcher()
    done = _complete(folder, grid, slots, timeout, watcher, timed)
    return _widen(done, grid, slots, timeout, watcher, timed) if widen else done


def _widen(
    done: Results, grid: Grid, slots: list[int | None], timeout: float, watcher: Watcher, timed: bool
) -> Results:
    """Runs the grid again with wider and wider spaces, each time in a folder of its own, while best settings lie at
    edges; returns the last run's results."""
    first = done.folder if done.folder.name not in ("", "..") else done.folder.resolve()
    found = edges(done)
    for times in range(1, EXTENSIONS - grid.protocol.extensions + 1):
        if not found:
            break
        wider = replace(grid, protocol=grid.protocol.extended(times))
        folder = first.with_name(f"{first.name}-widened-{times}")
        watcher.widening(found, done.folder, wider, folder)
        done = _complete(folder, wider, slots, timeout, watcher, timed)
        found = edges(done)
    watcher.widest(found)
    return done


def _complete(
    folder: Path, grid: Grid, slots: list[int | None], timeout: float, watcher: Watcher, timed: bool
) -> Results:
    """Computes what the folder lacks of the grid."""
    with _claimed(folder):
        grid = _prepared(grid, watcher)
        before, damaged = results.before(folder, [task.name for task in grid.tasks])
        if damaged:
            watcher.damaged(damaged)
        _check_protocol(folder, before, grid)
        prints = grid.fingerprints()
        asked = _asked(grid, prints)
        plan = runner.plan(folder, grid, prints)
        watcher.planned(grid, plan)
        current = {key: before.get(key) for key in asked} == asked
        if not (current and not plan.missing and not (timed and _untimed(folder, grid, prints))):
            _work(folder, grid, prints, plan, {**before, **asked}, slots, timeout, watcher, timed)
    return results.load(folder)


def _work(
    folder: Path,
    grid: Grid,
    prints: Mapping[Cell, str],
    plan: Plan,
    manifest: dict[str, Any],
    slots: list[int | None],
    timeout: float,
    watcher: Watcher,
    timed: bool,
) -> None:
    manifest = {"failed": {}, "wall": {}, **manifest, "environment": machine.environment()}
    try:
        results.write_manifest(folder, manifest)
        begin = time.monotonic()
        with pool(slots[: max(1, len(plan.missing))]) as workers:
            progress = runner.sweep(folder, plan, grid.protocol, workers, timeout, watcher.swept)
            swept = time.monotonic()
            manifest["failed"] = {name: failure.reason for name, failure in sorted(progress.failed.items())}
            _write_details(folder, progress.failed)
            results.write_manifest(folder, manifest)
            if timed:
                _time(folder, grid, prints, workers, progress.homes, timeout, watcher)
        if plan.missing:
            manifest["wall"] = {
                "units": len(plan.missing),
                "workers": len(slots),
                "sweep_s": round(swept - begin, 1),
                "timing_s": round(time.monotonic() - swept, 1),
            }
        results.write_manifest(folder, manifest)
    finally:
        watcher.close()


def _prepared(grid: Grid, watcher: Watcher) -> Grid:
    """The grid with its data in the cache, tasks that cannot have theirs left out."""
    skipped: dict[str, str] = {}
    for task in grid.tasks:
        if not task.prepared:
            watcher.preparing(task.name)
            try:
                task.prepare()
            except Unavailable as error:
                skipped[task.name] = str(error)
    return grid.without(skipped) if skipped else grid


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Holds the folder for this process, so that two commands do not do the same work."""
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another command is at work on {folder}; wait for it or choose another folder with --out"
        ) from None
    except OSError as error:
        raise UserError(explain(error, folder / "run.json")) from error
    try:
        yield
    finally:
        lock.release()


def _check_protocol(folder: Path, before: Mapping[str, Any], grid: Grid) -> None:
    """Refuses a folder that holds results of another protocol: they do not belong on one board."""
    unsaid = {key: value for key, value in asdict(Protocol()).items() if key not in Protocol().identity}
    held = {key: before.get(key) for key in ("suite", "suite_version")} | unsaid | before.get("protocol", {})
    asked = {"suite": grid.suite.name, "suite_version": grid.suite.version, **unsaid, **grid.protocol.identity}
    if before and held != asked:
        differences = ", ".join(
            f"{key} {held.get(key)} there, {value} asked" for key, value in asked.items() if held.get(key) != value
        )
        raise UserError(f"{folder} holds results of another protocol ({differences}); choose another folder with --out")


def _asked(grid: Grid, prints: Mapping[Cell, str]) -> dict[str, Any]:
    """The part of a manifest that says what was asked for, and so what a report shows."""
    return {
        "suite": grid.suite.name,
        "suite_version": grid.suite.version,
        "protocol": grid.protocol.identity,
        "replicates": grid.protocol.replicates,
        "seeds": grid.protocol.seeds,
        "tasks": [task.name for task in grid.tasks],
        "optimizers": list(grid.optimizers),
        "skipped": dict(grid.skipped),
        "fingerprints": {f"{task}--{optimizer}": value for (task, optimizer), value in prints.items()},
    }


def _write_details(folder: Path, failed: Mapping[str, Failure]) -> None:
    """Tracebacks of this run's failures, one file a unit; those of earlier runs go."""
    for old in (folder / "failures").glob("*.txt"):
        with suppress(IsADirectoryError, PermissionError):
            old.unlink()
    for name, failure in failed.items():
        write_atomically(folder / "failures" / f"{name}.txt", f"{failure.reason}\n\n{failure.details}".encode())


def _timing_print(cell_print: str) -> str:
    """What a cell's step time depends on: the cell, how times are taken, and the machine."""
    code = code_digest(ROOT / "bench" / "timing.py")
    return hashlib.sha256(f"{cell_print} {code} {machine.cpu_model()}".encode()).hexdigest()


def _untimed(folder: Path, grid: Grid, prints: Mapping[Cell, str]) -> dict[str, dict[str, dict[str, float]]]:
    """{task: {optimizer: setting}} of cells that have a unit but no time taken on this machine by this code.

    The setting is the one chosen by training loss in the first replicate, which must be whole and current.
    """
    missing: dict[str, dict[str, dict[str, float]]] = {}
    for task in grid.tasks:
        stored = results.read_timings(folder, task.name)
        for name in grid.optimizers:
            cell_print = prints[task.name, name]
            if stored.get(name, {}).get("fingerprint") == _timing_print(cell_print):
                continue
            try:
                record = records.read(records.unit_file(folder, records.unit_name(task.name, name, 0)))
            except (FileNotFoundError, records.DamagedRecord):
                continue
            if record.meta["fingerprint"] == cell_print:
                missing.setdefault(task.name, {})[name] = record.chosen_hparams("train")
    return missing


def _time(
    folder: Path,
    grid: Grid,
    prints: Mapping[Cell, str],
    workers: Pool,
    homes: Mapping[str, int],
    timeout: float,
    watcher: Watcher,
) -> None:
    """Measures step times where they are missing, one task at a time on an otherwise idle machine.

    `homes` are the workers that have the tasks' programs already.
    """
    todo = _untimed(folder, grid, prints)
    for number in range(len(workers.workers)):
        own = iter([task for task in grid.tasks if task.name in todo and homes.get(task.name, 0) == number])

        def draw(worker: int, number: int = number, own: Iterator[Task] = own) -> tuple[Task, Job] | None:
            task = next(own, None) if worker == number else None  # the others stay idle, so as not to disturb
            if task is None:
                return None
            watcher.timing(task.name)
            settings = {grid.optimizers[name]: setting for name, setting in todo[task.name].items()}
            cells = {grid.optimizers[name]: prints[task.name, name] for name in todo[task.name]}
            fingerprints = {BASELINE: fingerprint(task, BASELINE, grid.protocol), **cells}
            return task, TimingJob(grid.specs[task.name], settings, grid.protocol, fingerprints)

        for ended in workers.run(draw, lambda _: timeout * len(grid.optimizers)):
            if ended is not None and not isinstance(ended.outcome, Failure):
                _keep_times(folder, ended.tag.name, ended.outcome, grid, prints)


def _keep_times(folder: Path, task: str, measured: Mapping[str, Any], grid: Grid, prints: Mapping[Cell, str]) -> None:
    """Adds a task's measurements, by spec, to those kept. What could not be measured is left for the next run."""
    stored = results.read_timings(folder, task)
    for name, spec in grid.optimizers.items():
        if spec in measured:
            cell = prints[task, name]
            stored[name] = {**measured[spec], "cell": cell, "fingerprint": _timing_print(cell)}
    write_atomically(results.timing_file(folder, task), json.dumps(stored, indent=1).encode())
