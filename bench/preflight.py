"""What is looked at before a run begins, so that it does not fail half way: protocol, disk, memory, own code."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import costs, machine
from bench.errors import UserError
from bench.grid import Grid, is_own
from bench.jobs import ImportJob, OpenJob
from bench.machine import Slot
from bench.pool import pool
from bench.protocol import Protocol
from bench.runner import Plan
from bench.travel import optimizer_from
from bench.worker import Failure, Job

IMPORT_S = 120.0  # for an optimizer's file, and for JAX before it


def check_folder(folder: Path) -> None:
    """Refuses a folder that cannot be one.

    Raises:
      UserError: it, or one that it is in, is a file, or may not be looked into.
    """
    try:
        file = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        list(file.iterdir() if file.is_dir() else [])
    except OSError as error:
        raise UserError(
            f"{folder} cannot be looked into: {error.strerror}; choose another folder with --out"
        ) from error
    if file.is_file():
        raise UserError(f"{folder} could not be written: {file} is a file, not a folder; choose another with --out")


def check_protocol(folder: Path, before: Mapping[str, Any], grid: Grid) -> None:
    """Refuses a folder that holds results of another protocol: they do not belong on one board."""
    unsaid = {key: value for key, value in asdict(Protocol()).items() if key not in Protocol().identity}
    held = {key: before.get(key) for key in ("suite", "suite_version")} | unsaid | before.get("protocol", {})
    asked = {"suite": grid.suite.name, "suite_version": grid.suite.version, **unsaid, **grid.protocol.identity}
    if before and held != asked:
        differences = ", ".join(
            f"{key} {held.get(key)} there, {value} asked" for key, value in asked.items() if held.get(key) != value
        )
        raise UserError(f"{folder} holds results of another protocol ({differences}); choose another folder with --out")


def check_disk(folder: Path, grid: Grid, units: int) -> None:
    """Refuses a run whose records will not fit, rather than let it end half way.

    Raises:
      UserError: there is too little space.
    """
    there = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    needed = units * costs.record_bytes(grid.protocol, grid.protocol.evaluations + 1)
    free = shutil.disk_usage(there).free
    if needed > free:
        raise UserError(
            f"{folder} needs about {machine.shown(needed)} for {units} units, and its disk has {machine.shown(free)}; "
            "free some, or choose another folder with --out"
        )


def foresee(plan: Plan, grid: Grid, slots: Sequence[Slot], tell: Callable[[str], None]) -> None:
    """Says which cells are not expected to fit into a worker's memory; they are tried all the same."""
    bounds = [slot.memory for slot in slots if slot.memory is not None]
    cells = {unit.cell: (unit.task, unit.optimizer_spec) for unit in plan.missing}
    for (task, optimizer), cell in cells.items():
        needed = costs.worker_mib([cell], grid.protocol) * costs.MIB
        if bounds and needed > min(bounds):
            tell(
                f"{optimizer} on {task} is expected to take {machine.shown(needed)} of memory, of which a worker has "
                f"{machine.shown(min(bounds))}; --memory allows more, and fewer --workers leave more for each"
            )


def check_own(specs: Iterable[str], slots: Sequence[Slot], timeout: float) -> None:
    """Refuses optimizers of somebody's code that do not import, before anything is begun.

    Raises:
      UserError: one does not; what it does when imported is done to a worker.
    """
    own = sorted(spec for spec in specs if is_own(spec))
    waiting = iter(own)
    ready: set[int] = set()

    def draw(worker: int) -> tuple[str, Job] | None:
        if own and worker not in ready:
            ready.add(worker)
            return "", ImportJob()
        spec = next(waiting, None)
        return None if spec is None else (spec, OpenJob(spec))

    with pool(slots[: len(own)]) as workers:
        for ended in workers.run(draw, lambda spec: min(timeout, IMPORT_S) if spec else IMPORT_S):
            if ended is not None and ended.tag and isinstance(ended.outcome, Failure):
                reason = ended.outcome.reason.replace(optimizer_from(ended.tag, Path.absolute), ended.tag)
                about = "" if ended.tag in reason else f"optimizer {ended.tag!r}: when imported, "
                raise UserError(f"{about}{reason}")
