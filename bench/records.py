"""The files of a run: one a unit, written whole or not at all, never executed when read.

A record is arrays by name and metadata; on disk an .npz without pickles, with the metadata as JSON beside the arrays
and a checksum over both. Arrays, T trials, K chosen settings, S final seeds, P points of a curve:

    step (P,)                           gradient evaluations after which the curves were to be read, 0 to the budget
    hparams/NAME (T,)                   settings of the search
    position/NAME (T,)                  where they lie in their space, 0 at its lowest value, 1 at its highest
    open/NAME (2,)                      whether the space could be extended at its lower and at its upper end
    search/SPLIT/METRIC (T, P)          curves of the search
    folds/loss (F, T, P)                curves of the loss on each held-out fold, where folds select
    selected/train, selected/valid ()   the trial that each rule chose
    chosen (K,)                         the trials that were run again: their union
    final/SPLIT/METRIC (K, S, P)        curves on fresh seeds
    {search,final}/{grad_evals,diverged,distance}

`grad_evals` are those that had been spent when a curve was read: more than `step` says where a step takes several.
"""

import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import archive, files, layout
from bench.errors import DamagedRecord as DamagedRecord
from bench.errors import NewerRecord, UserError
from bench.files import Unreadable, parsed, write_atomically

SCHEMA = 1
FOLDER = "units"
HEADER = "__header__"
NEAR = 1e-9  # shares of a budget that differ by less are one


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
    curve = name == "step" or (stage in ("search", "folds", "final") and rest != "diverged")
    return array[..., :points] if curve else array


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
    """The record as the bytes of a file.

    Raises:
      UserError: it is none that could be read again, as one of a metric that is not one number is.
    """
    content = pack({**record.meta, "schema": SCHEMA}, record.arrays)
    try:
        decode(content)
    except DamagedRecord as error:
        raise UserError(f"what was computed makes no record that can be read again: {error}") from error
    return content


def pack(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """Metadata, schema included, and arrays as the bytes of a file with the right checksum; nothing is checked."""
    header = json.dumps({"meta": meta, "checksum": _checksum(meta, arrays)}, sort_keys=True)
    buffer = io.BytesIO()
    in_order = {name: np.asarray(values, order="C") for name, values in arrays.items()}
    np.savez_compressed(buffer, allow_pickle=False, **{HEADER: np.array(header)}, **in_order)
    return buffer.getvalue()


def decode(content: bytes) -> Record:
    """The record in the bytes of a file, which may be anybody's.

    Raises:
      DamagedRecord: they are not a whole record of this schema; a NewerRecord if they are one of a later schema.
    """
    told, arrays = unpack(content, layout.ARRAY)
    layout.check(told, arrays)
    return Record(told, arrays)


def unpack(content: bytes, known: re.Pattern[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `pack` made bytes of, metadata without the schema and arrays, all of whose names must be `known`; what they
    mean is not checked.

    Raises:
      DamagedRecord: as `decode`.
    """
    members = dict(archive.members(content))
    if HEADER not in members:
        raise DamagedRecord("not a record (it has no header)")
    try:
        header = parsed(archive.text(content, members.pop(HEADER)))
        meta, checksum = header["meta"], header["checksum"]
        schema = meta["schema"]
    except (Unreadable, TypeError, KeyError) as error:
        raise DamagedRecord("not a record (its header says nothing)") from error
    _check_schema(schema)
    for name in members:
        if not known.fullmatch(name):
            raise DamagedRecord(f"a record has no array {name}")
    arrays = {name: archive.array(content, member) for name, member in members.items()}
    try:
        whole = _checksum(meta, arrays) == checksum
    except RecursionError:  # writing JSON goes less deep than reading it
        whole = False
    if not whole:
        raise DamagedRecord("its checksum does not match")
    return {key: value for key, value in meta.items() if key != "schema"}, arrays


def _check_schema(schema: object) -> None:
    """There has been one schema only, so that there is nothing to bring up to date; what is older is computed again."""
    if not (isinstance(schema, int) and layout.is_number(schema)):
        raise DamagedRecord("not a record (it does not say of which schema)")
    if schema > SCHEMA:
        raise NewerRecord(f"made by a newer optgrid (schema {schema}, where this one reads {SCHEMA}); update optgrid")
    if schema < SCHEMA:
        raise DamagedRecord(f"of schema {schema}, which this optgrid ({SCHEMA}) does not read any more")


def save(folder: Path, record: bytes, name: str) -> None:
    """Writes an encoded record into a run's folder."""
    write_atomically(unit_file(folder, name), record)


def content_of(path: Path) -> bytes:
    """The bytes of a file that should be a record.

    Raises:
      DamagedRecord: they cannot be had, or are too many.
      FileNotFoundError: there is no such file.
    """
    try:
        return files.content_of(path, archive.LARGEST)
    except Unreadable as error:
        raise DamagedRecord(str(error)) from error


def unit(content: bytes, name: str) -> Record:
    """The record of the unit `name` in the bytes of its file.

    Raises:
      DamagedRecord: they are not a whole record, or that of another unit.
    """
    record = decode(content)
    if record.name != name:
        raise DamagedRecord(f"holds {record.name}")
    return record


def read(path: Path) -> Record:
    """The record in a file.

    Raises:
      DamagedRecord: the file is not a whole record, or that of a unit of another name.
      FileNotFoundError: there is no such file.
    """
    return unit(content_of(path), path.stem)


def read_all(folder: Path) -> tuple[list[Record], dict[str, str]]:
    """All whole records of a run, sorted by name, and what is wrong with each file that is not one."""
    records, damaged = [], {}
    for path in sorted((folder / FOLDER).glob("*.npz")):
        try:
            records.append(read(path))
        except FileNotFoundError:  # gone since it was listed
            continue
        except DamagedRecord as error:
            damaged[files.shown(path.name)] = str(error)
    return records, damaged
