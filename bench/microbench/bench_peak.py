"""What part of the machine's arithmetic training uses, on one core: its operations a second over those of a product of
two large matrices, the better of NumPy's and JAX's."""

import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest

import optimizers
from bench import tasks
from bench.microbench.results import Goal
from bench.microbench.turns import Pace, grows, in_turns
from bench.program import compile_program
from bench.protocol import Protocol
from bench.tasks.mlp import Mlp
from bench.train import distance

SIZE = 1024
WIDE = "mnist_5k(widths=(784, 256, 256, 10))"


def paced(operations: float, work: Callable[[], Any]) -> Pace:
    """Operations a second while the work is done."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Pace(operations / (time.perf_counter() - wall), operations / (time.process_time() - cpu))


def product() -> Pace:
    """Operations a second of a float32 product of two square matrices."""
    a, b = (np.random.RandomState(seed).rand(SIZE, SIZE).astype(np.float32) for seed in (0, 1))
    multiply = jax.jit(jax.numpy.matmul)
    jax.block_until_ready(multiply(a, b))
    works = (lambda: a @ b, lambda: jax.block_until_ready(multiply(a, b)))
    return max((paced(2.0 * SIZE**3, work) for work in works for _ in range(3)), key=lambda pace: pace.cpu_rate)


@pytest.mark.parametrize("spec", ["mnist_5k", WIDE], ids=["mnist_5k", "784-256-256-10"])
def bench_peak(benchmark: Any, rounds: int, spec: str) -> None:
    """Share of the peak, by process time: of the multiplications and additions that the matrices of a step take."""
    task = tasks.get(spec)
    assert isinstance(task, Mlp)
    assert task.batch_size is not None
    program = compile_program(task, optimizers.get("adam"), Protocol())
    start, hparams = program.start(0, "0"), program.optimizer.start
    weights = [a * b for a, b in pairwise(task.widths)]
    # Forward, and back to the weights and to every layer but the first.
    operations = 2.0 * task.batch_size * task.steps * (3 * sum(weights) - weights[0])

    def train(runs: int = 1) -> float:
        for _ in range(runs):
            trajectory = program.train(start, hparams)
        return distance(start, trajectory.params)

    moved = train()

    def seconds(runs: int) -> float:
        return 1 / paced(1.0, partial(train, runs)).cpu_rate

    grows(lambda: seconds(1), lambda: seconds(2), moved)
    in_turns(benchmark, lambda: paced(operations, train), product, Goal(0.7, unit=""), rounds, by_cpu=True)
