"""What is wrong with a run's folder, and what the same command would compute again. Nothing is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optimizers
from bench import records, results, runner
from bench.errors import UserError
from bench.files import shown
from bench.grid import Grid, resolve
from bench.protocol import Protocol
from bench.records import FOLDER
from bench.runner import Plan
from optimizers import OptimizerError

NOTHING = Plan([], [], [], {})
OURS = ("optax",)  # packages whose optimizers are looked at for a name alone, as importing them runs nobody's code


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes:
      plan: what of the run is there and what is not, of the part whose code is known.
      unknown: {optimizer, task or cell: why it cannot be told whether its units are current}.
      beyond: whole units that the last command did not ask for.
      strange: files among the units that are none, those that say something with what is wrong.
      spoilt: {file: what is wrong with it} of those beside the units: the manifest and step times.
      untimed: cells without a step time.
      failed: {unit: why}, of the last command.
    """

    plan: Plan
    unknown: Mapping[str, str]
    beyond: Sequence[str]
    strange: Sequence[str]
    spoilt: Mapping[str, str]
    untimed: Sequence[str]
    failed: Mapping[str, str]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, damaged, changed, strange or unknown."""
        return not (self.plan.missing or self.unknown or self.strange or self.spoilt or self.failed)


def examine(folder: Path) -> Health:
    """Looks at every file of a run.

    Raises:
      UserError: there is no run in the folder, or one of a newer version.
    """
    try:
        manifest = results.read_manifest(folder)
    except results.DamagedManifest as error:
        return _without_manifest(folder, error.why)
    if manifest is None:
        raise UserError(f"there is no run in {folder}; `optgrid run --out {folder}` makes one")
    unknown: dict[str, str] = {}
    plan = _plan(folder, manifest, unknown)
    whole, damaged = records.read_all(folder)
    asked = {unit.name for unit in plan.wanted}
    run = results.load(folder)
    beside = {name: why for name, why in run.damaged.items() if name.startswith(results.TIMINGS)}
    odd = {name: why for name, why in run.damaged.items() if name not in beside and name not in damaged}
    unasked = {name: why for name, why in damaged.items() if name.removesuffix(".npz") not in asked}
    cells = [(task, name) for task in manifest["tasks"] for name in manifest["optimizers"]]
    return Health(
        plan,
        unknown,
        sorted(unit.name for unit in whole if unit.name not in asked and not {*unit.cell, _on(unit.cell)} & {*unknown}),
        sorted([*_others(folder), *(f"{name}: {why}" for name, why in (odd | unasked).items())]),
        beside,
        [_on(cell) for cell in cells if cell not in run.timings],
        dict(manifest["failed"]),
    )


def _without_manifest(folder: Path, why: str) -> Health:
    """What can be said where it is not known what was asked for: which files are whole, and which are not."""
    whole, damaged = records.read_all(folder)
    strange = [*_others(folder), *(f"{name}: {wrong}" for name, wrong in damaged.items())]
    return Health(NOTHING, {}, [unit.name for unit in whole], sorted(strange), {results.MANIFEST: why}, [], {})


def _others(folder: Path) -> list[str]:
    """What lies among the units without the ending of one."""
    units = folder / FOLDER
    try:
        return [shown(path.name) for path in units.iterdir() if path.suffix != ".npz" or path.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{FOLDER}: {error.strerror}"]


def _on(cell: tuple[str, str]) -> str:
    task, optimizer = cell
    return f"{optimizer} on {task}"


def _plan(folder: Path, manifest: Mapping[str, Any], unknown: dict[str, str]) -> Plan:
    """What is there of the last command's grid, cell by cell, so that one that cannot be told hides no other."""
    grid = _grid(manifest, unknown)
    if grid is None:
        return NOTHING
    prints = grid.fingerprints()
    plans = []
    for task in grid.tasks:
        for name, spec in grid.optimizers.items():
            try:
                plans.append(runner.plan(folder, replace(grid, tasks=[task], optimizers={name: spec}), prints))
            except UserError as error:
                unknown[_on((task.name, name))] = str(error)
    return Plan(
        [unit for plan in plans for unit in plan.wanted],
        [unit for plan in plans for unit in plan.missing],
        [name for plan in plans for name in plan.stale],
        {name: why for plan in plans for name, why in plan.damaged.items()},
    )


def _grid(manifest: Mapping[str, Any], unknown: dict[str, str]) -> Grid | None:
    """The grid that the last command asked for, without what is not known by its name alone."""
    tasks, names = [], []
    for task in manifest["tasks"]:
        if _elsewhere(task):
            unknown[task] = "where its file is was not kept; give it to `optgrid run` again to know"
        elif why := _refused(manifest, [task], None):
            unknown[task] = why
        else:
            tasks.append(task)
    for name in manifest["optimizers"]:
        if _elsewhere(name) or _refused(manifest, tasks[:1] or None, [name]):
            unknown[name] = "where its file is was not kept; give it to `optgrid run` again to know"
        else:
            names.append(name)
    if not (tasks and names):
        return None
    usual = {name: getattr(Protocol(), name) for name in ("extensions", "checkpoint", "select")}
    protocol = {**usual, **manifest["protocol"], "replicates": manifest["replicates"], "seeds": manifest["seeds"]}
    return resolve(manifest["suite"], tasks, names, **protocol)


def _elsewhere(name: str) -> bool:
    """Whether a name is of a file or a package that would be run to look at it; a manifest may be anybody's."""
    try:
        _, core = optimizers.layers(name)
        spec = optimizers.parse(core)
    except OptimizerError:
        return False  # to be refused for what is wrong with it
    return spec.is_path or (spec.attr is not None and spec.target.split(".")[0] not in OURS)


def _refused(manifest: Mapping[str, Any], tasks: Sequence[str] | None, names: Sequence[str] | None) -> str:
    """Why these names stand for nothing now; empty if they do."""
    try:
        resolve(manifest["suite"], tasks, names)
    except (OptimizerError, UserError) as error:
        return str(error)
    return ""
