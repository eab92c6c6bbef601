"""A run as three tidy pandas tables, the form in which results leave the project.

    curves   task, optimizer, replicate, stage (search|final), selected_by (train|valid, '' in a search), trial, seed,
             step, grad_evals, split (train|valid|test), metric, value, seconds
    trials   task, optimizer, replicate, stage, selected_by, trial, seed, status (ok|diverged), diverged (first step
             with a loss that is not finite, -1 if none), distance, and a column for each hyperparameter
    units    task, optimizer, replicate, fingerprint, budget, compile, step and memory figures, and the environment it
             was made in: versions, processor, commit. `train_s` is one run to the budget, `end_to_end_s` that with
             tracing and compiling, or loading what was compiled before. Also what a report makes of the curves with:
             the places of task and optimizer in the run, how many `replicates` were asked for, and of the task its
             `floor`, the `data` that it is on, BOARD_scale and BOARD_centre of scores, whether they are constants of
             the suite (BOARD_frozen), and the training loss that speed is measured to, `target`

docs/recompute.md has the script that makes a report's boards of them.

`seconds` is step x measured training time per step, evaluation off the clock; missing where no time was measured.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import constants
from bench.errors import UserError
from bench.files import write_atomically
from bench.protocol import SELECTIONS
from bench.records import Record
from bench.results import Results
from bench.task import SPLITS

TABLES = ("curves", "trials", "units")
WRITERS: dict[str, Callable[..., None]] = {".csv": pd.DataFrame.to_csv, ".parquet": pd.DataFrame.to_parquet}


@dataclass(frozen=True)
class Tables:
    """The three tables; see the module for their columns."""

    curves: pd.DataFrame
    trials: pd.DataFrame
    units: pd.DataFrame


@dataclass(frozen=True)
class _Run:
    """One training run of a record: which it is, and where its curves lie in the record's arrays."""

    stage: str
    selected_by: str
    trial: int
    seed: str
    at: tuple[int, ...]


def _runs(record: Record) -> Iterator[_Run]:
    for trial in range(len(record.arrays["search/diverged"])):
        yield _Run("search", "", trial, "search", (trial,))
    chosen = list(record.arrays["chosen"])
    for by in SELECTIONS:
        trial = int(record.arrays[f"selected/{by}"])
        for seed in range(record.seeds):
            yield _Run("final", by, trial, str(seed), (chosen.index(trial), seed))


def tables(results: Results) -> Tables:
    """The tables of a run, in a fixed order."""
    curves, trials, units = [], [], []
    tasks = _tasks(results)
    for record in results.units:
        timing = results.timings.get(record.cell)
        seconds_per_step = timing.seconds_per_step if timing else np.nan
        unit = _unit(record, seconds_per_step, timing.ratio if timing else np.nan)
        place = {"optimizer_index": results.place(record)[1], "replicates": results.manifest["replicates"]}
        units.append({**unit, **tasks[record.meta["task"]], **place})
        for run in _runs(record):
            who = {**_key(record), **{name: getattr(run, name) for name in ("stage", "selected_by", "trial", "seed")}}
            hparams = {name: values[run.trial] for name, values in record.group("hparams").items()}
            ends = {name: record.arrays[f"{run.stage}/{name}"][run.at] for name in ("diverged", "distance")}
            status = "ok" if ends["diverged"] < 0 else "diverged"
            trials.append({**who, "status": status, **ends, **hparams})
            curves.append(_curves(record, run, who, seconds_per_step))
    return Tables(
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        pd.DataFrame(trials),
        pd.DataFrame(units),
    )


def _tasks(results: Results) -> dict[str, dict[str, Any]]:
    """Of each task what its unit rows say of it beside its records: its place, its data, what boards measure it in."""
    found: dict[str, dict[str, Any]] = {
        task: {"task_index": index, "data": data}
        for index, (task, data) in enumerate(zip(results.tasks, results.data, strict=True))
    }
    for board, rule in constants.RULES.items():
        scale, centre, own = constants.units(results, board, results.scores(*rule))
        for t, task in enumerate(results.tasks):
            used = {"scale": scale[t], "centre": centre[t], "frozen": task not in own}
            found[task] |= {f"{board}_{name}": value for name, value in used.items()}
    for task, target in zip(results.tasks, constants.targets(results)[0], strict=True):
        found[task]["target"] = target
    return found


def _key(record: Record) -> dict[str, Any]:
    return {name: record.meta[name] for name in ("task", "optimizer", "replicate")}


def _curves(record: Record, run: _Run, who: dict[str, Any], seconds_per_step: float) -> pd.DataFrame:
    step = record.arrays["step"]
    parts = []
    for split in SPLITS:
        for metric in ("loss", record.meta["metric"]):
            value = record.arrays[f"{run.stage}/{split}/{metric}"][run.at]
            parts.append({"split": split, "metric": metric, "value": value})
    points = len(step)
    spent = record.arrays[f"{run.stage}/grad_evals"][run.at]
    return pd.DataFrame(
        {
            **who,
            "step": np.tile(step, len(parts)),
            "grad_evals": np.tile(spent, len(parts)),
            "split": np.repeat([part["split"] for part in parts], points),
            "metric": np.repeat([part["metric"] for part in parts], points),
            "value": np.concatenate([part["value"] for part in parts]),
            "seconds": np.tile(step * seconds_per_step, len(parts)),
        }
    )


def _unit(record: Record, seconds_per_step: float, ratio: float) -> dict[str, Any]:
    meta = record.meta
    columns = ("fingerprint", "budget", "metric", "paper", "device", "trace_s", "compile_s", "compile_cached")
    return {
        **_key(record),
        **{name: meta[name] for name in (*columns, "param_bytes", "state_bytes", "floor")},
        **{f"environment_{name}": value for name, value in meta.get("environment", {}).items()},
        "seconds_per_step": seconds_per_step,
        "train_s": meta["budget"] * seconds_per_step,
        "end_to_end_s": meta["trace_s"] + meta["compile_s"] + meta["budget"] * seconds_per_step,
        "step_time_ratio_to_sgd": ratio,
    }


def export(results: Results, out: Path) -> list[Path]:
    """Writes the tables and returns their paths: `out` itself for curves and `STEM-trials`, `STEM-units` beside it, or
    curves.csv, trials.csv and units.csv where `out` is a folder.

    Raises:
      UserError: `out` has another ending than .csv or .parquet, or cannot be written.
    """
    if out.suffix in WRITERS:
        paths = [out, *(out.with_name(f"{out.stem}-{table}{out.suffix}") for table in TABLES[1:])]
    elif out.suffix and not out.is_dir():
        raise UserError(f"{out}: the name must end in {' or '.join(WRITERS)}, or be a folder")
    else:
        paths = [out / f"{table}.csv" for table in TABLES]
    if not results.units:
        raise UserError(f"{results.folder} has no finished unit to export")
    made = tables(results)
    for table, path in zip(TABLES, paths, strict=True):
        buffer = io.BytesIO()
        WRITERS[path.suffix](getattr(made, table), buffer, index=False)
        write_atomically(path, buffer.getvalue())
    return paths
