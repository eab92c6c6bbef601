"""Constants that boards are held to: each task's centre, scale and target, frozen.

A score means the same on every board only if what it is measured in does not depend on who takes part. The constants
of a suite come from a pool of its default optimizers, `optgrid calibrate` makes them, and they are shipped with where
they come from. There are some for every share of the budget at which the pool was evaluated, as runs may be read there.
A task without them, as one of your own, is measured in units of the run itself, and the report says so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import stats
from bench.errors import UserError
from bench.records import Record
from bench.results import Results

FOLDER = Path(__file__).parent / "calibrated"
RULES = {"optimization": ("train", "train"), "generalization": ("valid", "test")}  # selected by, split
ABOUT = ("budget", "data", "metric", "param_bytes")  # of a record's metadata: what makes a task that of the constants
READ = {"schedule": "constant", "checkpoint": "final"}  # of a protocol: what decides where a loss at the budget lies
DIGITS = 6  # of a share of the budget
REACHED = 0.6  # of the baselines reach a target, each in half of its runs
RELAXED = tuple(0.1 * 1.15**step for step in range(80))  # of the best's median final loss, added to it: to 6,200 times


class Measure(NamedTuple):
    """What one board measures a task in.

    Attributes:
      centre: log loss of the median baseline, where a score is 0.
      scale: log loss that is one unit of score; see `bench.stats.scales`.
      target: the loss that speed is measured to; NaN where none was fair.
      relaxed: how far the target lies above the best baseline's median final loss, as a share of it.
      reached: {baseline: share of its runs that reach the target}; kept for the whole budget only.
    """

    centre: float
    scale: float
    target: float
    relaxed: float
    reached: Mapping[str, float]


@dataclass(frozen=True)
class Constants:
    """The constants of one suite.

    Attributes:
      made: suite, protocol, optimizers, replicates and environment of the pool.
      tasks: {task: what it must be for the constants to be about it, of ABOUT}.
      measures: {board: {task: Measure}} at the whole budget.
      verdicts: what `bench.calibration.verdicts` found, at the whole budget.
      shares: {share of the budget: the same as `measures` for runs that are read there}.
    """

    made: Mapping[str, Any]
    tasks: Mapping[str, Mapping[str, Any]]
    measures: Mapping[str, Mapping[str, Measure]]
    verdicts: Mapping[str, Any]
    shares: Mapping[float, Mapping[str, Mapping[str, Measure]]]

    def at(self, share: float) -> Mapping[str, Mapping[str, Measure]] | None:
        """{board: {task: Measure}} for runs that are read at a share of the budget; None where there are none."""
        return self.measures if share == 1 else self.shares.get(round(share, DIGITS))

    @property
    def source(self) -> str:
        """Where they come from, in words."""
        made = self.made
        return (
            f"{made['suite']}@{made['suite_version']}, from {made['replicates']} replicates of "
            f"{len(made['optimizers'])} baselines"
        )


def find(record: Record) -> Constants | None:
    """The shipped constants that are about a record's task as it is there, at the share of the budget that the record
    is read to; None if there are none.

    Raises:
      UserError: a file of constants is damaged.
    """
    protocol, meta = record.meta.get("protocol", {}), {**record.meta, "budget": record.whole_budget}
    for file in sorted(FOLDER.glob("*.json")):
        known = load(file.stem)
        if known is None or known.tasks.get(meta["task"]) != {name: meta.get(name) for name in ABOUT}:
            continue
        if known.at(record.share) is None:
            continue
        held = known.made["protocol"]
        if all(held.get(name, usual) == protocol.get(name, usual) for name, usual in READ.items()):
            return known
    return None


def measure(board: str, record: Record) -> Measure | None:
    """What a board measures a record's task in, by `find`."""
    known = find(record)
    measures = None if known is None else known.at(record.share)
    return None if measures is None else measures[board][record.meta["task"]]


def units(results: Results, board: str, scores: stats.Array) -> tuple[stats.Array, stats.Array, list[str]]:
    """What a board measures a run's tasks in: scale and centre, two (T,), and the tasks whose are the run's own.

    Args:
      scores: of the board, (T, O, R).
    """
    scale, centre, own = stats.scales(scores), stats.centres(scores), []
    records = {record.meta["task"]: record for record in results.units}
    for t, task in enumerate(results.tasks):
        frozen = measure(board, records[task])
        if frozen is None:
            own.append(task)
        else:
            scale[t], centre[t] = frozen.scale, frozen.centre
    return scale, centre, own


def targets(results: Results) -> tuple[stats.Array, list[str]]:
    """The training losses that speed is measured to, (T,), NaN where no run has a finite loss; and the tasks whose are
    the run's own."""
    aims, own = [], []
    records = {record.meta["task"]: record for record in results.units}
    for task in results.tasks:
        frozen = measure("optimization", records[task])
        aim = np.nan if frozen is None else frozen.target
        if np.isnan(aim):
            own.append(task)
            aim = target(results, task, *RULES["optimization"])[0]
        aims.append(aim if np.isfinite(aim) else np.nan)  # an infinite one would be reached by every start
    return np.array(aims, dtype=float), own


def freeze(pool: Results) -> dict[str, Any]:
    """The constants of a pool, as plain values, the verdicts aside.

    Raises:
      UserError: at the whole budget a task has no target that most of the pool reach.
    """
    manifest = pool.manifest
    made = {key: manifest[key] for key in ("suite", "suite_version", "protocol", "optimizers", "replicates")}
    whole = _measures(pool)
    for board, tasks in whole.items():
        for task, found in tasks.items():
            if np.isnan(found.target):
                raise UserError(f"{task} has no target on the {board} board that most optimizers reach")
    return {
        "made": {**made, "environment": manifest["environment"]},
        "tasks": {record.meta["task"]: {name: record.meta[name] for name in ABOUT} for record in pool.units},
        "measures": {board: {task: found._asdict() for task, found in tasks.items()} for board, tasks in whole.items()},
        "shares": {f"{share:.{DIGITS}g}": _plain(_measures(pool.at(share))) for share in pool.shares[:-1]},
    }


def _measures(pool: Results) -> dict[str, dict[str, Measure]]:
    """{board: {task: Measure}} of a pool; a target that too few reach is NaN."""
    measures: dict[str, dict[str, Measure]] = {}
    for board, (selected_by, split) in RULES.items():
        scores = pool.scores(selected_by, split)
        units = zip(pool.tasks, stats.centres(scores), stats.scales(scores), strict=True)
        measures[board] = {}
        for task, centre, scale in units:
            aim, relaxed, reached = target(pool, task, selected_by, split)
            held = aim if np.isfinite(aim) and fair(reached) else np.nan
            measures[board][task] = Measure(float(centre), float(scale), held, relaxed, reached)
    return measures


def _plain(measures: Mapping[str, Mapping[str, Measure]]) -> dict[str, Any]:
    """Measures of a shorter budget as they are kept: without who reaches targets, and null for none."""
    return {
        board: {
            task: {
                **{name: getattr(found, name) for name in ("centre", "scale", "relaxed")},
                "target": None if np.isnan(found.target) else found.target,
            }
            for task, found in tasks.items()
        }
        for board, tasks in measures.items()
    }


def target(pool: Results, task: str, selected_by: str, split: str) -> tuple[float, float, dict[str, float]]:
    """A loss that most of the pool's optimizers reach, how far it lies above the best, and who reaches it how often.

    The best optimizer's median final loss, relaxed by the least of RELAXED at which REACHED of the optimizers reach it
    in half of their runs: close to the best, its own runs would miss it by chance. By the last of RELAXED where none
    will do.
    """
    curves = {name: losses(pool, task, name, selected_by, split) for name in pool.optimizers}
    curves = {name: runs for name, runs in curves.items() if runs.size}
    best = min(float(np.median(runs[:, -1])) for runs in curves.values())
    for relaxed in RELAXED:
        aim = best * (1 + relaxed)
        reached = {name: float((runs.min(axis=1) <= aim).mean()) for name, runs in curves.items()}
        if fair(reached):
            break
    return aim, relaxed, reached


def fair(reached: Mapping[str, float]) -> bool:
    """Whether REACHED of the optimizers reach a target in half of their runs."""
    return float(np.mean([share >= 0.5 for share in reached.values()])) >= REACHED


def losses(results: Results, task: str, optimizer: str, selected_by: str, split: str) -> stats.Array:
    """Curves of a cell's final runs, floored: (replicates x seeds, points); a loss that is not finite is infinite."""
    records = results.cell(task, optimizer)
    if not records:
        return np.empty((0, 0))
    runs = np.concatenate([record.final(selected_by, f"{split}/loss") for record in records]).astype(np.float64)
    return np.maximum(np.where(np.isfinite(runs), runs, np.inf), records[0].meta["floor"])


@cache
def load(suite: str) -> Constants | None:
    """The constants of a suite that are shipped; None if there are none.

    Raises:
      UserError: they are damaged.
    """
    file = FOLDER / f"{suite}.json"
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text())
        shares = {round(float(share), DIGITS): _read(boards) for share, boards in content.get("shares", {}).items()}
        return Constants(content["made"], content["tasks"], _read(content["measures"]), content["verdicts"], shares)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{file} is damaged ({why}); install again, or run optgrid calibrate") from error


def _read(boards: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Measure]]:
    return {
        board: {
            task: Measure(
                **{"reached": {}, **values, "target": np.nan if values["target"] is None else values["target"]}
            )
            for task, values in tasks.items()
        }
        for board, tasks in boards.items()
    }
