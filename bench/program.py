"""One compiled program per cell, one per task that evaluates, and the starts that runs share.

Programs are compiled ahead of their first run, so that compiling is timed apart. A cell's trains for every trial, seed,
replicate and timing of the cell; a task's evaluates what those of all optimizers leave.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bench.errors import UserError
from bench.protocol import Protocol
from bench.task import Data, Metrics, Model, Task
from bench.train import GENERATOR, Start, Trajectory, train
from optimizers import Optimizer

PyTree = Any

_cache_hits: list[str] = []
jax.monitoring.register_event_listener(
    lambda event, **_: _cache_hits.append(event) if event == "/jax/compilation_cache/cache_hits" else None
)


class Curves(NamedTuple):
    """What one run is known by, on the host.

    Attributes:
      metrics: {split: {metric: float32 (points,)}}.
      grad_evals, diverged: as in `bench.train.Trajectory`.
      distance: Euclidean, from the initial to the last parameters.
    """

    metrics: Metrics
    grad_evals: np.ndarray
    diverged: np.ndarray
    distance: float


@dataclass(frozen=True)
class Program:
    """A compiled cell with its data on the device.

    Attributes:
      call: the compiled `bench.train.Run`.
      evaluator: (vectors of parameters (points, size), evaluation) to metrics (points,), compiled.
      trace_s: seconds to trace and lower.
      compile_s: seconds to compile, or to load what an earlier process compiled.
      cached: whether it was loaded.
      evaluation_s: seconds to make the task's evaluation, 0 where this process had it.
      param_bytes, state_bytes: sizes of the parameters and of the optimizer's state beside them.
    """

    task: Task
    optimizer: Optimizer
    protocol: Protocol
    model: Model
    data: Data
    call: Callable[..., Trajectory]
    evaluator: Callable[..., Metrics]
    trace_s: float
    compile_s: float
    cached: bool
    evaluation_s: float
    param_bytes: int
    state_bytes: int

    @property
    def points(self) -> np.ndarray:
        """The steps after which the protocol reads a curve."""
        return self.protocol.points(self.task.steps)

    def start(self, replicate: int, seed: str) -> Start:
        """The start of the task's runs on (replicate, seed); the same for every optimizer."""
        return _start(self.task, replicate, seed)

    def train(self, start: Start, hparams: Mapping[str, float], points: np.ndarray | None = None) -> Trajectory:
        """Training alone, finished when this returns.

        Hyperparameters not given keep their defaults; `points` those of the protocol.
        """
        at = self.points if points is None else points
        settings = _scalars({**self.optimizer.start, **hparams})
        return jax.block_until_ready(self.call(self.data.train, start, settings, at))

    def run(self, start: Start, hparams: Mapping[str, float], points: np.ndarray | None = None) -> Curves:
        """One run, trained and evaluated."""
        trajectory = self.train(start, hparams, points)
        metrics, spent, diverged = jax.device_get(
            (self.evaluator(trajectory.evaluated, self.data.evaluation), trajectory.grad_evals, trajectory.diverged)
        )
        return Curves(metrics, spent, diverged, trajectory.distance(start))


def compile_program(task: Task, optimizer: Optimizer, protocol: Protocol) -> Program:
    """Traces and compiles the cell's training run, and the task's evaluation where that has not been done yet."""
    model, data = _opened(task)
    example = _start(task, 0, "example")
    points = protocol.points(task.steps)
    made = time.perf_counter()
    evaluator = _evaluator(task, len(points))
    begin = time.perf_counter()
    lowered = jax.jit(train(task, optimizer, protocol)).lower(data.train, example, _scalars(optimizer.start), points)
    traced, hits = time.perf_counter(), len(_cache_hits)
    compiled = lowered.compile()
    done = time.perf_counter()
    state = jax.eval_shape(lambda p: optimizer.make().init(p), example.params)
    return Program(
        task=task,
        optimizer=optimizer,
        protocol=protocol,
        model=model,
        data=data,
        call=compiled,
        evaluator=evaluator,
        trace_s=traced - begin,
        compile_s=done - traced,
        cached=len(_cache_hits) > hits,
        evaluation_s=begin - made,
        param_bytes=_bytes(example.params),
        state_bytes=_bytes(state),
    )


@lru_cache(maxsize=4)
def _opened(task: Task) -> tuple[Model, Data]:
    return task.build(), jax.device_put(task.data())


@lru_cache(maxsize=64)
def _evaluator(task: Task, points: int) -> Callable[..., Metrics]:
    """The task's evaluation at so many points, one after another, so that activations are kept for one at a time."""
    model, data = _opened(task)
    params = _start(task, 0, "example").params
    vector, unravel = ravel_pytree(params)
    several = jax.ShapeDtypeStruct((points, *vector.shape), vector.dtype)
    evaluate = jax.jit(lambda vectors, rows: jax.lax.map(lambda v: model.evaluate(unravel(v), rows), vectors))
    return evaluate.lower(several, data.evaluation).compile()


@lru_cache(maxsize=64)
def _start(task: Task, replicate: int, seed: str) -> Start:
    model, data = _opened(task)
    digest = hashlib.sha256(f"{task.name}/{replicate}/{seed}".encode()).digest()
    words = np.frombuffer(digest, "<u4")
    key = jax.random.wrap_key_data(jnp.asarray(words[:2]), impl=GENERATOR)
    rng = np.random.RandomState(words)
    order = epochs(data.rows, task.batch_size or data.rows, task.steps, rng)
    keys = rng.randint(0, 2**32, (task.steps, 2, 2), np.uint32)
    return jax.device_put(Start(model.init(key), jnp.asarray(order), jnp.asarray(keys)))


def epochs(rows: int, batch: int, steps: int, rng: np.random.RandomState) -> np.ndarray:
    """int32 (steps, batch): rows drawn epoch by epoch without replacement, the last partial batch of each dropped.

    Raises:
      UserError: a batch is larger than the data.
    """
    per_epoch = rows // batch
    if not per_epoch:
        raise UserError(f"a batch of {batch} rows cannot be drawn from {rows}")
    whole = [rng.permutation(rows)[: per_epoch * batch].reshape(-1, batch) for _ in range(-(-steps // per_epoch))]
    return np.concatenate(whole)[:steps].astype(np.int32)


def _scalars(hparams: Mapping[str, float]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, np.float32) for name, value in sorted(hparams.items())}


def _bytes(tree: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
