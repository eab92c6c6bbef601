"""The files of a run's diagnostics: what `bench.diagnostics` found, kept as records are, and read by reports.

RUN/diagnostics/TASK--OPTIMIZER.npz   a `Trace`: one run of a cell
RUN/landscapes/TASK.npz               a `Landscape`: the loss around the runs of a task's two best

Each has the checksum of a record and says what it was made from. Reading trusts no byte of it; see `bench.archive`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from bench import files, records
from bench.errors import DamagedRecord, UserError
from bench.layout import is_plain, is_text, unfit_name
from bench.results import Results

Kind = TypeVar("Kind")

FOLDER = "diagnostics"
LANDSCAPES = "landscapes"
ALONG = ("loss", "gradient", "ratio", "alignment", "distance", "path")  # a number at each point
SHARP = ("top", "bottom", "error")
LANDSCAPE = ("x", "y", "loss", "path/0", "path/1", "between/share", "between/loss")
KNOWN = re.compile("|".join([*ALONG, *LANDSCAPE, "evaluations", "layers", rf"sharp/(evaluations|{'|'.join(SHARP)})"]))


@dataclass(frozen=True)
class Trace:
    """What was recorded along one run of a cell; P points, L arrays of parameters, S points of curvature.

    `meta` has task, optimizer, fingerprint, cell (the cell's own), hparams, layers (their names), full_batch (whether
    every step takes all rows), schedule and device. Arrays, float64 but for int64 evaluations, NaN where it diverged:

        evaluations (P,)            gradient evaluations spent, ascending
        loss, gradient (P,)         the training objective, and the norm of its gradient
        ratio, layers (P,), (P, L)  |update| / |parameters|, of all and of each array
        alignment (P,)              cosine of an update and the next
        distance, path (P,)         from the start: as the crow flies, and along the way (an estimate)
        sharp/evaluations (S,)      where curvature was measured
        sharp/{top,bottom,error}    the Hessian's largest and smallest eigenvalue, and how far off the first may be
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def until(self, evaluations: int) -> "Trace":
        """The same read at the points within so many gradient evaluations; the start is always."""
        cut = {}
        for name, values in self.arrays.items():
            along = self.arrays["sharp/evaluations" if name.startswith("sharp/") else "evaluations"]
            cut[name] = values[: max(1, int(np.searchsorted(along, evaluations, side="right")))]
        return Trace(self.meta, cut)


@dataclass(frozen=True)
class Landscape:
    """The training objective in the plane through a start and the ends of two runs from it, and between these ends.

    `meta` has task, optimizers (two names), fingerprint and cells (their own). Arrays, float64; P points of a run:

        x (W,), y (H,)              coordinates in the plane, the start at (0, 0), in units of the parameters
        loss (H, W)
        path/0, path/1 (P, 2)       the runs, projected onto the plane; their last points lie in it
        between/share, between/loss (K,)    0 at the first end, 1 at the second
    """

    meta: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def trace_file(folder: Path, task: str, optimizer: str) -> Path:
    """Where a run keeps a cell's trace."""
    return folder / FOLDER / f"{task}--{optimizer}.npz"


def landscape_file(folder: Path, task: str) -> Path:
    """Where a run keeps a task's landscape."""
    return folder / LANDSCAPES / f"{task}.npz"


def failure_name(task: str, optimizer: str | None) -> str:
    """What the failure of a trace, or of the landscape of a task, is kept under; see `bench.failures`."""
    return f"{task}--landscape" if optimizer is None else f"{task}--{optimizer}--diagnostics"


def encode(kept: Trace | Landscape) -> bytes:
    """The bytes of a file.

    Raises:
      UserError: what was computed could not be read again.
    """
    content = records.pack({**kept.meta, "schema": records.SCHEMA}, kept.arrays)
    try:
        _check(type(kept)(*records.unpack(content, KNOWN)))
    except DamagedRecord as error:
        raise UserError(f"what was computed makes no diagnostics that can be read again: {error}") from error
    return content


def read_trace(folder: Path, task: str, optimizer: str) -> Trace:
    """A cell's trace.

    Raises:
      DamagedRecord: the file is none, or that of another cell.
      FileNotFoundError: there is no such file.
    """
    trace = Trace(*records.unpack(records.content_of(trace_file(folder, task, optimizer)), KNOWN))
    _check(trace)
    if (of := (trace.meta["task"], trace.meta["optimizer"])) != (task, optimizer):
        raise DamagedRecord(f"holds {'--'.join(of)}")
    return trace


def read_landscape(folder: Path, task: str) -> Landscape:
    """A task's landscape.

    Raises:
      DamagedRecord: the file is none, or that of another task.
      FileNotFoundError: there is no such file.
    """
    landscape = Landscape(*records.unpack(records.content_of(landscape_file(folder, task)), KNOWN))
    _check(landscape)
    if landscape.meta["task"] != task:
        raise DamagedRecord(f"holds {landscape.meta['task']}")
    return landscape


@dataclass(frozen=True)
class Diagnostics:
    """All that a run's diagnostics hold for its own cells, and what is wrong with which file.

    Attributes:
      traces: by (task, optimizer); landscapes: by task.
      damaged: {file: why}.
    """

    traces: Mapping[tuple[str, str], Trace]
    landscapes: Mapping[str, Landscape]
    damaged: Mapping[str, str]


def load(results: Results) -> Diagnostics:
    """The diagnostics of a run's cells that are of the same code, data and settings as its records; empty where none
    were recorded. Of a run that is read at a part of its budget, traces up to there and no landscapes."""
    prints = results.manifest.get("fingerprints", {})
    traces: dict[tuple[str, str], Trace] = {}
    landscapes: dict[str, Landscape] = {}
    damaged: dict[str, str] = {}
    for cell in sorted({record.cell for record in results.units}):
        found = _whole(trace_file(results.folder, *cell), partial(read_trace, results.folder, *cell), damaged)
        if found is not None and found.meta["cell"] == prints.get("--".join(cell)):
            traces[cell] = found.until(results.cell(*cell)[0].meta["budget"])
    for task in results.tasks if results.share == 1 else []:
        around = _whole(landscape_file(results.folder, task), partial(read_landscape, results.folder, task), damaged)
        pair = around.meta["optimizers"] if around is not None else []
        known = set(pair) <= set(results.optimizers)
        if around is not None and known and around.meta["cells"] == [prints.get(f"{task}--{name}") for name in pair]:
            landscapes[task] = around
    return Diagnostics(traces, landscapes, damaged)


def _whole(path: Path, read: Callable[[], Kind], damaged: dict[str, str]) -> Kind | None:
    """What a file holds, if there is one; one that is none is put down as damaged."""
    try:
        return read()
    except FileNotFoundError:
        return None
    except DamagedRecord as error:
        damaged[files.shown(f"{path.parent.name}/{path.name}")] = str(error)
        return None


def kept(folder: Path) -> list[Path]:
    """The files of diagnostics in a run's folder, sorted."""
    return sorted(path for name in (FOLDER, LANDSCAPES) for path in (folder / name).glob("*.npz"))


def _check(found: Trace | Landscape) -> None:
    """Raises DamagedRecord where something is missing, of the wrong kind, or does not agree with the rest."""
    meta = found.meta
    _need(not unfit_name(meta.get("task")), "its task has no name that could be")
    _need(is_text(meta.get("fingerprint")), "its fingerprint is no text")
    if isinstance(found, Trace):
        _check_trace(meta, found.arrays)
    else:
        _check_landscape(meta, found.arrays)


def _check_trace(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    _need(not unfit_name(meta.get("optimizer")), "its optimizer has no name that could be")
    _need(all(is_text(meta.get(name)) for name in ("cell", "schedule", "device")), "it does not say what made it")
    _need(is_plain(meta.get("hparams"), (int, float)), "its hparams are no numbers by name")
    _need(isinstance(meta.get("full_batch"), bool), "its full_batch is neither true nor false")
    layers = meta.get("layers")
    _need(isinstance(layers, list) and bool(layers) and all(map(is_text, layers)), "its layers are no names")
    for prefix, names in (("", ALONG), ("sharp/", tuple(f"sharp/{name}" for name in SHARP))):
        spent = arrays.get(f"{prefix}evaluations", np.zeros(0))
        _need(spent.dtype.kind == "i" and spent.ndim == 1 and spent.size > 0, f"it has no {prefix}evaluations")
        _need(spent[0] >= 0 and bool((np.diff(spent) >= 0).all()), f"its {prefix}evaluations do not ascend")
        _shapes(arrays, dict.fromkeys(names, spent.shape))
    _shapes(arrays, {"layers": (len(arrays["evaluations"]), len(meta["layers"]))})


def _check_landscape(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    pair, cells = meta.get("optimizers"), meta.get("cells")
    _need(isinstance(pair, list) and len(pair) == 2 and not any(map(unfit_name, pair)), "it is not of two optimizers")
    _need(isinstance(cells, list) and len(cells) == 2 and all(map(is_text, cells)), "it does not say what made it")
    lengths = {name: len(np.atleast_1d(arrays.get(name, np.zeros(0)))) for name in LANDSCAPE}
    _need(min(lengths.values()) > 1, "an array of it is missing")
    _shapes(
        arrays,
        {
            "x": (lengths["x"],),
            "y": (lengths["y"],),
            "loss": (lengths["y"], lengths["x"]),
            "path/0": (lengths["path/0"], 2),
            "path/1": (lengths["path/1"], 2),
            "between/share": (lengths["between/share"],),
            "between/loss": (lengths["between/share"],),
        },
    )


def _shapes(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in wanted.items():
        values = arrays.get(name)
        _need(values is not None and values.dtype == np.float64, f"it has no {name}")
        _need(values is not None and values.shape == shape, f"its {name} is not of the shape {shape}")


def _need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise DamagedRecord(otherwise)
