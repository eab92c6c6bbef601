"""The files of a run: one a unit, written whole or not at all, never executed when read.

A record is arrays by name and metadata; on disk an .npz without pickles, with the metadata as JSON beside the arrays
and a checksum over both. Arrays, T trials, K chosen settings, S final seeds, P points of a curve:

    step (P,)                           steps after which the curves were read
    hparams/NAME (T,)                   settings of the search
    position/NAME (T,)                  where they lie in their space, 0 at its lowest value, 1 at its highest
    open/NAME (2,)                      whether the space could be extended at its lower and at its upper end
    search/SPLIT/METRIC (T, P)          curves of the search
    selected/train, selected/valid ()   the trial that each rule chose
    chosen (K,)                         the trials that were run again: their union
    final/SPLIT/METRIC (K, S, P)        curves on fresh seeds
    {search,final}/{grad_evals,diverged,distance}
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.files import write_atomically

SCHEMA = 1
FOLDER = "units"


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
        index = int(np.flatnonzero(self.arrays["chosen"] == self.arrays[f"selected/{selected_by}"])[0])
        return self.arrays[f"final/{name}"][index]

    def ends(self, selected_by: str, name: str, share: float = 1.0) -> np.ndarray:
        """The final runs (S,) of `name`, read where the protocol reads them, within a share of the budget.

        That is the last point, but under the checkpoint 'best' and selected by validation loss where that is lowest.
        """
        values = self.final(selected_by, name)
        points = int(np.searchsorted(self.arrays["step"], share * self.meta["budget"], side="right"))
        if selected_by == "train" or self.meta.get("protocol", {}).get("checkpoint", "final") == "final":
            return values[:, points - 1]
        losses = self.final(selected_by, f"{selected_by}/loss")[:, :points]
        best = np.argmin(np.where(np.isfinite(losses), losses, np.inf), axis=1)
        return np.take_along_axis(values, best[:, None], axis=1)[:, 0]

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
