"""One compiled program per cell, and the starts that its runs share.

The program is compiled ahead of its first run, so that compiling is timed apart, and serves every trial, seed,
replicate and timing of the cell.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.monitoring
import jax.numpy as jnp
import numpy as np

from bench.errors import UserError
from bench.protocol import Protocol
from bench.task import Data, Model, Task
from bench.train import GENERATOR, Curves, Start, train
from optimizers import Optimizer

PyTree = Any

_cache_hits: list[str] = []
jax.monitoring.register_event_listener(
    lambda event, **_: _cache_hits.append(event) if event == "/jax/compilation_cache/cache_hits" else None
)


@dataclass(frozen=True)
class Program:
    """A compiled cell with its data on the device.

    Attributes:
      trace_s: seconds to trace and lower.
      compile_s: seconds to compile, or to load what an earlier process compiled.
      cached: whether it was loaded.
      param_bytes, state_bytes: sizes of the parameters and of the optimizer's state beside them.
    """

    task: Task
    optimizer: Optimizer
    protocol: Protocol
    model: Model
    data: Data
    call: Callable[..., Curves]
    trace_s: float
    compile_s: float
    cached: bool
    param_bytes: int
    state_bytes: int

    @property
    def points(self) -> np.ndarray:
        """The steps after which the protocol reads a curve."""
        return self.protocol.points(self.task.steps)

    def start(self, replicate: int, seed: str) -> Start:
        """The start of the task's runs on (replicate, seed); the same for every optimizer."""
        return _start(self.task, replicate, seed)

    def run(
        self, start: Start, hparams: Mapping[str, float], points: np.ndarray | None = None, evaluate: bool = True
    ) -> Curves:
        """One run, finished when this returns; arrays on the host.

        Hyperparameters not given keep their defaults; `points` those of the protocol.
        """
        at = self.points if points is None else points
        return jax.device_get(
            self.call(self.data, start, _scalars({**self.optimizer.start, **hparams}), at, np.bool_(evaluate))
        )


def compile_program(task: Task, optimizer: Optimizer, protocol: Protocol) -> Program:
    """Traces and compiles the cell's training run."""
    model, data = _opened(task)
    example = _start(task, 0, "example")
    points = protocol.points(task.steps)
    begin = time.perf_counter()
    run = jax.jit(train(task, optimizer, protocol))
    lowered = run.lower(data, example, _scalars(optimizer.start), points, np.bool_(True))
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
        trace_s=traced - begin,
        compile_s=done - traced,
        cached=len(_cache_hits) > hits,
        param_bytes=_bytes(example.params),
        state_bytes=_bytes(state),
    )


@lru_cache(maxsize=4)
def _opened(task: Task) -> tuple[Model, Data]:
    return task.build(), jax.device_put(task.data())


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
