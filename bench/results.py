"""A run's folder as one object: what reports, exports and notebooks read.

RUN/run.json            the manifest: suite, protocol, environment, what failed or was skipped
RUN/units/*.npz         records, one a unit
RUN/timings/TASK.json   step times, measured after the sweep
RUN/diagnostics/        and landscapes/, where they were asked for; see `bench.traces`
RUN/report/             made from the above alone; RUN/report-30/ from it read at 30 % of the budget
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench import records
from bench.data import DATASETS
from bench.errors import UserError
from bench.files import Unreadable, json_of, shown, write_atomically
from bench.layout import check_protocol, is_number
from bench.manifest import CHECKS, ROUNDS, is_timing, wrong_fields
from bench.records import NEAR, Record

MANIFEST = "run.json"
TIMINGS = "timings"
SCHEMA = 1


class DamagedManifest(UserError):
    """run.json cannot be read, which the same `optgrid run` mends; `why` says what is wrong with it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged ({why}); the same `optgrid run` makes it anew: finished units are kept")
        self.why = why


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
      damaged: {file: what is wrong with it}, for files that are not whole records or step times.
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
    own = [
        unit
        for unit in units
        if prints.get("--".join(unit.cell)) == unit.meta["fingerprint"] and unit.meta["replicate"] < replicates
    ]
    odd = _odd(own, manifest)
    asked = [unit.first_seeds(manifest["seeds"]) for unit in own if f"{unit.name}.npz" not in odd]
    timings, untimed = _timings(folder, manifest["tasks"], prints)
    return Results(folder, manifest, asked, {**damaged, **odd, **untimed}, timings)


def _odd(units: Sequence[Record], manifest: Mapping[str, Any]) -> dict[str, str]:
    """{file: why} of whole records that do not go with the others, though they say that the same code made them."""
    protocol = check_protocol(manifest["protocol"]).identity
    odd = {
        f"{unit.name}.npz": "of another protocol than run.json"
        for unit in units
        if check_protocol(unit.meta["protocol"]).identity != protocol
    }
    by_task = _unlike(units, lambda unit: unit.meta["task"], _measured)
    by_cell = _unlike(units, lambda unit: unit.cell, lambda unit: frozenset(unit.arrays))
    odd |= dict.fromkeys(by_task, "its metric, floor or steps are not those of its task's other records")
    return dict.fromkeys(by_cell, "it holds other arrays than its cell's other records") | odd


def _measured(unit: Record) -> tuple[object, ...]:
    return unit.meta["metric"], unit.meta["floor"], unit.arrays["step"].tobytes()


def _unlike(units: Sequence[Record], group: Callable[[Record], Any], of: Callable[[Record], Any]) -> list[str]:
    """The files of records in which something is not what it is in most of their group."""
    kinds: dict[Any, Counter[Any]] = {}
    for unit in units:
        kinds.setdefault(group(unit), Counter())[of(unit)] += 1
    usual = {key: counts.most_common(1)[0][0] for key, counts in kinds.items()}
    return [f"{unit.name}.npz" for unit in units if of(unit) != usual[group(unit)]]


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest, or None where there is none.

    Raises:
      DamagedManifest: it cannot be read.
      UserError: it was written by another version.
    """
    path = folder / MANIFEST
    try:
        manifest = json_of(path)
    except FileNotFoundError:
        return None
    except Unreadable as error:
        raise DamagedManifest(path, str(error)) from error
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if not (isinstance(schema, int) and is_number(schema)):
        raise DamagedManifest(path, "it names no schema")
    if schema > SCHEMA:
        raise UserError(f"{path} was made by a newer optgrid (schema {schema}, not {SCHEMA}); update optgrid")
    if schema < SCHEMA:
        raise UserError(f"{path} has schema {schema}; this version reads {SCHEMA}; use another folder")
    if wrong := wrong_fields(manifest):
        raise DamagedManifest(path, ", ".join(wrong))
    return manifest


def before(folder: Path, tasks: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a run that goes on in a folder finds: the manifest, empty where none can be read, and {file: what is wrong
    with it} for what it makes anew, the manifest and the step times of its tasks.

    Raises:
      UserError: the manifest was written by another version.
    """
    damaged = {}
    try:
        manifest = read_manifest(folder) or {}
    except DamagedManifest as error:
        manifest, damaged[MANIFEST] = {}, error.why
    for task in tasks:
        damaged |= _measurements(folder, task)[1]
    return manifest, damaged


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest.

    Raises:
      UserError: it could not be written, or asks for more than could be read.
    """
    if wrong := wrong_fields(manifest):
        raise UserError(f"{folder / MANIFEST} cannot hold what was asked for ({', '.join(wrong)})")
    write_atomically(folder / MANIFEST, json.dumps({**manifest, "schema": SCHEMA}, indent=1).encode())


def timing_file(folder: Path, task: str) -> Path:
    """Where a task's step times are kept."""
    return folder / TIMINGS / f"{task}.json"


def read_timings(folder: Path, task: str) -> dict[str, Any]:
    """{optimizer: measurements as they were written}, without those that are damaged, as times can always be measured
    anew."""
    return _measurements(folder, task)[0]


def _measurements(folder: Path, task: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A task's measurements by optimizer, and {file: what is wrong with it}."""
    name = f"{TIMINGS}/{task}.json"
    try:
        stored = json_of(timing_file(folder, task))
    except FileNotFoundError:
        return {}, {}
    except Unreadable as error:
        return {}, {name: str(error)}
    if not isinstance(stored, dict):
        return {}, {name: "no object of measurements by optimizer"}
    whole = {optimizer: values for optimizer, values in stored.items() if is_timing(values)}
    lost = ", ".join(shown(optimizer) for optimizer in stored if optimizer not in whole)
    return whole, {name: f"no step times: {lost:.200}"} if lost else {}


def _timings(
    folder: Path, tasks: Sequence[str], prints: Mapping[str, str]
) -> tuple[dict[tuple[str, str], Timing], dict[str, str]]:
    found: dict[tuple[str, str], Timing] = {}
    damaged: dict[str, str] = {}
    for task in tasks:
        measured, wrong = _measurements(folder, task)
        damaged |= wrong
        for optimizer, values in measured.items():
            if "unsound" in values or values["cell"] != prints.get(f"{task}--{optimizer}"):
                continue
            fields: dict[str, Any] = {name: np.asarray(values[name], np.float64) for name in ROUNDS}
            found[task, optimizer] = Timing(**fields, **{name: values[name] for name in CHECKS})
    return found, damaged
