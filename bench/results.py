"""A run's folder as one object: what reports, exports and notebooks read.

RUN/run.json            the manifest: suite, protocol, environment, what failed or was skipped
RUN/units/*.npz         records, one a unit
RUN/timings/TASK.json   step times, measured after the sweep
RUN/report/             made from the above alone; RUN/report-30/ from it read at 30 % of the budget
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench import records
from bench.data import DATASETS
from bench.errors import UserError
from bench.files import write_atomically
from bench.records import NEAR, Record

MANIFEST = "run.json"
TIMINGS = "timings"
SCHEMA = 1
FIELDS: dict[str, type] = {
    "suite": str,
    "protocol": dict,
    "replicates": int,
    "seeds": int,
    "tasks": list,
    "optimizers": list,
    "fingerprints": dict,
    "failed": dict,
}
ROUNDS = ("step_s", "step_cpu_s", "sgd_step_s", "sgd_step_cpu_s")
CHECKS = ("doubling", "distance", "steps", "device")


@dataclass(frozen=True)
class Timing:
    """Step times of one cell, each measured in the same rounds as SGD's on the same task; seconds, arrays (rounds,).

    Attributes:
      step_s, step_cpu_s: wall and process time of one training step, evaluation off.
      sgd_step_s, sgd_step_cpu_s: the same for SGD, interleaved.
      doubling: time of a run over that of one half as long, which must be about 2.
      distance: how far the parameters moved, which must not be 0.
      steps: steps of the longer run.
      device: JAX's kind of the device, "cpu" or a GPU's name.
    """

    step_s: np.ndarray
    step_cpu_s: np.ndarray
    sgd_step_s: np.ndarray
    sgd_step_cpu_s: np.ndarray
    doubling: float
    distance: float
    steps: int
    device: str

    @property
    def seconds_per_step(self) -> float:
        """Median wall time of a step."""
        return float(np.median(self.step_s))

    @property
    def ratio(self) -> float:
        """Median over rounds of the time as a multiple of SGD's: on a CPU of process time, which on a busy machine is
        several times steadier than wall time."""
        if self.device == "cpu":
            return float(np.median(self.step_cpu_s / self.sgd_step_cpu_s))
        return float(np.median(self.step_s / self.sgd_step_s))


@dataclass(frozen=True)
class Results:
    """All that a run has left.

    Attributes:
      manifest: what was run, on what, and what failed or was skipped.
      units: whole records, sorted by name.
      damaged: {file: what is wrong with it}, for files that are not whole records.
      timings: {(task, optimizer): Timing}, for the cells that have been timed.
      share: how much of every budget the records are read to; 1 but for what `at` returns.
    """

    folder: Path
    manifest: Mapping[str, Any]
    units: Sequence[Record]
    damaged: Mapping[str, str]
    timings: Mapping[tuple[str, str], Timing]
    share: float = 1.0

    @cached_property
    def tasks(self) -> list[str]:
        """Tasks that have records, in the manifest's order."""
        present = {record.meta["task"] for record in self.units}
        return [name for name in self.manifest["tasks"] if name in present]

    @cached_property
    def optimizers(self) -> list[str]:
        """Optimizers that have records, in the manifest's order."""
        present = {record.meta["optimizer"] for record in self.units}
        return [name for name in self.manifest["optimizers"] if name in present]

    def cell(self, task: str, optimizer: str) -> list[Record]:
        """The records of one cell, by replicate; empty where there are none."""
        return list(self._cells.get((task, optimizer), ()))

    def of(self, optimizer: str) -> list[Record]:
        """The records of an optimizer."""
        return list(self._by_optimizer.get(optimizer, ()))

    @cached_property
    def _cells(self) -> dict[tuple[str, str], list[Record]]:
        found: dict[tuple[str, str], list[Record]] = {}
        for record in self.units:
            found.setdefault(record.cell, []).append(record)
        return found

    @cached_property
    def _by_optimizer(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.units:
            found.setdefault(record.meta["optimizer"], []).append(record)
        return found

    @cached_property
    def shares(self) -> list[float]:
        """Shares of the budget at which every record was read, ascending; the last is `share`."""
        read = {(record.arrays["step"].tobytes(), record.whole_budget): record for record in self.units}
        each = [record.shares for record in read.values()]
        common = [share for share in (each[0] if each else ()) if all(np.abs(s - share).min() <= NEAR for s in each)]
        return [round(float(share), 9) for share in common] or [self.share]

    def at(self, share: float) -> "Results":
        """The same run read at a shorter budget: at the last of `shares` within a share of the whole one.

        Every curve is cut there, and settings stay those that were selected at the whole budget; see
        `bench.records.Record.at`. All that is made of results is then made of these.

        Raises:
          UserError: the share is not above 0 and at most 1; no point but the start is within it; or the learning rate
            has a shape over the whole budget, so that a run cut short is none of a shorter budget.
        """
        if not 0 < share <= 1:
            raise UserError(f"a share of the budget is above 0 and at most 1, not {share:g}")
        within = [read for read in self.shares if read <= share + NEAR]
        if not within:
            raise UserError(
                f"the first evaluation of every task is at {self.shares[0]:.3g} of its budget, not {share:g}"
            )
        if within[-1] == self.share:
            return self
        schedule = self.manifest["protocol"].get("schedule", "constant")
        if schedule != "constant":
            raise UserError(f"a {schedule} schedule is made for the whole budget, and a part of it is no shorter run")
        return replace(self, units=[record.at(within[-1]) for record in self.units], share=within[-1])

    @property
    def devices(self) -> list[str]:
        """What computed the records, as JAX calls it."""
        return sorted({record.meta["device"] for record in self.units})

    @property
    def data(self) -> list[str]:
        """What the rows of each task are taken from, which several may share."""
        of = {record.meta["task"]: str(record.meta.get("data", record.meta["task"])) for record in self.units}
        origins = {name: dataset.origin or name for name, dataset in DATASETS.items()}
        return [origins.get(of[name], of[name]) for name in self.tasks]

    def scores(self, selected_by: str, split: str) -> np.ndarray:
        """Mean over seeds of the log of the loss, floored, at the budget: float64 (tasks, optimizers, replicates).

        NaN where there is no record; inf where a run diverged.
        """
        scores = np.full(self.shape, np.nan)
        for record in self.units:
            losses = record.ends(selected_by, f"{split}/loss").astype(np.float64)
            floored = np.log(np.maximum(np.where(np.isfinite(losses), losses, np.inf), record.meta["floor"]))
            scores[self.place(record)] = floored.mean()
        return scores

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """How many tasks, optimizers and replicates there are."""
        replicates = 1 + max((record.meta["replicate"] for record in self.units), default=-1)
        return len(self.tasks), len(self.optimizers), replicates

    def place(self, record: Record) -> tuple[int, int, int]:
        """Where a record's numbers stand in arrays of that shape."""
        task, optimizer = record.cell
        tasks, optimizers = self._places
        return tasks[task], optimizers[optimizer], record.meta["replicate"]

    @cached_property
    def _places(self) -> tuple[dict[str, int], dict[str, int]]:
        tasks, optimizers = ({name: i for i, name in enumerate(names)} for names in (self.tasks, self.optimizers))
        return tasks, optimizers


def load(folder: Path) -> Results:
    """Reads a run's folder: what its last command asked for. Records of other cells, and of these made by other code,
    data or versions, are left out; replicates and seeds beyond those asked for too.

    Raises:
      UserError: there is no run in it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise UserError(f"there is no run in {folder}; `optgrid run --out {folder}` makes one")
    units, damaged = records.read_all(folder)
    prints, replicates = manifest["fingerprints"], manifest["replicates"]
    asked = [
        unit.first_seeds(manifest["seeds"])
        for unit in units
        if prints.get("--".join(unit.cell)) == unit.meta["fingerprint"] and unit.meta["replicate"] < replicates
    ]
    return Results(folder, manifest, asked, damaged, _timings(folder, manifest["tasks"], prints))


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none.

    Raises:
      UserError: it is damaged, or written by another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text())
        schema = manifest.get("schema")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged ({error}); remove it and run again: finished units are kept") from error
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema}; this version reads {SCHEMA}; use another folder")
    wrong = [key for key, kind in FIELDS.items() if not isinstance(manifest.get(key), kind)]
    if wrong:
        raise UserError(f"{path} is damaged ({', '.join(wrong)}); remove it and run again: finished units are kept")
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest."""
    write_atomically(folder / MANIFEST, json.dumps({**manifest, "schema": SCHEMA}, indent=1).encode())


def timing_file(folder: Path, task: str) -> Path:
    """Where a task's step times are kept."""
    return folder / TIMINGS / f"{task}.json"


def read_timings(folder: Path, task: str) -> dict[str, Any]:
    """{optimizer: measurements as they were written}; empty where there are none or the file is damaged, as times can
    always be measured anew."""
    try:
        stored = json.loads(timing_file(folder, task).read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: values for name, values in stored.items() if isinstance(values, dict) and _whole(values)}


def _whole(values: Mapping[str, Any]) -> bool:
    return "unsound" in values or all(name in values for name in (*ROUNDS, *CHECKS, "cell"))


def _timings(folder: Path, tasks: Sequence[str], prints: Mapping[str, str]) -> dict[tuple[str, str], Timing]:
    found = {}
    for task in tasks:
        for optimizer, values in read_timings(folder, task).items():
            if "unsound" in values or values["cell"] != prints.get(f"{task}--{optimizer}"):
                continue
            fields: dict[str, Any] = {name: np.asarray(values[name], np.float64) for name in ROUNDS}
            found[task, optimizer] = Timing(**fields, **{name: values[name] for name in CHECKS})
    return found
