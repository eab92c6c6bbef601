"""One compiled program per cell, one per task that evaluates, and the starts that runs share.

Programs are compiled ahead of their first run, so that compiling is timed apart. A cell's trains for every trial, seed,
replicate and timing of the cell; a task's evaluates what those of all optimizers leave.

A program may have several lanes, each with a run of its own: all take their steps together. That is for accelerators,
which a small network's step leaves idle.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from bench.errors import UserError
from bench.protocol import FOLDS, Protocol
from bench.task import Data, Metrics, Model, Task
from bench.train import GENERATOR, Start, Trajectory, distance, train
from optimizers import Optimizer

PyTree = Any
OPEN = 1 + FOLDS  # tasks whose data a process holds: one with its folds
Work = tuple[Start, Mapping[str, float]]  # a run: where it begins, and its hyperparameters

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
      lanes: runs in one call; with more than one, every array that a run has of its own has a leading axis for them.
      call: the compiled `bench.train.Run`.
      evaluator: (vectors of parameters (points, size), evaluation) to metrics (points,), compiled.
      trace_s: seconds to trace and lower.
      compile_s: seconds to compile, or to load what an earlier process compiled.
      cached: whether it was loaded.
      evaluation_s: seconds to make the task's evaluation, 0 where this process had it.
      param_bytes, state_bytes: sizes of the parameters and of the optimizer's state beside them.
      folds: the cell on each fold of the protocol's cross-validation, if it has one.
    """

    task: Task
    optimizer: Optimizer
    protocol: Protocol
    model: Model
    data: Data
    lanes: int
    call: Callable[..., Trajectory]
    evaluator: Callable[..., Metrics]
    trace_s: float
    compile_s: float
    cached: bool
    evaluation_s: float
    param_bytes: int
    state_bytes: int
    folds: tuple["Program", ...] = ()

    @property
    def points(self) -> np.ndarray:
        """The steps after which the protocol reads a curve."""
        return self.protocol.points(self.task.steps)

    def start(self, replicate: int, seed: str) -> Start:
        """The start of the task's runs on (replicate, seed); the same for every optimizer."""
        return _start(self.task, replicate, seed)

    def train(self, start: Start, hparams: Mapping[str, Any], points: np.ndarray | None = None) -> Trajectory:
        """One call, training alone, finished when this returns.

        Hyperparameters not given keep their defaults; `points` those of the protocol.
        """
        at = self.points if points is None else points
        settings = _scalars({**self.optimizer.start, **hparams})
        return jax.block_until_ready(self.call(self.data.train, start, settings, at))

    def run(self, start: Start, hparams: Mapping[str, float], points: np.ndarray | None = None) -> Curves:
        """One run, trained and evaluated."""
        return self.runs([(start, hparams)], points)[0]

    def runs(self, of: Sequence[Work], points: np.ndarray | None = None) -> list[Curves]:
        """Runs, trained and evaluated, as many at a time as there are lanes."""
        curves = []
        for first in range(0, len(of), self.lanes):
            now = of[first : first + self.lanes]
            trajectory = self.train(*self.abreast(now), points)
            metrics = self.evaluator(trajectory.evaluated, self.data.evaluation)
            ends = (trajectory.grad_evals, trajectory.diverged, trajectory.params)
            for (start, _), told in zip(now, self.apart((metrics, *ends)), strict=False):
                own, grad_evals, diverged, params = told
                curves.append(Curves(own, grad_evals, diverged, distance(start, params)))
        return curves

    def abreast(self, work: Sequence[Work]) -> tuple[Start, Mapping[str, Any]]:
        """Runs, no more than there are lanes, as the arguments of one call; the last one fills the lanes left."""
        if self.lanes == 1:
            return work[0]
        filled = [*work, *[work[-1]] * (self.lanes - len(work))]
        starts = jax.device_get([start for start, _ in filled])
        settings = [{**self.optimizer.start, **hparams} for _, hparams in filled]
        return jax.tree.map(lambda *a: np.stack(a), *starts), jax.tree.map(lambda *a: np.stack(a), *settings)

    def apart(self, tree: PyTree) -> list[PyTree]:
        """What came of a call, by lane and on the host."""
        told = jax.device_get(tree)
        if self.lanes == 1:
            return [told]
        return [jax.tree.map(itemgetter(lane), told) for lane in range(self.lanes)]


def compile_program(task: Task, optimizer: Optimizer, protocol: Protocol, lanes: int = 1) -> Program:
    """Traces and compiles the cell's training run, and the task's evaluation where that has not been done yet; and the
    same for the folds of a cross-validation, which share one program where their arrays have the same shapes."""
    whole = _compiled(task, optimizer, protocol, lanes)
    folds: list[Program] = []
    for number in range(protocol.folds):
        fold = task.folded(number, protocol.folds)
        data = _opened(fold)[1]
        like = next((known for known in folds if _shapes(known.data) == _shapes(data)), None)
        if like is None:
            folds.append(_compiled(fold, optimizer, protocol, lanes))
        else:
            folds.append(replace(like, task=fold, data=data))
    return replace(whole, folds=tuple(folds))


def _shapes(tree: PyTree) -> list[tuple[tuple[int, ...], str]]:
    return [(leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(tree)]


def _compiled(task: Task, optimizer: Optimizer, protocol: Protocol, lanes: int) -> Program:
    model, data = _opened(task)
    example = _start(task, 0, "example")
    points = protocol.points(task.steps)
    made = time.perf_counter()
    evaluator = _evaluator(task, len(points), lanes)
    begin = time.perf_counter()
    run = train(task, optimizer, protocol)
    own = (example, _scalars(optimizer.start))
    if lanes > 1:
        run = jax.vmap(run, in_axes=(None, 0, 0, None))
        own = jax.tree.map(lambda a: jax.ShapeDtypeStruct((lanes, *a.shape), a.dtype), own)
    lowered = jax.jit(run).lower(data.train, *own, points)
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
        lanes=lanes,
        call=compiled,
        evaluator=evaluator,
        trace_s=traced - begin,
        compile_s=done - traced,
        cached=len(_cache_hits) > hits,
        evaluation_s=begin - made,
        param_bytes=_bytes(example.params),
        state_bytes=_bytes(state),
    )


@lru_cache(maxsize=OPEN)
def _opened(task: Task) -> tuple[Model, Data]:
    return task.build(), jax.device_put(task.data())


@lru_cache(maxsize=64)
def _evaluator(task: Task, points: int, lanes: int) -> Callable[..., Metrics]:
    """The task's evaluation at so many points, one after another, so that activations are kept for one at a time."""
    model, data = _opened(task)
    params = _start(task, 0, "example").params
    vector, unravel = ravel_pytree(params)

    def evaluate(vectors: jax.Array, rows: PyTree) -> Metrics:
        return jax.lax.map(lambda v: model.evaluate(unravel(v), rows), vectors)

    def abreast(vectors: jax.Array, rows: PyTree) -> Metrics:
        at_point = jax.vmap(lambda v: model.evaluate(unravel(v), rows))
        return jax.tree.map(lambda m: m.swapaxes(0, 1), jax.lax.map(at_point, vectors.swapaxes(0, 1)))

    shape = (points, *vector.shape) if lanes == 1 else (lanes, points, *vector.shape)
    several = jax.ShapeDtypeStruct(shape, vector.dtype)
    return jax.jit(evaluate if lanes == 1 else abreast).lower(several, data.evaluation).compile()


@lru_cache(maxsize=256)
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
