"""The stage after a sweep that measures what a step takes: which cells lack it, who measures, and what is kept."""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine, records, results
from bench.claims import Claims
from bench.code import code_digest
from bench.files import write_atomically
from bench.fingerprint import ROOT, fingerprint
from bench.grid import Cell, Grid, is_own
from bench.jobs import BASELINE, TimingJob
from bench.pool import Team
from bench.task import Task
from bench.travel import Place, optimizer_from, task_from
from bench.worker import Failure

CLAIM = "times"  # on a folder's step times

_Settings = Mapping[str, Mapping[str, float]]  # hyperparameters by optimizer


@dataclass(frozen=True)
class _Part:
    """Optimizers of a task that are measured in one process."""

    task: Task
    chosen: _Settings

    @property
    def words(self) -> str:
        """Which they are."""
        return f"{', '.join(self.chosen)} on {self.task.name}"


def _print(cell_print: str) -> str:
    """What a cell's step time depends on: the cell, how times are taken, and the machine."""
    code = code_digest(ROOT / "bench" / "timing.py")
    return hashlib.sha256(f"{cell_print} {code} {machine.cpu_model()}".encode()).hexdigest()


def untimed(folder: Path, grid: Grid, prints: Mapping[Cell, str]) -> dict[str, dict[str, dict[str, float]]]:
    """{task: {optimizer: setting}} of cells that have a unit but no time taken on this machine by this code.

    The setting is the one chosen by training loss in the first replicate, which must be whole and current.
    """
    missing: dict[str, dict[str, dict[str, float]]] = {}
    for task in grid.tasks:
        stored = results.read_timings(folder, task.name)
        for name in grid.optimizers:
            cell_print = prints[task.name, name]
            if stored.get(name, {}).get("fingerprint") == _print(cell_print):
                continue
            try:
                record = records.read(records.unit_file(folder, records.unit_name(task.name, name, 0)))
            except (FileNotFoundError, records.DamagedRecord):
                continue
            if record.meta["fingerprint"] == cell_print:
                missing.setdefault(task.name, {})[name] = record.chosen_hparams("train")
    return missing


def measure(
    folder: Path,
    grid: Grid,
    prints: Mapping[Cell, str],
    team: Team,
    homes: Mapping[str, int],
    timeout: float,
    stop: Callable[[], bool],
    tell: Callable[[str], None],
    note: Callable[[str], None],
) -> None:
    """Measures step times where they are missing, one task at a time on an otherwise idle machine.

    Of several commands on a folder one measures, and the others wait for it.

    Args:
      homes: the workers that have the tasks' programs already.
      timeout: seconds for one optimizer of a task.
      stop: whether to begin nothing more.
      tell: told the name of a task before it is measured.
      note: told what could not be measured, and what is waited for.
    """
    with closing(Claims(folder)) as claims:
        words = f"waiting for another command on {folder}, which measures step times; Ctrl-C ends this one"
        if not claims.wait(CLAIM, stop, lambda: note(words)):
            return
        todo = untimed(folder, grid, prints)
        waiting = [part for task in grid.tasks if task.name in todo for part in _parts(task, todo[task.name], grid)]
        at_work: list[_Part] = []
        told: set[str] = set()

        def draw(worker: int) -> tuple[_Part, TimingJob] | None:
            if at_work or stop():
                return None  # the others stay idle, so as not to disturb
            for part in waiting:
                home = homes.get(part.task.name, worker)
                if home == worker or home not in team.numbers:
                    waiting.remove(part)
                    at_work.append(part)
                    if part.task.name not in told:
                        tell(part.task.name)
                    told.add(part.task.name)
                    return part, _job(part.task, grid, prints, part.chosen, team.place)
            return None

        def more() -> bool:
            return bool(waiting) and not stop()

        for ended in team.run(draw, lambda _: timeout * len(grid.optimizers), more):
            if ended is not None:
                at_work.clear()
                if isinstance(ended.outcome, Failure):
                    note(f"no step times of {ended.tag.words}: {ended.outcome.reason}")
                else:
                    _keep(folder, ended.tag.task.name, ended.outcome, grid, prints, team.place)


def _parts(task: Task, chosen: _Settings, grid: Grid) -> list[_Part]:
    """The project's optimizers together, and each of somebody's code by itself, which may do anything to a process."""
    apart = [name for name in chosen if is_own(grid.optimizers[name])]
    together = {name: setting for name, setting in chosen.items() if name not in apart}
    return [_Part(task, part) for part in (together, *({name: chosen[name]} for name in apart)) if part]


def _job(task: Task, grid: Grid, prints: Mapping[Cell, str], chosen: _Settings, place: Place) -> TimingJob:
    specs = {name: optimizer_from(grid.optimizers[name], place) for name in chosen}
    settings = {specs[name]: setting for name, setting in chosen.items()}
    fingerprints = {
        BASELINE: fingerprint(task, BASELINE, grid.protocol),
        **{spec: prints[task.name, name] for name, spec in specs.items()},
    }
    return TimingJob(task_from(grid.specs[task.name], place), settings, grid.protocol, fingerprints)


def _keep(
    folder: Path, task: str, measured: Mapping[str, Any], grid: Grid, prints: Mapping[Cell, str], place: Place
) -> None:
    """Adds a task's measurements, by spec, to those kept. What could not be measured is left for the next run."""
    stored = results.read_timings(folder, task)
    for name, spec in grid.optimizers.items():
        if (sent := optimizer_from(spec, place)) in measured:
            cell = prints[task, name]
            stored[name] = {**measured[sent], "cell": cell, "fingerprint": _print(cell)}
    write_atomically(results.timing_file(folder, task), json.dumps(stored, indent=1).encode())
