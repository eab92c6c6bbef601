"""The data of a report's page: what its charts and tables are made from, as one compact text.

Views of all budgets, curves, trials and costs; indices stand for optimizers and tasks, null for what is not there or
not finite, and numbers have four significant digits, which is more than a screen shows.
"""

import base64
import gzip
import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from bench.edges import Edge, edges
from bench.protocol import SELECTIONS
from bench.records import Record
from bench.results import Results
from bench.stats import Array
from bench.task import SPLITS
from bench.traces import Diagnostics
from reports import boards, looks, traced
from reports.forks import spread
from reports.views import view

LONG = 5_000  # records times budgets, which take some ten seconds
DIGITS = 4
QUANTILES = (0.1, 0.5, 0.9)
SYMBOLS = {
    "o": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down", "P": "cross",
    "p": "pentagon", "<": "triangle-left", ">": "triangle-right", "*": "star",
}  # fmt: skip


def encode(content: Mapping[str, Any]) -> str:
    """Plain values as compressed JSON in base64."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=5, mtime=0)).decode()


def payload(
    results: Results, verdict: Mapping[str, Any] | None = None, found: Diagnostics | None = None
) -> dict[str, Any]:
    """All of a run, as plain values; of a comparison with the newcomers and what is said of them on single tasks."""
    constant = results.manifest["protocol"].get("schedule", "constant") == "constant"
    shares = results.shares if constant else [results.share]
    both = boards.boards(results)
    compared = [*verdict["newcomers"], *verdict["rivals"]] if verdict else []
    first = list(dict.fromkeys([*compared, *looks.foremost(both)]))[: len(looks.COLORS)]
    look = looks.looks([*first, *(name for name in results.optimizers if name not in first)])
    whole = {
        "optimizers": [
            {
                "name": name,
                "color": look[name].color,
                "symbol": SYMBOLS[look[name].marker],
                "dash": dash(look[name].dash),
            }
            for name in results.optimizers
        ],
        "newcomers": [results.optimizers.index(name) for name in (verdict or {}).get("newcomers", ())],
        "effects": (verdict or {}).get("effects", []),
        "foremost": [results.optimizers.index(name) for name in first],
        "tasks": [_task(results, task) for task in results.tasks],
        "shares": shares,
        "costs": _costs(results),
        "why": traced.payload(results, found) if found is not None and found.traces else None,
    }
    long = len(shares) * len(results.units) > LONG
    return {**plain(whole), "views": spread(partial(_view, results, edges(results)), shares, long)}


def _view(results: Results, at_edges: Sequence[Edge], share: float) -> dict[str, Any]:
    content: dict[str, Any] = plain(view(results.at(share), at_edges))
    return content


def dash(lengths: Sequence[float]) -> str:
    """A dash as Plotly has it."""
    return ",".join(f"{1.5 * part:g}px" for part in lengths) if lengths else "solid"


def _task(results: Results, task: str) -> dict[str, Any]:
    """One task's curves and trials, optimizer by optimizer; None for one that has no record on it."""
    cells = [results.cell(task, name) for name in results.optimizers]
    first = next(cell[0] for cell in cells if cell)
    own = str(first.meta["metric"])
    falls = own == "loss" or _falls([record for cell in cells for record in cell], own)
    kinds = [(split, metric) for split in SPLITS for metric in dict.fromkeys(["loss", own])]
    timings = [results.timings.get((task, name)) for name in results.optimizers]
    return {
        "name": task,
        "metric": own,
        "falls": falls,
        "step": first.arrays["step"],
        "share": [0.0, *first.shares.tolist()],
        "evaluations": [_evaluations(cell[0]) if cell else None for cell in cells],
        "seconds": [timing.seconds_per_step if timing else None for timing in timings],
        "curves": {
            by: {
                f"{split}/{metric}": [_quantiles(cell, by, split, metric, metric == "loss" or falls) for cell in cells]
                for split, metric in kinds
            }
            for by in SELECTIONS
        },
        "chosen": {by: [_chosen(cell, by) for cell in cells] for by in SELECTIONS},
        "trials": [_trials(cell) for cell in cells],
    }


def _falls(records: Sequence[Record], metric: str) -> bool:
    """Whether a metric is better when it is lower: whether it falls along the runs that training loss selected."""
    runs = np.concatenate([record.final("train", f"train/{metric}") for record in records])
    change = runs[:, -1] - runs[:, 0]
    return bool(np.median(np.where(np.isfinite(change), change, 0.0)) < 0)


def _evaluations(record: Record) -> Array:
    """Gradient evaluations at each point; the most that a run of it has spent there."""
    return np.asarray(record.arrays["final/grad_evals"].reshape(-1, len(record.arrays["step"])).max(0))


def _quantiles(cell: Sequence[Record], by: str, split: str, metric: str, falls: bool) -> Array | None:
    """QUANTILES over replicates and seeds, (3, P), a run that diverged worse than all others; None of no record.

    Lower is better if it `falls`.
    """
    if not cell:
        return None
    runs, losses = (
        np.concatenate([record.final(by, f"{split}/{name}") for record in cell]).astype(float)
        for name in (metric, "loss")
    )
    if metric == "loss":
        runs = np.maximum(runs, cell[0].meta["floor"])
    ranked = np.where(np.isfinite(losses) & np.isfinite(runs), runs, np.inf if falls else -np.inf)
    return np.asarray(np.quantile(ranked, QUANTILES, axis=0, method="inverted_cdf"))


def _chosen(cell: Sequence[Record], by: str) -> list[str]:
    """The setting that each replicate chose, in words."""
    return [
        ", ".join(f"{name}={value:.3g}" for name, value in record.chosen_hparams(by).items()) or "nothing to choose"
        for record in cell
    ]


def _trials(cell: Sequence[Record]) -> dict[str, Any] | None:
    """Learning rates tried and the training loss of each trial at every point; None where none was searched."""
    searched = [record for record in cell if "hparams/learning_rate" in record.arrays]
    if not searched:
        return None
    losses = np.concatenate([record.arrays["search/train/loss"] for record in searched]).astype(float)
    return {
        "rate": np.concatenate([record.arrays["hparams/learning_rate"] for record in searched]),
        "loss": np.maximum(losses, searched[0].meta["floor"]).T,
    }


def _costs(results: Results) -> dict[str, Any]:
    """What steps, compiling and memory cost, by optimizer and task; None where it was not measured."""
    names = results.optimizers
    by_task = {
        "step": [boards.step_ratios(results, name) for name in names],
        "compile": [boards.compile_seconds(results, name) for name in names],
        "end_to_end": [boards.end_to_end_seconds(results, name) for name in names],
        "state": [boards.state_ratios(results, name) for name in names],
    }
    return {kind: [[found.get(task) for task in results.tasks] for found in every] for kind, every in by_task.items()}


def plain(value: Any) -> Any:
    """As JSON has it: arrays as lists, numbers with DIGITS significant digits, None for what is not finite."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value
