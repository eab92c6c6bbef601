"""Replicates of one cell: search, select, run anew. A replicate is the unit of resuming and of statistics.

Every optimizer gets the same number of trials, the first at the paper's defaults, the others on scrambled Sobol
points of its space. The search is selected from twice, by training loss and by validation loss, and each chosen
setting is run again on seeds that selected nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import jax
import numpy as np
from scipy.stats import qmc

from bench.program import Curves, Program, Work
from bench.protocol import SELECTIONS, Protocol
from bench.records import Record, flatten
from optimizers import Optimizer
from optimizers._space import heights, open_ends


def searched(optimizer: Optimizer, protocol: Protocol) -> Optimizer:
    """The optimizer with the space that the protocol has it searched in."""
    return (optimizer.widened if protocol.wide else optimizer).extended(protocol.extensions)


def draw(optimizer: Optimizer, trials: int, key: str) -> dict[str, np.ndarray]:
    """Settings of a search: float64 (trials,) for each searched hyperparameter.

    Args:
      key: seeds the scrambling of the Sobol points (Owen, 1998); the same key draws the same settings.
    """
    start = optimizer.start
    settings = {name: np.full(trials, value) for name, value in start.items()}
    if start and trials > 1:
        rng = np.random.default_rng(np.frombuffer(hashlib.sha256(key.encode()).digest(), "<u4"))
        points = qmc.Sobol(len(start), scramble=True, rng=rng).random_base2((trials - 2).bit_length())
        for column, name in enumerate(start):
            settings[name][1:] = optimizer.space[name].quantile(points[: trials - 1, column])
    return settings


def read(protocol: Protocol, by: str, curves: Mapping[str, np.ndarray]) -> np.ndarray:
    """The losses (trials,) that a search is selected by: of the split `by`, or on held-out folds in the mean, at the
    end or at the best checkpoint."""
    losses = curves["folds"].mean(axis=0) if by == "valid" and protocol.folds else curves[f"{by}/loss"]
    if by == "train" or protocol.checkpoint == "final":
        return losses[:, -1]
    return np.where(np.isfinite(losses), losses, np.inf).min(axis=1)


def select(final_losses: np.ndarray) -> int:
    """The trial with the lowest loss, the first of equals; one that diverged never wins while another did not."""
    return int(np.argmin(np.where(np.isfinite(final_losses), final_losses, np.inf)))


def sweep(program: Program, replicates: Mapping[int, Record | None], fingerprint: str) -> list[Record]:
    """Runs replicates, by number, the runs of all of them through the program's lanes together.

    Beside a number may stand a record of that replicate, of the same fingerprint: then only the final seeds that it
    lacks are run.
    """
    task, optimizer, protocol = program.task, program.optimizer, program.protocol
    draws = {r: draw(optimizer, protocol.trials, f"{task.name}/{r}/{optimizer.name}") for r in replicates}

    def trial(replicate: int, seed: str, index: int, on: Program = program) -> Work:
        return on.start(replicate, seed), {name: float(values[index]) for name, values in draws[replicate].items()}

    fresh = [r for r, previous in replicates.items() if previous is None]
    every = range(protocol.trials)
    search = _runs(program, {r: [trial(r, "search", t) for t in every] for r in fresh})
    held_out = [_runs(f, {r: [trial(r, "search", t, f) for t in every] for r in fresh}) for f in program.folds]
    for r in fresh if program.folds else ():
        search[r] = {**search[r], "folds": np.stack([fold[r]["valid/loss"] for fold in held_out])}
    search |= {r: _searched(previous) for r, previous in replicates.items() if previous is not None}
    selected = {r: {by: select(read(protocol, by, search[r])) for by in SELECTIONS} for r in replicates}
    chosen = {r: sorted(set(selected[r].values())) for r in replicates}
    seeds = {r: range(previous.seeds if previous else 0, protocol.seeds) for r, previous in replicates.items()}
    final = _runs(program, {r: [trial(r, str(s), t) for t in chosen[r] for s in seeds[r]] for r in replicates})

    records = []
    for r, previous in replicates.items():
        by_seed = {
            name: values.reshape(len(chosen[r]), -1, *values.shape[1:]) for name, values in final.get(r, {}).items()
        }
        arrays: dict[str, np.ndarray] = {
            "step": program.points,
            "chosen": np.asarray(chosen[r], np.int32),
            **{f"selected/{by}": np.asarray(index, np.int32) for by, index in selected[r].items()},
            **{f"hparams/{name}": values for name, values in draws[r].items()},
            **_places(optimizer, draws[r]),
            **{"folds/loss" if name == "folds" else f"search/{name}": values for name, values in search[r].items()},
            **{f"final/{name}": values for name, values in _joined(previous, by_seed).items()},
        }
        records.append(Record(_meta(program, r, fingerprint, previous), arrays))
    return records


def _searched(previous: Record) -> Mapping[str, np.ndarray]:
    """The search of a record, its held-out losses (folds, trials, points) beside it if it has some."""
    folds = previous.group("folds")
    return previous.group("search") | ({"folds": folds["loss"]} if folds else {})


def _places(optimizer: Optimizer, settings: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where settings lie in the space that they were drawn from, and at which ends the space could go on."""
    laws = {name: optimizer.space[name] for name in settings}
    return {f"position/{name}": heights(law, settings[name]) for name, law in laws.items()} | {
        f"open/{name}": np.asarray(open_ends(law)) for name, law in laws.items()
    }


def _joined(previous: Record | None, fresh: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Final runs (chosen, seeds, ...): those of a record, and after them the fresh ones."""
    before = {} if previous is None else previous.group("final")
    if not before or not fresh:
        return before or fresh
    return {name: np.concatenate([values, fresh[name]], axis=1) for name, values in before.items()}


def _runs(program: Program, of: Mapping[int, Sequence[Work]]) -> dict[int, Mapping[str, np.ndarray]]:
    """Runs of several replicates to arrays by name with one leading axis; a replicate without any is left out."""
    curves = iter(program.runs([run for work in of.values() for run in work]))
    flat = {r: [_flat(curve) for curve in islice(curves, len(work))] for r, work in of.items() if work}
    return {r: {name: np.stack([run[name] for run in runs]) for name in runs[0]} for r, runs in flat.items()}


def _flat(curves: Curves) -> dict[str, np.ndarray]:
    ends = {"diverged": curves.diverged, "distance": np.float32(curves.distance)}
    return flatten({**curves.metrics, "grad_evals": curves.grad_evals, **ends})


def _meta(program: Program, replicate: int, fingerprint: str, previous: Record | None) -> dict[str, Any]:
    compiled = {
        "trace_s": program.trace_s,
        "compile_s": program.compile_s,
        "compile_cached": program.cached,
        "evaluation_s": program.evaluation_s,
    }
    return {
        "task": program.task.name,
        "optimizer": program.optimizer.name,
        "replicate": replicate,
        "fingerprint": fingerprint,
        "protocol": program.protocol.identity,
        "budget": program.task.steps,
        "metric": program.task.metric,
        "data": program.task.facts.get("data", program.task.name),
        "floor": program.task.floor,
        "paper": program.optimizer.paper,
        "defaults": {name: value for name, value in program.optimizer.defaults.items() if _plain(value)},
        "space": {name: str(law) for name, law in program.optimizer.space.items()},
        "param_bytes": program.param_bytes,
        "state_bytes": program.state_bytes,
        "device": str(jax.devices()[0].device_kind),
        **(compiled if previous is None else {name: previous.meta[name] for name in compiled}),
    }


def _plain(value: object) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
