"""Where a step of the reference task goes: each part alone in a compiled loop, on one core.

Beside a part's seconds stand its operations and the bytes that it has to read and write, whatever caches do; with the
peaks of `bench_peak` and of a copy these give the roofline (Williams, Waterman & Patterson, 2009,
doi:10.1145/1498765.1498785): how fast each part could be at best, and what it is bound by.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import optimizers
from bench import tasks
from bench.microbench.results import Goal
from bench.microbench.turns import grows, note
from bench.product import product
from bench.program import Program, compile_program
from bench.protocol import Protocol
from bench.tasks.mlp import Mlp

FLOAT = 4  # bytes
COPIED = 2**25  # numbers, 134 MB: more than caches hold
Loop = Callable[[int], Any]


@dataclass(frozen=True)
class Part:
    """A part of the work.

    Attributes:
      loop: does it so many times, and returns what came of it.
      operations, moved: multiplications and additions, and bytes, of doing it once.
    """

    loop: Loop
    operations: float
    moved: float


def repeated(once: Callable[[Any, jax.Array], Any], carry: Any) -> Loop:
    """`once(carry, index)` to the next carry, in a compiled loop that begins with `carry`."""
    run = jax.jit(lambda carry, length: jax.lax.fori_loop(0, length, lambda i, c: once(c, i), carry))
    return lambda length: jax.block_until_ready(run(carry, jnp.int32(length)))


def nudged(array: jax.Array, by: jax.Array) -> jax.Array:
    """The array with one number changed, so that a loop's next turn is not the one before."""
    return array.at[0, 0].add(1e-6 * by[0, 0])


def parts(program: Program) -> dict[str, Part]:
    """The parts of a step, a whole step, an evaluation, and what takes curves to the host."""
    task, start, rows = program.task, program.start(0, "0"), program.data.train
    assert isinstance(task, Mlp)
    batch, (inputs, hidden, outputs) = task.batch_size or 0, task.widths
    vector, unravel = ravel_pytree(start.params)
    x, kernel = rows["x"][:batch], start.params["Dense_0"]["kernel"]
    upstream = jnp.asarray(np.random.RandomState(0).standard_normal((batch, hidden)), jnp.float32)
    both = hidden * (inputs + outputs)
    wide = 2.0 * batch * inputs * hidden
    sizes = FLOAT * (batch * inputs + inputs * hidden + batch * hidden)
    tx = optimizers.get("adam").make()
    evaluated = len(program.data.evaluation["x"])
    gathered = 2 * FLOAT * batch * inputs

    def gather(_: jax.Array, index: jax.Array) -> jax.Array:
        return rows["x"].at[start.order[index % len(start.order)]].get(mode="promise_in_bounds")

    def forward(carry: Any, _: jax.Array) -> Any:
        matrix, _ = carry
        y = product(x, matrix)
        return nudged(matrix, y), y

    def backward(carry: Any, _: jax.Array) -> Any:
        dy, _ = carry
        gradient = jax.vjp(lambda matrix: product(x, matrix), kernel)[1](dy)[0]
        return nudged(dy, gradient), gradient

    def update(carry: Any, _: jax.Array) -> Any:
        params, state = carry
        updates, state = tx.update(0.1 * params + 0.3, state, params)
        return optax.apply_updates(params, updates), state

    def evaluate(carry: Any, _: jax.Array) -> Any:
        matrix, _ = carry
        told = program.model.evaluate(unravel(matrix.ravel()), program.data.evaluation)["train"]["loss"]
        return nudged(matrix, told[None, None]), told

    def train(length: int) -> Any:
        points = np.round(np.linspace(0, length, len(program.points))).astype(np.int32)
        return program.train(start, program.optimizer.start, points).params

    step = wide * 2 + 6.0 * batch * hidden * outputs
    return {
        "gather": Part(repeated(gather, x), 0.0, gathered),
        "forward": Part(repeated(forward, (kernel, upstream)), wide, sizes),
        "backward": Part(repeated(backward, (upstream, kernel)), wide, sizes),
        "update": Part(repeated(update, (vector, tx.init(vector))), 12.0 * vector.size, 7 * FLOAT * vector.size),
        "whole step": Part(train, step, gathered + 2 * sizes + 7 * FLOAT * vector.size),
        "evaluation": Part(
            repeated(evaluate, (vector[None], jnp.float32(0))),
            2.0 * evaluated * both,
            FLOAT * evaluated * (inputs + hidden + outputs),
        ),
        "copy": Part(repeated(lambda c, _: -c, jnp.ones(COPIED)), 0.0, 2 * FLOAT * COPIED),
    }


def timed(part: Part, length: int) -> float:
    """Process seconds of that many turns, without what a call takes beside them."""

    def called(length: int) -> float:
        begin = time.process_time()
        part.loop(length)
        return time.process_time() - begin

    return called(length) - min(called(0) for _ in range(3))


NAMES = ("gather", "forward", "backward", "update", "whole step", "evaluation", "copy")


@pytest.mark.parametrize("name", NAMES)
def bench_parts(benchmark: Any, rounds: int, name: str) -> None:
    """Microseconds of process time of one turn."""
    program = compile_program(tasks.get("mnist_5k"), optimizers.get("adam"), Protocol())
    part = parts(program)[name]
    timed(part, 2)
    length = 2
    while length < 4096 and timed(part, length) < 0.02:
        length *= 2
    taken = []

    def measure() -> None:
        taken.append(1e6 * timed(part, 2 * length) / (2 * length))

    grows(lambda: timed(part, length), lambda: timed(part, 2 * length), distance=1.0)
    benchmark.pedantic(measure, rounds=rounds)
    note(benchmark, taken, Goal(unit=" us"), operations=part.operations, moved=part.moved)
