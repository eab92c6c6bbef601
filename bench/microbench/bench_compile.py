"""Seconds that compiling a cell's program takes on one core, tracing included, nothing cached."""

from collections.abc import Iterator
from typing import Any

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

import optimizers
from bench import suites, tasks
from bench.microbench.results import Goal
from bench.microbench.turns import note
from bench.program import compile_program
from bench.protocol import Protocol

MOST = 3  # rounds
CELLS = [("mnist_5k", name) for name in suites.DEFAULT] + [
    (task, "adam") for task in suites.SUITES["core"].tasks if task != "mnist_5k"
]


@pytest.fixture(autouse=True)
def without_cache() -> Iterator[None]:
    """Nothing comes from the cache on disk."""
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_enable_compilation_cache", True)
    compilation_cache.reset_cache()


@pytest.mark.parametrize(("task", "optimizer"), [pytest.param(*cell, id="--".join(cell)) for cell in CELLS])
def bench_compile(benchmark: Any, rounds: int, task: str, optimizer: str) -> None:
    """The program of one cell; the task's evaluation, which all its optimizers share, is compiled before."""
    cell = tasks.get(task), optimizers.get(optimizer), Protocol()
    taken = []

    def measure() -> None:
        program = compile_program(*cell)
        assert not program.cached
        taken.append(program.trace_s + program.compile_s)

    compile_program(*cell)
    benchmark.pedantic(measure, setup=jax.clear_caches, rounds=min(rounds, MOST))
    note(benchmark, taken, Goal(at_most=0.8, unit="s"))
