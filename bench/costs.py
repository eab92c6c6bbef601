"""What runs cost, predicted from a table that was measured once: seconds, MiB, bytes. Pure, and without JAX.

The table (`costs.json`, made by `optgrid plan --measure`) holds what was measured, by task and cell, and models fitted
to it for everything else: a task outside it is predicted from its network's size, an optimizer's step as a multiple of
SGD's and terms in the number and the shapes of the parameters. An optimizer that is not in it is taken as the median of
those that are, and a task of own functions as the median task. Seconds are of the processor; those of another machine
are the table's over its `Speed`.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import optimizers
from bench.protocol import Protocol
from bench.task import Task
from bench.tasks.mlp import EVALUATED, Mlp

TABLE = Path(__file__).parent / "costs.json"
LARGEST_SIDE = 512  # of matrices that rules like soap turn about
SECOND_CHOICE = 0.43  # more settings chosen by searches ten times as long; 0.43 of 10 trials in the default grid
TIMED = (7, 0.02)  # ROUNDS and TARGET_S of `bench.timing`, which needs JAX
PEAK_MIB = 170  # that compiling takes for a while beyond what is kept; from workers' peaks over two grids
KEPT = 128  # programs that a worker keeps
RECORD_BYTES = 4500  # of a record beside its curves
PROGRAM_BYTES = 110_000  # of a compiled program on disk
BLOCK = 4096
MIB = 2**20


@dataclass(frozen=True)
class Speed:
    """A machine beside the table's: how many times as fast it trains, and compiles and starts."""

    training: float = 1.0
    compiling: float = 1.0


SAME = Speed()


@dataclass(frozen=True)
class Size:
    """What a task's costs depend on.

    Attributes:
      flops: floating-point operations of a step's gradient.
      outputs: numbers that all layers give in a step, over its rows.
      evaluation_flops, evaluation_outputs: the same of one evaluation.
      arrays, parameters: of the network.
      products: over the weights m x n, the sum of m n min(m, n).
      squares, cubes: of the sides of weights, where they are at most LARGEST_SIDE, the sums.
      rows: of all splits; `columns` features and targets of each.
      batch: rows of a step.
      steps: the budget.
    """

    flops: float
    outputs: float
    evaluation_flops: float
    evaluation_outputs: float
    arrays: int
    parameters: int
    products: float
    squares: float
    cubes: float
    rows: int
    columns: int
    batch: int
    steps: int

    @property
    def data_mib(self) -> float:
        """MiB of the data as float32."""
        return 4 * self.rows * self.columns / MIB


@lru_cache(maxsize=256)
def size(task: Task) -> Size | None:
    """A network's size; None of a task of other functions."""
    if not isinstance(task, Mlp):
        return None
    layers = list(pairwise(task.widths))
    weights = sum(m * n for m, n in layers)
    sides = [side for layer in layers for side in layer if side <= LARGEST_SIDE]
    rows = task.source.rows()
    batch, evaluated = task.batch_size or rows[0], sum(min(count, EVALUATED) for count in rows)
    return Size(
        flops=6.0 * weights * batch,
        outputs=float(sum(task.widths[1:]) * batch),
        evaluation_flops=2.0 * weights * evaluated,
        evaluation_outputs=float(sum(task.widths[1:]) * evaluated),
        arrays=2 * len(layers),
        parameters=weights + sum(task.widths[1:]),
        products=float(sum(m * n * min(m, n) for m, n in layers)),
        squares=float(sum(side**2 for side in sides)),
        cubes=float(sum(side**3 for side in sides)),
        rows=sum(rows),
        columns=task.widths[0] + task.widths[-1],
        batch=batch,
        steps=task.steps,
    )


def terms(what: str, of: Size, sgd: float = 0.0) -> list[float]:
    """The terms of the model of a cost, each to be multiplied by a coefficient that is not negative.

    Args:
      what: a field of the table's tasks or cells; with `sgd`, SGD's cost on the task, the terms of another optimizer's.
    """
    if what == "step_s":
        if not sgd:
            return [1.0, of.flops, of.outputs]
        return [sgd, 1.0, of.arrays, of.parameters, of.products, of.squares, of.cubes]
    if what in ("trace_s", "compile_s"):
        return [1.0, of.arrays] if not sgd else [sgd, 1.0, of.arrays]
    return {
        "setup_s": [1.0, of.arrays, of.data_mib],
        "start_s": [1.0, of.steps * of.batch, of.steps],
        "call_s": [1.0],
        "evaluation_s": [1.0, of.evaluation_flops, of.evaluation_outputs],
        "setup_mib": [1.0, of.data_mib],
    }[what]


@cache
def table() -> Mapping[str, Any]:
    """What was measured: `made`, `process`, `probe`, `tasks`, `cells`, `optimizers` (their models) and `models` (of
    tasks)."""
    return json.loads(TABLE.read_text())


def listed(optimizer: str) -> str | None:
    """The optimizer of the table whose costs those of a spec are, or None where the median of all is taken."""
    parsed = optimizers.parse(optimizer)
    return parsed.target if parsed.attr is None and parsed.target in table()["optimizers"] else None


def guessed(task: Task) -> bool:
    """Whether nothing is known of a task that its costs could be predicted from."""
    return task.name not in table()["tasks"] and size(task) is None


def of_task(task: Task, what: str) -> float:
    """A cost that the optimizer has no part in, as measured or predicted; see `terms` for what there is."""
    measured = table()["tasks"]
    if task.name in measured and not _other_budget(task, what):
        return measured[task.name][what]
    of = size(task)
    if of is None:
        return float(np.median([costs[what] for costs in measured.values()]))
    return float(np.dot(table()["models"][what], terms(what, of)))


def _other_budget(task: Task, what: str) -> bool:
    return what == "start_s" and task.steps != table()["tasks"][task.name]["steps"]


def of_cell(task: Task, optimizer: str, what: str) -> float:
    """A cost of a cell, by the optimizer's spec: as measured, predicted, or the median of the table's optimizers."""
    name = listed(optimizer)
    if name is None:
        return float(np.median([of_cell(task, other, what) for other in table()["optimizers"]]))
    cells = table()["cells"]
    if name in cells.get(task.name, {}):
        return cells[task.name][name][what]
    of = size(task)
    if of is None:
        return float(np.median([known[name][what] for known in cells.values() if name in known]))
    if name == "sgd":
        return float(np.dot(table()["models"][what], terms(what, of)))
    return float(np.dot(table()["optimizers"][name][what], terms(what, of, of_cell(task, "sgd", what))))


def runs(protocol: Protocol) -> float:
    """Training runs of a unit: the search, on held-out folds too if they select, then each chosen setting on fresh
    seeds. Two selections choose two settings the more often the more there are to choose from."""
    return protocol.trials * (1 + protocol.folds) + chosen(protocol) * protocol.seeds


def chosen(protocol: Protocol) -> float:
    """Settings that a search's two selections are expected to choose, from 1 to 2."""
    return 1 + min(1.0, SECOND_CHOICE * math.log10(protocol.trials))


def run_seconds(task: Task, optimizer: str, protocol: Protocol, speed: Speed = SAME) -> float:
    """Seconds of one training run with its evaluation."""
    points = len(protocol.points(task.steps))
    steps = task.steps * of_cell(task, optimizer, "step_s")
    return (steps + points * of_task(task, "evaluation_s") + of_task(task, "call_s")) / speed.training


def unit_seconds(task: Task, optimizer: str, protocol: Protocol, speed: Speed = SAME) -> float:
    """Seconds of a replicate of a cell whose program is compiled."""
    job = table()["process"]["job_s"] / speed.compiling
    return runs(protocol) * run_seconds(task, optimizer, protocol, speed) + job


def setup_seconds(task: Task, optimizer: str, speed: Speed = SAME, warm: bool = False) -> float:
    """Seconds to trace and compile a cell's program in a process that has the task; `warm` where an earlier process
    compiled it and it is only loaded."""
    trace, compiling = (of_cell(task, optimizer, what) for what in ("trace_s", "compile_s"))
    return (trace + (table()["process"]["load_s"] if warm else compiling)) / speed.compiling


def opening_seconds(task: Task, protocol: Protocol, speed: Speed = SAME) -> float:
    """Seconds that a process needs for a task before any cell of it: data, evaluation, and where its runs start."""
    starts = protocol.replicates * (1 + protocol.seeds) + 1
    return of_task(task, "setup_s") / speed.compiling + starts * of_task(task, "start_s") / speed.training


def process_seconds(speed: Speed = SAME) -> float:
    """Seconds until a worker's process can open its first task."""
    return table()["process"]["start_s"] / speed.compiling


def timing_seconds(task: Task, names: Sequence[str], loaded: int, protocol: Protocol, speed: Speed = SAME) -> float:
    """Seconds to measure a task's step times, by one worker that has yet to load so many of the programs."""
    rounds, target = TIMED
    steps = target / (of_cell(task, "sgd", "step_s") / speed.training)  # what takes SGD as long as it should
    call, total = of_task(task, "call_s") / speed.training, 0.0
    for name in ("sgd", *names):
        step = of_cell(task, name, "step_s") / speed.training
        total += rounds * (3 * call + 1.5 * steps * step) + task.steps * step
    mean = sum(setup_seconds(task, name, speed, warm=True) for name in names) / max(1, len(names))
    return total + loaded * mean


def sharing(workers: int) -> float:
    """How many times as long everything takes where several workers are busy at once, on cores beside each other."""
    return table()["process"]["sharing"] if workers > 1 else 1.0


def worker_mib(cells: Sequence[tuple[Task, str]], protocol: Protocol) -> float:
    """MiB that a worker's process holds at its peak which runs these cells, (task, the optimizer's spec): the process,
    data, programs, the curves and states of the largest run, and what compiling takes."""
    process = table()["process"]
    data = sum(of_task(task, "setup_mib") for task in dict.fromkeys(task for task, _ in cells))
    largest = max((_run_mib(task, optimizer, protocol) for task, optimizer in cells), default=0.0)
    return PEAK_MIB + process["resident_mib"] + data + min(len(cells), KEPT) * process["program_mib"] + largest


def _run_mib(task: Task, optimizer: str, protocol: Protocol) -> float:
    """Parameters, gradients, updates and the optimizer's state, twice as a step has old and new, and each point's
    parameters; 0 of a task of other functions."""
    of, states = size(task), table()["states"]
    if of is None:
        return 0.0
    name = listed(optimizer)
    state = states[name] if name is not None else float(np.median([*states.values()]))
    return 4 * of.parameters * (2 * (3 + state) + protocol.evaluations + 1) / MIB


def record_bytes(protocol: Protocol, points: int) -> int:
    """Bytes on disk of one record: its curves, what is said of it, and the rest of its last block."""
    curves = 7 * 4 * points * runs(protocol)  # two metrics on three splits, and the evaluations spent
    return BLOCK * math.ceil((curves + RECORD_BYTES) / BLOCK)
