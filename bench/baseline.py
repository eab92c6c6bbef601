"""Baselines: reference results of a suite that the project ships, small, and what they are good for.

One file an optimizer holds its records on all tasks, read like any others. Losses are kept as whole thousandths of
their logarithm and metrics with three digits, as differences along a curve, which compress to a fifth of the records.
A baseline stands for the optimizer as it is now if its code is what it was, or else if it behaves the same
(`bench.behaviour`), and if task, space and protocol are those that it was run with. Times are not kept: they would be
those of another machine.
"""

import hashlib
import io
import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UserError
from bench.protocol import SELECTIONS, Protocol
from bench.records import Record
from bench.task import SPLITS, Task

FOLDER = Path(__file__).parent / "baselines"
SCHEMA = 1
REPLICATES = 8
STEP = 1e-3  # of a log loss
LOST = np.int16(-32768)  # a loss that is not finite
LEAST = 1e-13  # of a loss: -30 in its logarithm


@dataclass(frozen=True)
class Baseline:
    """One optimizer's reference results.

    Attributes:
      records: by task and replicate.
      behaviour: `bench.behaviour.behaviour` of the optimizer that made them.
      code: hash of its code.
      tasks: {task: hash of its description}.
      protocol: that of the records.
      environment: what made them.
    """

    optimizer: str
    records: Sequence[Record]
    behaviour: np.ndarray
    code: str
    tasks: Mapping[str, str]
    protocol: Mapping[str, Any]
    environment: Mapping[str, Any]


def names(suite: str) -> list[str]:
    """The optimizers that have baselines in a suite."""
    return sorted(file.name.partition(".")[0] for file in (FOLDER / suite).glob("*.npz.xz"))


def file_of(suite: str, optimizer: str) -> Path:
    """Where an optimizer's baselines are."""
    return FOLDER / suite / f"{optimizer}.npz.xz"


def load(suite: str, optimizer: str) -> Baseline | None:
    """An optimizer's baselines; None if there are none.

    Raises:
      UserError: the file is damaged.
    """
    file = file_of(suite, optimizer)
    return decode(file.read_bytes(), file) if file.exists() else None


def task_hash(task: Task) -> str:
    """What must be the same of a task for results on it to be comparable."""
    return hashlib.sha256(task.identity.encode()).hexdigest()[:16]


def unfit(baseline: Baseline, tasks: Sequence[Task], protocol: Protocol) -> str:
    """Why a baseline cannot be compared with what is run now, whatever its optimizer does; empty if it can."""
    asked = protocol.identity
    if any(baseline.protocol.get(name) != asked.get(name) for name in {*baseline.protocol, *asked}):
        return "it was run by another protocol"
    if changed := [task.name for task in tasks if baseline.tasks.get(task.name) != task_hash(task)]:
        return f"it was run on another {', '.join(changed)}"
    return ""


# The files


def encode(baseline: Baseline) -> bytes:
    """A baseline as a file."""
    tasks: dict[str, list[Record]] = {}
    for record in baseline.records:
        tasks.setdefault(record.meta["task"], []).append(record)
    arrays: dict[str, np.ndarray] = {"behaviour": baseline.behaviour}
    for task, records in tasks.items():
        packed = [_packed(record) for record in records]
        arrays[f"{task}/step"] = records[0].arrays["step"]
        arrays |= {f"{task}/{name}": np.stack([each[name] for each in packed]) for name in packed[0]}
    header = {
        "schema": SCHEMA, "optimizer": baseline.optimizer, "code": baseline.code, "tasks": dict(baseline.tasks),
        "protocol": dict(baseline.protocol), "environment": dict(baseline.environment),
        "metas": {task: [_told(record) for record in records] for task, records in tasks.items()},
    }  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, __header__=np.array(json.dumps(header, sort_keys=True)), **arrays)
    return lzma.compress(buffer.getvalue(), preset=9)


def decode(content: bytes, file: Path) -> Baseline:
    """The baseline in the bytes of a file.

    Raises:
      UserError: they are not a whole one; the message names the file.
    """
    try:
        with np.load(io.BytesIO(lzma.decompress(content)), allow_pickle=False) as stored:
            header = json.loads(str(stored["__header__"]))
            arrays = {name: stored[name] for name in stored.files if name != "__header__"}
        if header["schema"] != SCHEMA:
            raise ValueError(f"schema {header['schema']}, not {SCHEMA}")
        records = [
            _unpacked({**meta, "optimizer": header["optimizer"]}, arrays, index)
            for metas in header["metas"].values()
            for index, meta in enumerate(metas)
        ]
    except Exception as error:  # whatever unpacking bytes of unknown origin raises
        raise UserError(f"{file} holds no baselines ({type(error).__name__}: {error}); install again") from error
    about = {name: header[name] for name in ("optimizer", "code", "tasks", "protocol", "environment")}
    return Baseline(records=records, behaviour=arrays["behaviour"], **about)


def _told(record: Record) -> dict[str, Any]:
    """A record's metadata without what is said once for all, or is about the machine's speed."""
    left_out = {"optimizer", "trace_s", "compile_s", "evaluation_s", "environment", "fingerprint"}
    return {name: value for name, value in record.meta.items() if name not in left_out}


def _packed(record: Record) -> dict[str, np.ndarray]:
    """A record's arrays in shapes and kinds that are the same for all of a cell and compress well."""
    arrays = record.arrays
    kinds = {"hparams": np.float32, "position": np.float16, "open": bool}
    parts = {name: kinds.get(name.split("/")[0]) for name in arrays}
    kept = {name: arrays[name].astype(kind) for name, kind in parts.items() if kind is not None}
    kept |= {f"search/{name}": arrays[f"search/{name}"] for name in ("grad_evals", "diverged")}
    kept["selected"] = np.array([arrays[f"selected/{by}"] for by in SELECTIONS], np.int32)
    kept["search/loss"] = _pack_loss(np.stack([arrays[f"search/{by}/loss"] for by in SELECTIONS]))
    for name in ("grad_evals", "diverged"):
        kept[f"final/{name}"] = np.stack([record.final(by, name) for by in SELECTIONS])
    for name, pack in (("loss", _pack_loss), (str(record.meta["metric"]), _pack_metric)):
        runs = [record.final(by, f"{split}/{name}") for by in SELECTIONS for split in SPLITS]
        kept[f"final/{name}"] = pack(np.stack(runs))
    return kept


def _unpacked(meta: Mapping[str, Any], every: Mapping[str, np.ndarray], index: int) -> Record:
    """The record of one replicate; see `bench.records` for the arrays."""
    task, metric = meta["task"], meta["metric"]
    mine = {
        name.removeprefix(f"{task}/"): values if name.endswith("/step") else values[index]
        for name, values in every.items()
        if name.startswith(f"{task}/")
    }
    chosen, place = np.unique(mine["selected"], return_index=True)
    search = _unpack_loss(mine["search/loss"])
    arrays = {name: values for name, values in mine.items() if name.split("/")[0] in ("hparams", "position", "open")}
    arrays |= {"step": mine["step"], "chosen": chosen.astype(np.int32)}
    for number, by in enumerate(SELECTIONS):
        arrays[f"selected/{by}"] = mine["selected"][number]
        arrays[f"search/{by}/loss"] = search[number]
    for name in ("grad_evals", "diverged"):
        arrays[f"search/{name}"] = mine[f"search/{name}"]
        arrays[f"final/{name}"] = mine[f"final/{name}"][place]
    for name, unpack in (("loss", _unpack_loss), (metric, _unpack_metric)):
        runs = unpack(mine[f"final/{name}"])
        runs = runs.reshape(len(SELECTIONS), len(SPLITS), *runs.shape[1:])[place]
        arrays |= {f"final/{split}/{name}": runs[:, number] for number, split in enumerate(SPLITS)}
    times = {"trace_s": np.nan, "compile_s": np.nan, "compile_cached": True}
    return Record({**meta, **times, "fingerprint": "baseline"}, arrays)


def _pack_loss(values: np.ndarray) -> np.ndarray:
    """Losses (..., P) as thousandths of their logarithm, each less the one before it, high and low bytes apart."""
    there = np.isfinite(values)
    logs = np.round(np.log(np.maximum(np.where(there, values, 1.0), LEAST)) / STEP)
    return _bytes(np.where(there, np.clip(logs, -32000, 32000), LOST).astype(np.int16))


def _unpack_loss(stored: np.ndarray) -> np.ndarray:
    whole = _numbers(stored)
    return np.where(whole == LOST, np.nan, np.exp(whole * STEP)).astype(np.float32)


def _pack_metric(values: np.ndarray) -> np.ndarray:
    """Other metrics (..., P) as 16-bit floats, packed likewise."""
    with np.errstate(over="ignore"):
        return _bytes(values.astype(np.float16).view(np.int16))


def _unpack_metric(stored: np.ndarray) -> np.ndarray:
    return _numbers(stored).view(np.float16).astype(np.float32)


def _bytes(whole: np.ndarray) -> np.ndarray:
    """int16 (..., P) to the bytes of its differences, uint8 (2, ..., P); differences wrap around."""
    steps = np.diff(whole, axis=-1, prepend=np.int16(0)).astype("<i2")
    return np.ascontiguousarray(np.moveaxis(steps[..., None].view(np.uint8), -1, 0))


def _numbers(stored: np.ndarray) -> np.ndarray:
    steps = np.ascontiguousarray(np.moveaxis(stored, 0, -1)).view("<i2")[..., 0]
    return np.cumsum(steps, axis=-1, dtype=np.int16)
