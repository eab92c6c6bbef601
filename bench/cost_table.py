"""The table of costs that is shipped, made: what is measured, and the models fitted to it. See `bench.costs`."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from scipy.optimize import nnls

import optimizers
from bench import catalogue, costs, machine, probe, suites, tasks
from bench.costs import Size
from bench.files import write_atomically
from bench.probe import CostJob

# Every optimizer is measured on these, which differ in layers, shapes and number of parameters.
EVERYWHERE = ("breast_cancer", "dem", "digits_deep", "mnist_5k", "mnist_5k_noisy", "autoencoder")
ELSEWHERE = ("sgd", "adam", "soap")  # and these on tasks that are not in the default grid
OF_TASKS = ("setup_s", "start_s", "call_s", "evaluation_s", "setup_mib")
OF_CELLS = ("step_s", "trace_s", "compile_s")
PASSES = 2
DIGITS = 4  # that are kept of a number


def measure(tell: Callable[[str], None]) -> None:
    """Measures this machine and writes the table, in about twenty minutes of one core. `tell` is given lines.

    Raises:
      UserError: something could not be measured, or the table cannot be written.
    """
    jobs = _jobs(tell)
    passes = []
    for number in range(PASSES):
        tell(f"measuring {sum(len(job.optimizers) for job in jobs)} cells, {number + 1} of {PASSES} times")
        measured = probe.done([probe.WARM_UP, *jobs])[1:]
        passes.append({job.task: outcome for job, outcome in zip(jobs, measured, strict=True)})
    content = make(smallest(passes), probe.process(), {**machine.environment(), "date": date.today().isoformat()})
    write_atomically(costs.TABLE, (json.dumps(content, indent=1) + "\n").encode())
    tell(f"written to {costs.TABLE}")


def smallest(passes: Sequence[Any]) -> Any:
    """Of trees of numbers the smallest of each: what else a machine does only ever adds to what is measured."""
    first = passes[0]
    if isinstance(first, dict):
        return {key: smallest([tree[key] for tree in passes]) for key in first}
    return min(passes)


def _jobs(tell: Callable[[str], None]) -> list[CostJob]:
    """One for each task whose data can be had, SGD first."""
    core, jobs = suites.get("core"), []
    for name in tasks.names():
        if why := tasks.get(name).missing():
            tell(f"{name} is left to the models: {why}")
            continue
        default = core.optimizers if name in core.tasks else ELSEWHERE
        wanted = optimizers.names() if name in EVERYWHERE else list(default or ())
        jobs.append(CostJob(name, ["sgd", *(other for other in wanted if other != "sgd")]))
    return jobs


def make(raw: Mapping[str, Any], process: Mapping[str, float], made: Mapping[str, Any]) -> dict[str, Any]:
    """The table from what jobs gave, by task: SGD's costs of each come first."""
    sizes = {name: _size(name) for name in raw}
    grown = [cell["program_mib"] for of in raw.values() for cell in of["cells"].values()]
    resident = next(iter(raw.values()))["process"]["resident_mib"]
    measured = {name: {**of["task"], "steps": tasks.get(name).steps} for name, of in raw.items()}
    cells = {
        name: {o: {what: cell[what] for what in OF_CELLS} for o, cell in of["cells"].items()}
        for name, of in raw.items()
    }
    models = {what: _fit(what, {name: (sizes[name], of[what]) for name, of in measured.items()}) for what in OF_TASKS}
    models |= {what: _fit(what, {n: (sizes[n], of["sgd"][what]) for n, of in cells.items()}) for what in OF_CELLS}
    every = {o for of in cells.values() for o in of}
    known = {o: [name for name, of in cells.items() if o in of] for o in sorted(every)}
    own = {
        o: {
            what: _fit(what, {n: (sizes[n], cells[n][o][what]) for n in on}, {n: cells[n]["sgd"][what] for n in on})
            for what in OF_CELLS
        }
        for o, on in known.items()
        if o != "sgd"
    }
    states = {o: catalogue.costs(optimizers.get(o))["state"] for o in known}
    told = {
        "made": dict(made),
        "process": {**process, "resident_mib": resident, "program_mib": float(np.mean(grown))},
    }
    return _rounded(
        {
            **told,
            "tasks": measured,
            "cells": cells,
            "models": models,
            "states": states,
            "optimizers": {"sgd": {}, **own},
        }
    )


def _size(name: str) -> Size:
    found = costs.size(tasks.get(name))
    assert found is not None  # every task of the catalogue is a network
    return found


def _fit(what: str, seen: Mapping[str, tuple[Size, float]], sgd: Mapping[str, float] | None = None) -> list[float]:
    """Coefficients of a cost's model, none negative, of the least squares of relative errors."""
    rows = [costs.terms(what, size, 0.0 if sgd is None else sgd[name]) for name, (size, _) in seen.items()]
    values = np.maximum([value for _, value in seen.values()], 1e-9)
    design = np.asarray(rows) / values[:, None]
    scale = np.maximum(design.max(axis=0), 1e-300)
    return list(nnls(design / scale, np.ones(len(values)))[0] / scale)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
