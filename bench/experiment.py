"""A whole run, or what is missing of it: the sweep, then the times, and the manifest that says what was done."""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from bench import diagnosing, failures, machine, records, results, runner
from bench.claims import Claims
from bench.code import code_digest
from bench.edges import edges
from bench.errors import Unavailable, UserError
from bench.files import write_atomically
from bench.fingerprint import ROOT, fingerprint
from bench.grid import Cell, Grid, is_own, resolve
from bench.jobs import BASELINE, OpenJob, TimingJob
from bench.machine import Slot
from bench.pool import Team, pool
from bench.protocol import EXTENSIONS, Protocol
from bench.results import Results
from bench.runner import Plan, Progress
from bench.task import Task
from bench.travel import Place, optimizer_from, task_from
from bench.watching import Watcher as Watcher
from bench.worker import Failure

TIMEOUT_S = 600.0  # for one unit
WAIT_S = 0.2  # seconds between looks at whether another command has ended
IMPORT_S = 120.0  # for an optimizer's file, JAX included
TIMES = "times"  # the claim on a folder's step times


class Gather(Interface):
    """Brings workers together for a grid, as many as there is work for; they go on the way out."""

    def __call__(self, grid: Grid, most: int) -> AbstractContextManager[Team]:
        """At most `most` of them."""
        ...


@dataclass(frozen=True)
class _Setting:
    """How a run is done, whatever is run."""

    slots: Sequence[Slot]
    gather: Gather
    timeout: float
    watcher: Watcher
    timed: bool
    diagnosed: bool = False


def run(
    suite: str = "core",
    tasks: Sequence[str | Task] | None = None,
    optimizers: Sequence[str] | None = None,
    out: str | Path | None = None,
    workers: int | None = None,
    memory: int | None = None,
    scheduler: str | None = None,
    cluster: Path | None = None,
    timeout: float = TIMEOUT_S,
    watcher: Watcher | None = None,
    widen: bool = False,
    timed: bool = True,
    diagnostics: bool = False,
    **protocol: Any,
) -> Results:
    """Runs a grid, or what is missing of it.

    Args:
      suite, tasks, optimizers: what to run; see `bench.grid.resolve`. A task whose data is not on this machine and
        cannot be fetched is skipped, and the manifest says why.
      out: folder of the run; runs/SUITE if not given.
      workers: processes; as `bench.machine.slots` has it if not given.
      memory: bytes that each may hold; an equal share of the machine's if not given.
      scheduler, cluster: address of a Dask scheduler whose workers are used instead, at most `workers` at once; or a
        file that describes a cluster to start, see `bench.cluster.described`.
      timeout: seconds that one unit may take.
      watcher: is told how it goes.
      widen: whether to run all of it again, in OUT-widened-1 and so on, with the spaces of all optimizers extended and
        more trials for all, as long as a best setting lies at the edge of its space; up to EXTENSIONS times.
      timed: whether to measure step times after the sweep.
      diagnostics: whether to record, after all that, why runs went as they did; see `bench.diagnosing`.
      protocol: fields of `bench.protocol.Protocol` to change.

    Returns:
      The run's results, the widest one's; units that failed are in `manifest["failed"]`.

    Raises:
      UserError, OptimizerError: a name is wrong, there is no search to widen, or the folder holds another protocol or
        cannot be written.
      KeyboardInterrupt: the watcher had it stop.
    """
    grid = resolve(suite, tasks, optimizers, **protocol)
    folder = Path(out) if out is not None else Path("runs") / grid.suite.name
    if not 0 < timeout < float("inf"):
        raise UserError(f"--timeout must be a number of seconds above 0, not {timeout}")
    if widen and grid.protocol.trials < 2:
        raise UserError("--widen needs searches, and so --trials of at least 2: one trial is the paper's defaults")
    slots, watcher = machine.slots(workers, memory), watcher or Watcher()
    gather = _gather(slots, scheduler, cluster, workers, memory, watcher)
    how = _Setting(slots, gather, timeout, watcher, timed, diagnostics)
    done = _complete(folder, grid, how)
    return _widen(done, grid, how) if widen else done


def _widen(done: Results, grid: Grid, how: _Setting) -> Results:
    """Runs the grid again with wider and wider spaces, each time in a folder of its own, while best settings lie at
    edges; returns the last run's results."""
    first = done.folder if done.folder.name not in ("", "..") else done.folder.resolve()
    found = edges(done)
    for times in range(1, EXTENSIONS - grid.protocol.extensions + 1):
        if not found:
            break
        wider = replace(grid, protocol=grid.protocol.extended(times))
        folder = first.with_name(f"{first.name}-widened-{times}")
        how.watcher.widening(found, done.folder, wider, folder)
        done = _complete(folder, wider, how)
        found = edges(done)
    how.watcher.widest(found)
    return done


def _complete(folder: Path, grid: Grid, how: _Setting) -> Results:
    """Computes what the folder lacks of the grid."""
    watcher = how.watcher
    if (file := next((path for path in (folder, *folder.parents) if path.exists()), folder)).is_file():
        raise UserError(f"{folder} could not be written: {file} is a file, not a folder; choose another with --out")
    grid = _prepared(grid, watcher)
    before, damaged = results.before(folder, [task.name for task in grid.tasks])
    if damaged:
        watcher.damaged(damaged)
    _check_protocol(folder, before, grid)
    prints = grid.fingerprints()
    asked = _asked(grid, prints)
    plan = runner.plan(folder, grid, prints)
    _check_own({unit.optimizer_spec for unit in plan.missing}, how)
    try:
        watcher.planned(grid, plan)
        current = {key: before.get(key) for key in asked} == asked
        undiagnosed = len(diagnosing.undiagnosed(folder, grid, prints)) if how.diagnosed else 0
        if not current or plan.missing or undiagnosed or (how.timed and _untimed(folder, grid, prints)):
            most = max(1, undiagnosed, len(plan.missing))
            _work(folder, grid, prints, plan, {**before, **asked}, how, most)
    finally:
        watcher.close()
    return results.load(folder)


def _gather(
    slots: Sequence[Slot],
    scheduler: str | None,
    cluster: Path | None,
    workers: int | None,
    memory: int | None,
    watcher: Watcher,
) -> Gather:
    """Of this machine, unless a cluster is named."""
    if scheduler is None and cluster is None:
        return lambda grid, most: pool(slots[:most])
    if scheduler is not None and cluster is not None:
        raise UserError("--scheduler and --cluster are two ways to name one cluster; give one of them")
    from bench.cluster import described, gather

    where = described(cluster) if cluster is not None else str(scheduler)
    return partial(gather, where, workers=workers, memory=memory, tell=watcher.note)


def _check_own(specs: Iterable[str], how: _Setting) -> None:
    """Refuses optimizers of somebody's code that do not import, before anything is begun.

    Raises:
      UserError: one does not; what it does when imported is done to a worker.
    """
    own = sorted(spec for spec in specs if is_own(spec))
    waiting = iter(own)

    def draw(worker: int) -> tuple[str, OpenJob] | None:
        del worker
        spec = next(waiting, None)
        return None if spec is None else (spec, OpenJob(spec))

    with pool(how.slots[: len(own)]) as workers:
        for ended in workers.run(draw, lambda _: min(how.timeout, IMPORT_S)):
            if ended is not None and isinstance(ended.outcome, Failure):
                reason = ended.outcome.reason.replace(optimizer_from(ended.tag, Path.absolute), ended.tag)
                about = "" if ended.tag in reason else f"optimizer {ended.tag!r}: when imported, "
                raise UserError(f"{about}{reason}")


def _work(
    folder: Path, grid: Grid, prints: Mapping[Cell, str], plan: Plan, manifest: dict[str, Any], how: _Setting, most: int
) -> None:
    """Does all of it with at most so many workers: units, times, and diagnostics if they are asked for."""
    manifest = {"wall": {}, **manifest, "failed": {}, "environment": machine.environment()}
    names = [unit.name for unit in plan.wanted]

    def keep() -> None:
        manifest["failed"] = failures.reasons(folder, names)
        results.write_manifest(folder, manifest)

    def show(progress: Progress) -> None:
        if progress.failed.keys() - manifest["failed"].keys():
            keep()
        how.watcher.swept(progress)

    keep()
    begin = time.monotonic()
    with how.gather(grid, most) as workers:
        progress = runner.sweep(folder, plan, grid.protocol, workers, how.timeout, show, how.watcher.stop)
        swept = time.monotonic()
        keep()
        how.watcher.swept_all(progress)
        if how.timed:
            _time(folder, grid, prints, workers, progress.homes, how)
        timed = time.monotonic()
        if how.diagnosed:
            diagnosing.diagnose(folder, grid, prints, workers, progress.homes, how.timeout, how.watcher)
    if how.watcher.stop():
        raise KeyboardInterrupt
    if plan.missing:
        manifest["wall"] = {
            "units": len(plan.missing),
            "workers": round(progress.workers),
            "busy": round(progress.busy, 3),
            "sweep_s": round(swept - begin, 1),
            "timing_s": round(timed - swept, 1),
        }
    keep()


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
    folder: Path, grid: Grid, prints: Mapping[Cell, str], workers: Team, homes: Mapping[str, int], how: _Setting
) -> None:
    """Measures step times where they are missing, one task at a time on an otherwise idle machine.

    `homes` are the workers that have the tasks' programs already. Of several commands on a folder one measures, and
    the others wait for it.
    """
    with closing(Claims(folder)) as claims:
        while not claims.take(TIMES):
            if how.watcher.stop():
                return
            time.sleep(WAIT_S)
        todo = _untimed(folder, grid, prints)
        waiting = [task for task in grid.tasks if task.name in todo]
        at_work: list[Task] = []

        def draw(worker: int) -> tuple[Task, TimingJob] | None:
            if at_work or how.watcher.stop():
                return None  # the others stay idle, so as not to disturb
            for task in waiting:
                home = homes.get(task.name, worker)
                if home == worker or home not in workers.numbers:
                    waiting.remove(task)
                    at_work.append(task)
                    how.watcher.timing(task.name)
                    return task, _timing_job(task, grid, prints, todo[task.name], workers.place)
            return None

        more = lambda: bool(waiting) and not how.watcher.stop()  # noqa: E731
        for ended in workers.run(draw, lambda _: how.timeout * len(grid.optimizers), more):
            if ended is not None:
                at_work.clear()
                if not isinstance(ended.outcome, Failure):
                    _keep_times(folder, ended.tag.name, ended.outcome, grid, prints, workers.place)


def _timing_job(
    task: Task, grid: Grid, prints: Mapping[Cell, str], chosen: Mapping[str, Mapping[str, float]], place: Place
) -> TimingJob:
    specs = {name: optimizer_from(grid.optimizers[name], place) for name in chosen}
    settings = {specs[name]: setting for name, setting in chosen.items()}
    fingerprints = {
        BASELINE: fingerprint(task, BASELINE, grid.protocol),
        **{spec: prints[task.name, name] for name, spec in specs.items()},
    }
    return TimingJob(task_from(grid.specs[task.name], place), settings, grid.protocol, fingerprints)


def _keep_times(
    folder: Path, task: str, measured: Mapping[str, Any], grid: Grid, prints: Mapping[Cell, str], place: Place
) -> None:
    """Adds a task's measurements, by spec, to those kept. What could not be measured is left for the next run."""
    stored = results.read_timings(folder, task)
    for name, spec in grid.optimizers.items():
        if (sent := optimizer_from(spec, place)) in measured:
            cell = prints[task, name]
            stored[name] = {**measured[sent], "cell": cell, "fingerprint": _timing_print(cell)}
    write_atomically(results.timing_file(folder, task), json.dumps(stored, indent=1).encode())
