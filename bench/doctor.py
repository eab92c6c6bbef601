"""What is wrong with a run's folder, and what the same command would compute again. Nothing is changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optimizers
from bench import records, results, runner
from bench.errors import UserError
from bench.grid import Grid, resolve
from bench.protocol import Protocol
from bench.records import FOLDER
from bench.runner import Plan
from optimizers import OptimizerError


@dataclass(frozen=True)
class Health:
    """What was found.

    Attributes:
      plan: what of the run is there and what is not, of the part whose code is known.
      unknown: {optimizer or task: why it cannot be told whether its units are current}.
      beyond: whole units that the last command did not ask for.
      strange: files among the units that are none.
      untimed: cells without a step time.
      failed: {unit: why}, of the last command.
    """

    plan: Plan
    unknown: Mapping[str, str]
    beyond: Sequence[str]
    strange: Sequence[str]
    untimed: Sequence[str]
    failed: Mapping[str, str]

    @property
    def sound(self) -> bool:
        """Whether nothing is missing, damaged, changed, strange or unknown."""
        return not (self.plan.missing or self.unknown or self.strange or self.failed)


def examine(folder: Path) -> Health:
    """Looks at every file of a run.

    Raises:
      UserError: there is no run in the folder, or its manifest is damaged.
    """
    manifest = results.read_manifest(folder)
    if manifest is None:
        raise UserError(f"there is no run in {folder}; `optgrid run --out {folder}` makes one")
    unknown: dict[str, str] = {}
    grid = _grid(manifest, unknown)
    plan = runner.plan(folder, grid, grid.fingerprints()) if grid else Plan([], [], [], {})
    whole, damaged = records.read_all(folder)
    asked = {unit.name for unit in plan.wanted}
    files = {path.name for path in (folder / FOLDER).iterdir()} if (folder / FOLDER).is_dir() else set()
    known = {f"{unit.name}.npz" for unit in whole} | set(damaged)
    misnamed = [f"{path} holds {unit.name}" for path, unit in _misnamed(folder)]
    timed = set(results.load(folder).timings)
    cells = [(task, name) for task in manifest["tasks"] for name in manifest["optimizers"]]
    return Health(
        plan,
        unknown,
        sorted(unit.name for unit in whole if unit.name not in asked and unit.meta["optimizer"] not in unknown),
        sorted([*(files - known), *misnamed, *(name for name in damaged if name.removesuffix(".npz") not in asked)]),
        [" on ".join(reversed(cell)) for cell in cells if cell not in timed],
        dict(manifest.get("failed", {})),
    )


def _grid(manifest: Mapping[str, Any], unknown: dict[str, str]) -> Grid | None:
    """The grid that the last command asked for, without what is not known by its name alone."""
    tasks, names = [], []
    for task in manifest["tasks"]:
        try:
            resolve(manifest["suite"], [task], None)
            tasks.append(task)
        except UserError as error:
            unknown[task] = str(error)
    for name in manifest["optimizers"]:
        try:
            optimizers.source_files(name)
            names.append(name)
        except (OptimizerError, UserError):
            unknown[name] = "where its file is was not kept; give it to `optgrid run` again to know"
    if not (tasks and names):
        return None
    usual = {name: getattr(Protocol(), name) for name in ("extensions", "checkpoint")}
    protocol = {**usual, **manifest["protocol"], "replicates": manifest["replicates"], "seeds": manifest["seeds"]}
    return resolve(manifest["suite"], tasks, names, **protocol)


def _misnamed(folder: Path) -> list[tuple[str, records.Record]]:
    """Whole units in files of another unit's name."""
    found = []
    for path in sorted((folder / FOLDER).glob("*.npz")):
        try:
            unit = records.read(path)
        except records.DamagedRecord:
            continue
        if unit.name != path.stem:
            found.append((path.name, unit))
    return found
