"""A whole run, or what is missing of it: the sweep, then the times, and the manifest that says what was done."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

from bench import diagnosing, failures, machine, preflight, records, results, runner, step_times
from bench.claims import PATIENCE_S
from bench.edges import edges
from bench.errors import Unavailable, UserError
from bench.files import clear_abandoned
from bench.grid import Cell, Grid, resolve
from bench.machine import Slot
from bench.pool import Team, pool
from bench.protocol import EXTENSIONS
from bench.results import Results
from bench.runner import Plan, Progress
from bench.task import Task
from bench.watching import Watcher as Watcher

TIMEOUT_S = 600.0  # for one unit


class Gather(Interface):
    """Brings workers together for a grid, as many as there is work for; they go on the way out."""

    def __call__(self, grid: Grid, most: int) -> AbstractContextManager[Team]:
        """At most `most` of them."""
        ...


@contextmanager
def kept(workers: int | None = None) -> Iterator[Gather]:
    """This machine's workers for several runs in turn: brought together by the first that has work, and kept."""
    with ExitStack() as stack:
        together: list[Team] = []

        def gather(grid: Grid, most: int) -> AbstractContextManager[Team]:
            del grid, most  # all that there may be: what one run has no work for, the next may
            if not together:
                together.append(stack.enter_context(pool(machine.slots(workers))))
            return nullcontext(together[0])

        yield gather


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
    gather: Gather | None = None,
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
      gather: brings the workers together, as `kept` does for several runs; those of this machine or of the cluster
        that is named, for this run alone, if not given.
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
    gather = gather or _gather(slots, scheduler, cluster, workers, memory, watcher)
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
    preflight.check_folder(folder)
    grid = _prepared(grid, watcher)
    before, damaged = results.before(folder, [task.name for task in grid.tasks])
    if damaged:
        watcher.damaged(damaged)
    preflight.check_protocol(folder, before, grid)
    prints = grid.fingerprints()
    asked = _asked(grid, prints)
    plan = runner.plan(folder, grid, prints)
    preflight.check_disk(folder, grid, len(plan.missing))
    preflight.check_own({unit.optimizer_spec for unit in plan.missing}, how.slots, how.timeout)
    preflight.foresee(plan, grid, how.slots, watcher.note)
    try:
        watcher.planned(grid, plan)
        current = {key: before.get(key) for key in asked} == asked
        untimed = how.timed and step_times.untimed(folder, grid, prints)
        undiagnosed = len(diagnosing.undiagnosed(folder, grid, prints)) if how.diagnosed else 0
        if not current or plan.missing or undiagnosed or untimed:
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


def _work(
    folder: Path, grid: Grid, prints: Mapping[Cell, str], plan: Plan, manifest: dict[str, Any], how: _Setting, most: int
) -> None:
    """Does all of it with at most so many workers: units, times, and diagnostics if they are asked for."""
    manifest = {"wall": {}, **manifest, "failed": {}, "environment": machine.environment()}
    names = [unit.name for unit in plan.wanted]

    def keep() -> None:
        manifest["failed"] = failures.reasons(folder, names)
        results.write_manifest(folder, manifest)

    patience = _Patience(folder, how.watcher.note)

    def show(progress: Progress) -> None:
        patience.look(progress)
        if progress.failed.keys() - manifest["failed"].keys():
            keep()
        how.watcher.swept(progress)

    for place in (folder, folder / records.FOLDER):
        clear_abandoned(place)
    keep()
    begin = time.monotonic()
    with how.gather(grid, most) as workers:
        progress = runner.sweep(folder, plan, grid.protocol, workers, how.timeout, show, how.watcher.stop)
        swept = time.monotonic()
        keep()
        how.watcher.swept_all(progress)
        if how.timed:
            tell, note, stop = how.watcher.timing, how.watcher.note, how.watcher.stop
            step_times.measure(folder, grid, prints, workers, progress.homes, how.timeout, stop, tell, note)
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


class _Patience:
    """Says once what a sweep waits for that has nothing of its own to do: another command may have been stopped."""

    def __init__(self, folder: Path, note: Callable[[str], None]) -> None:
        self._folder, self._note = folder, note
        self._since: float | None = None
        self._said = False

    def look(self, progress: Progress) -> None:
        if progress.running or not progress.elsewhere:
            self._since = None
        elif self._since is None:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > PATIENCE_S and not self._said:
            self._said = True
            units = f"{progress.elsewhere} unit{'s' * (progress.elsewhere != 1)}"
            self._note(f"waiting for {units} that another command on {self._folder} is at; Ctrl-C ends this one")


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
