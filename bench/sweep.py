"""One replicate of one cell: search, select, run anew. The unit of work, of resuming and of statistics.

Every optimizer gets the same number of trials, the first at the paper's defaults, the others on scrambled Sobol
points of its space. The search is selected from twice, by training loss and by validation loss, and each chosen
setting is run again on seeds that selected nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from scipy.stats import qmc

from bench.program import Program
from bench.protocol import SELECTIONS
from bench.records import Record, flatten
from bench.train import Start
from optimizers import Optimizer


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


def select(final_losses: np.ndarray) -> int:
    """The trial with the lowest loss, the first of equals; one that diverged never wins while another did not."""
    return int(np.argmin(np.where(np.isfinite(final_losses), final_losses, np.inf)))


def sweep(program: Program, replicate: int, fingerprint: str, previous: Record | None = None) -> Record:
    """Runs one replicate, or only the final seeds that `previous`, a record of the same fingerprint, does not have."""
    task, optimizer, protocol = program.task, program.optimizer, program.protocol
    settings = draw(optimizer, protocol.trials, f"{task.name}/{replicate}/{optimizer.name}")
    trials = [{name: float(values[t]) for name, values in settings.items()} for t in range(protocol.trials)]

    if previous is None:
        search = _runs(program, [(program.start(replicate, "search"), hparams) for hparams in trials])
    else:
        search = previous.group("search")

    selected = {by: select(search[f"{by}/loss"][:, -1]) for by in SELECTIONS}
    chosen = sorted(set(selected.values()))
    kept = 0 if previous is None else previous.seeds
    fresh = [
        _runs(program, [(program.start(replicate, str(seed)), trials[t]) for seed in range(kept, protocol.seeds)])
        for t in chosen
        if kept < protocol.seeds
    ]
    final = {name: np.stack([run[name] for run in fresh]) for name in fresh[0]} if fresh else {}
    if previous is not None:
        before = previous.group("final")
        final = {
            name: np.concatenate([before[name], final[name]], axis=1) if final else before[name] for name in before
        }

    arrays: dict[str, np.ndarray] = {
        "step": program.points,
        "chosen": np.asarray(chosen, np.int32),
        **{f"selected/{by}": np.asarray(trial, np.int32) for by, trial in selected.items()},
        **{f"hparams/{name}": values for name, values in settings.items()},
        **{f"search/{name}": values for name, values in search.items()},
        **{f"final/{name}": values for name, values in final.items()},
    }
    return Record(_meta(program, replicate, fingerprint, previous), arrays)


def _runs(program: Program, of: Sequence[tuple[Start, Mapping[str, float]]]) -> Mapping[str, np.ndarray]:
    """Runs of a program, one after another, to arrays by name with one leading axis."""
    flat = []
    for start, hparams in of:
        curves = program.run(start, hparams)
        ends = {"diverged": curves.diverged, "distance": np.float32(curves.distance)}
        flat.append(flatten({**curves.metrics, "grad_evals": curves.grad_evals, **ends}))
    return {name: np.stack([run[name] for run in flat]) for name in flat[0]}


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
