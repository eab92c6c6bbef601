"""The files of a run: one a unit, written whole or not at all, never executed when read.

A record is arrays by name and metadata; on disk an .npz without pickles, with the metadata as JSON beside the arrays
and a checksum over both. Arrays, T trials, K chosen settings, S final seeds, P points of a curve:

    step (P,)                           gradient evaluations after which the curves were to be read, 0 to the budget
    hparams/NAME (T,)                   settings of the search
    position/NAME (T,)                  where they lie in their space, 0 at its lowest value, 1 at its highest
    open/NAME (2,)                      whether the space could be extended at its lower and at its upper end
    search/SPLIT/METRIC (T, P)          curves of the search
    selected/train, selected/valid ()   the trial that each rule chose
    chosen (K,)                         the trials that were run again: their union
    final/SPLIT/METRIC (K, S, P)        curves on fresh seeds
    {search,final}/{grad_evals,diverged,distance}

`grad_evals` are those that had been spent when a curve was read: more than `step` says where a step takes several.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.files import write_atomically

SCHEMA = 1
FOLDER = "units"
NEAR = 1e-9  # shares of a budget that differ by less are one


class DamagedRecord(Exception):
    """A file that is not a whole record of this schema; the message says what is wrong with it."""


@dataclass(frozen=True)
class Record:
    """One unit's results; see the module for the arrays."""

    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    @property
    def name(self) -> str:
        """TASK--OPTIMIZER--rNN."""
        return unit_name(self.meta["task"], self.meta["optimizer"], self.meta["replicate"])

    @property
    def seeds(self) -> int:
        """How many final seeds it holds."""
        return int(self.arrays["final/diverged"].shape[1])

    @property
    def cell(self) -> tuple[str, str]:
        """(task, optimizer)."""
        return self.meta["task"], self.meta["optimizer"]

    def group(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays whose name starts with `prefix/`, without it."""
        return {name.removeprefix(f"{prefix}/"): a for name, a in self.arrays.items() if name.startswith(f"{prefix}/")}

    def final(self, selected_by: str, name: str) -> np.ndarray:
        """The array `name` of the final runs of the setting that `selected_by` chose: (S, ...)."""
        index = self.arrays["chosen"].tolist().index(self.arrays[f"selected/{selected_by}"].item())
        return self.arrays[f"final/{name}"][index]

    def ends(self, selected_by: str, name: str) -> np.ndarray:
        """The final runs (S,) of `name`, read where the protocol reads them.

        That is the last point, but under the checkpoint 'best' and selected by validation loss where that is lowest.
        """
        values = self.final(selected_by, name)
        if selected_by == "train" or self.meta.get("protocol", {}).get("checkpoint", "final") == "final":
            return values[:, -1]
        losses = self.final(selected_by, f"{selected_by}/loss")
        best = np.argmin(np.where(np.isfinite(losses), losses, np.inf), axis=1)
        return np.take_along_axis(values, best[:, None], axis=1)[:, 0]

    @property
    def share(self) -> float:
        """How much of the budget that it was made with it is read to; 1 but for what `at` returns."""
        return float(self.meta.get("share", 1.0))

    @property
    def whole_budget(self) -> int:
        """The budget that it was made with, in gradient evaluations."""
        return int(self.meta.get("whole_budget", self.meta["budget"]))

    @property
    def shares(self) -> np.ndarray:
        """Shares of the whole budget at which its curves were read, the start left out: (P - 1,), ascending.

        Points lie evenly but for their rounding to whole evaluations, and have the share that they were meant to have.
        """
        step = self.arrays["step"]
        even = np.linspace(0.0, self.share, len(step))
        rounded = np.abs(even * self.whole_budget - step).max() <= 0.5 + NEAR
        return (even if rounded else step / self.whole_budget)[1:]

    def at(self, share: float) -> "Record":
        """The same record read at a share of its whole budget: its curves end at the last point within it.

        The settings stay those selected at the whole budget. `meta` then has as budget that of the last point, and
        beside it `whole_budget` and `share`. How far parameters moved by then is not known, and NaN; a run diverged if
        it had by then.

        Raises:
          UserError: the share is not above 0 and at most 1, or nothing but the start was read within it.
        """
        if not 0 < share <= 1:
            raise UserError(f"a share of the budget is above 0 and at most 1, not {share:g}")
        points = 1 + int(np.searchsorted(self.shares, share + NEAR, side="right"))
        if points == 1:
            raise UserError(f"{self.name} was first read at {self.shares[0]:.3g} of its budget, not by {share:g}")
        if points == len(self.arrays["step"]):
            return self
        arrays = {name: _until(points, name, a) for name, a in self.arrays.items()}
        for stage in ("search", "final"):
            if f"{stage}/diverged" in arrays:
                finite = np.isfinite(arrays[f"{stage}/train/loss"][..., -1])
                arrays[f"{stage}/diverged"] = np.where(finite, np.int32(-1), arrays[f"{stage}/diverged"])
        read = {"budget": int(self.arrays["step"][points - 1]), "share": float(self.shares[points - 2])}
        return Record({**self.meta, "whole_budget": self.whole_budget, **read}, arrays)

    def first_seeds(self, seeds: int) -> "Record":
        """The same with no more than the first `seeds` final seeds."""
        if self.seeds <= seeds:
            return self
        cut = {name: a[:, :seeds] if name.startswith("final/") else a for name, a in self.arrays.items()}
        return Record(self.meta, cut)

    def chosen_hparams(self, selected_by: str) -> dict[str, float]:
        """The setting that `selected_by` chose."""
        trial = int(self.arrays[f"selected/{selected_by}"])
        return {name: float(values[trial]) for name, values in self.group("hparams").items()}


def _until(points: int, name: str, array: np.ndarray) -> np.ndarray:
    """An array of a record that is read at its first points."""
    stage, _, rest = name.partition("/")
    if rest == "distance":
        return np.full_like(array, np.nan)
    return array[..., :points] if name == "step" or (stage in ("search", "final") and rest != "diverged") else array


def unit_name(task: str, optimizer: str, replicate: int) -> str:
    """Name of a unit and of its file, without the ending."""
    return f"{task}--{optimizer}--r{replicate:02d}"


def unit_file(folder: Path, name: str) -> Path:
    """Where a run keeps the unit."""
    return folder / FOLDER / f"{name}.npz"


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Nested dictionaries of arrays to one of names joined by slashes."""
    flat: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        flat |= (
            flatten(value, f"{prefix}{key}/") if isinstance(value, Mapping) else {f"{prefix}{key}": np.asarray(value)}
        )
    return flat


def _checksum(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def encode(record: Record) -> bytes:
    """The record as the bytes of a file."""
    meta = {**record.meta, "schema": SCHEMA}
    header = json.dumps({"meta": meta, "checksum": _checksum(meta, record.arrays)}, sort_keys=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, __header__=np.array(header), **record.arrays)
    return buffer.getvalue()


def decode(content: bytes) -> Record:
    """The record in the bytes of a file.

    Raises:
      DamagedRecord: they are not a whole record of this schema.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            header = json.loads(str(file["__header__"]))
            arrays = {name: file[name] for name in file.files if name != "__header__"}
            meta, checksum = header["meta"], header["checksum"]
    except (
        Exception
    ) as error:  # whatever unpacking bytes of unknown origin raises: zip, zlib, NumPy and JSON have theirs
        raise DamagedRecord(f"not a record ({type(error).__name__})") from error
    if not isinstance(meta, dict) or meta.get("schema") != SCHEMA:
        raise DamagedRecord(f"schema {meta.get('schema')}, not {SCHEMA}")
    if _checksum(meta, arrays) != checksum:
        raise DamagedRecord("its checksum does not match")
    return Record({key: value for key, value in meta.items() if key != "schema"}, arrays)


def save(folder: Path, record: bytes, name: str) -> None:
    """Writes an encoded record into a run's folder."""
    write_atomically(unit_file(folder, name), record)


def read(path: Path) -> Record:
    """The record in a file.

    Raises:
      DamagedRecord: the file is not a whole record.
      FileNotFoundError: there is no such file.
    """
    return decode(path.read_bytes())


def read_all(folder: Path) -> tuple[list[Record], dict[str, str]]:
    """All whole records of a run, sorted by name, and what is wrong with each file that is not one."""
    records, damaged = [], {}
    for path in sorted((folder / FOLDER).glob("*.npz")):
        try:
            records.append(read(path))
        except DamagedRecord as error:
            damaged[path.name] = str(error)
    return records, damaged
