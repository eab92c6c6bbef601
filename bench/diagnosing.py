"""The last stage of a run, if it is asked for: why runs went as they did, cell by cell over all workers.

It comes after the sweep and the step times, and changes neither. What is there of the same code and settings is kept;
a cell that fails is named, and its reason written beside those of units, but the run does not fail for it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import failures, records, traces
from bench.claims import Claims
from bench.code import code_digest
from bench.errors import DamagedRecord
from bench.files import write_atomically
from bench.fingerprint import ROOT
from bench.grid import Cell, Grid
from bench.jobs import DiagnosticsJob, LandscapeJob
from bench.pool import Team
from bench.records import Record
from bench.traces import failure_name
from bench.travel import Place, optimizer_from, task_from
from bench.watching import Watcher
from bench.worker import Failure

CLAIM = "diagnostics"  # on those of a folder: of several commands one at a time


@dataclass(frozen=True)
class Piece:
    """A trace of one optimizer's run, or a landscape through those of two.

    Attributes:
      settings: of the optimizers, in turn.
      made_from: what it is known by.
    """

    task: str
    optimizers: tuple[str, ...]
    settings: tuple[Mapping[str, float], ...]
    made_from: str

    @property
    def is_trace(self) -> bool:
        """Whether it is one."""
        return len(self.optimizers) == 1

    @property
    def name(self) -> str:
        """What a failure of it is kept under, beside those of units."""
        return failure_name(self.task, self.optimizers[0] if self.is_trace else None)

    @property
    def words(self) -> str:
        """What it is."""
        return f"{self.optimizers[0]} on {self.task}" if self.is_trace else f"the landscape of {self.task}"

    def file(self, folder: Path) -> Path:
        """Where it is kept."""
        if self.is_trace:
            return traces.trace_file(folder, self.task, self.optimizers[0])
        return traces.landscape_file(folder, self.task)


def undiagnosed(folder: Path, grid: Grid, prints: Mapping[Cell, str]) -> list[Piece]:
    """The traces that are missing of cells whose first replicate is whole and current, at the setting that it chose by
    training loss; and the landscapes of tasks, through the ends of the two that it found the lowest training loss with.
    """
    return [
        piece
        for task in grid.tasks
        for piece in _pieces(folder, task.name, grid, prints)
        if _known_by(folder, piece) != piece.made_from
    ]


def _pieces(folder: Path, task: str, grid: Grid, prints: Mapping[Cell, str]) -> Iterator[Piece]:
    """All that there could be of a task."""
    found: dict[str, Record] = {}
    for name in grid.optimizers:
        try:
            record = records.read(records.unit_file(folder, records.unit_name(task, name, 0)))
        except (FileNotFoundError, DamagedRecord):
            continue
        if record.meta["fingerprint"] == prints[task, name]:
            found[name] = record
    losses = {name: _loss(record) for name, record in found.items()}
    best = tuple(sorted((name for name in found if losses[name] < np.inf), key=lambda name: losses[name])[:2])
    for names in (*((name,) for name in found), *([best] if len(best) == 2 else [])):
        settings = tuple(found[name].chosen_hparams("train") for name in names)
        yield Piece(task, names, settings, _made_from([prints[task, name] for name in names], settings))


def _loss(record: Record) -> float:
    """Mean over final seeds of the log of the training loss at the budget; infinite where one diverged."""
    losses = record.ends("train", "train/loss").astype(np.float64)
    return float(np.log(np.maximum(np.where(np.isfinite(losses), losses, np.inf), record.meta["floor"])).mean())


def _made_from(cells: Sequence[str], settings: Sequence[Mapping[str, float]]) -> str:
    """What decides the numbers of a piece: the cells, their settings, and how it is computed."""
    code = code_digest(ROOT / "bench" / "diagnostics.py")
    told = json.dumps([list(cells), [dict(setting) for setting in settings], code], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _known_by(folder: Path, piece: Piece) -> str | None:
    """What the file that is there was made from; None where none can be read."""
    try:
        if piece.is_trace:
            return str(traces.read_trace(folder, piece.task, piece.optimizers[0]).meta["fingerprint"])
        return str(traces.read_landscape(folder, piece.task).meta["fingerprint"])
    except (FileNotFoundError, DamagedRecord):
        return None


def diagnose(
    folder: Path,
    grid: Grid,
    prints: Mapping[Cell, str],
    workers: Team,
    homes: Mapping[str, int],
    timeout: float,
    watcher: Watcher,
) -> None:
    """Computes what is missing, over all workers; each goes on with the tasks whose programs it has.

    `homes` are the workers that swept the tasks. Of several commands on a folder one records, and the others wait for
    it.

    Raises:
      UserError: a file could not be written.
    """
    with closing(Claims(folder)) as claims:
        words = f"waiting for another command on {folder}, which records diagnostics; Ctrl-C ends this one"
        if not claims.wait(CLAIM, watcher.stop, lambda: watcher.note(words)):
            return
        queue = _Queue(undiagnosed(folder, grid, prints), homes)
        total = len(queue.waiting)

        def draw(worker: int) -> tuple[Piece, DiagnosticsJob | LandscapeJob] | None:
            piece = None if watcher.stop() else queue.next(worker)
            if piece is None:
                return None
            watcher.diagnosing(piece.words, total - len(queue.waiting), total)
            return piece, _job(piece, grid, prints, workers.place)

        def more() -> bool:
            return bool(queue.waiting) and not watcher.stop()

        for ended in workers.run(draw, lambda _: timeout, more):
            if ended is not None:
                _keep(folder, ended.tag, ended.outcome, watcher)


class _Queue:
    """What is left to do; a worker goes on with its own task, then takes one that nobody has, then helps another."""

    def __init__(self, waiting: Sequence[Piece], homes: Mapping[str, int]) -> None:
        self.waiting = list(waiting)
        self._homes = dict(homes)

    def next(self, worker: int) -> Piece | None:
        """What this worker does next, if anything is left."""
        if not self.waiting:
            return None
        piece = min(self.waiting, key=lambda piece: (self._homes.get(piece.task) != worker, piece.task in self._homes))
        self.waiting.remove(piece)
        self._homes.setdefault(piece.task, worker)
        return piece


def _job(piece: Piece, grid: Grid, prints: Mapping[Cell, str], place: Place) -> DiagnosticsJob | LandscapeJob:
    task = task_from(grid.specs[piece.task], place)
    specs = [optimizer_from(grid.optimizers[name], place) for name in piece.optimizers]
    cells = [prints[piece.task, name] for name in piece.optimizers]
    if piece.is_trace:
        return DiagnosticsJob(task, specs[0], piece.settings[0], grid.protocol, cells[0], piece.made_from)
    first, second = piece.settings
    return LandscapeJob(
        task, (specs[0], specs[1]), (first, second), grid.protocol, (cells[0], cells[1]), piece.made_from
    )


def _keep(folder: Path, piece: Piece, outcome: bytes | Failure, watcher: Watcher) -> None:
    if isinstance(outcome, Failure):
        failures.save(folder, piece.name, outcome)
        watcher.note(f"no diagnostics of {piece.words}: {outcome.reason}")
    else:
        write_atomically(piece.file(folder), outcome)
        failures.clear(folder, piece.name)
