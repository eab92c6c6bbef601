"""The spine: one training run as one pure function. Nothing else in the project trains.

`jit`, batching, processes and clusters are wrapped around the function that `train` returns, never put inside it.
One compiled program per (task, optimizer) then serves every trial, seed, replicate and timing: settings, starts and
evaluation points are arguments. Evaluation is not in it: what it would read of the parameters is returned instead, so
that one program per task evaluates them for every optimizer, and a run that is timed does nothing but train.

For a rule to which shapes mean nothing all parameters are one vector, so that each of its operations is one for all of
them: of a program's compile time and of a small network's step the number of operations is the larger part.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.flatten_util import ravel_pytree

from bench.protocol import Protocol
from bench.schedule import SHAPES
from bench.task import Task
from optimizers import Optimizer

PyTree = Any
GENERATOR = "threefry2x32"  # whatever JAX's default is: the same numbers on every device


class Start(NamedTuple):
    """Where a run begins. Made outside from (task, replicate, seed) alone, so that optimizers are paired on it.

    Attributes:
      params: initial parameters.
      order: int32 (steps, batch), the training rows of each step.
      keys: uint32 (steps, 2, 2), the bits of two keys for each step: for what is random in its loss, and in its update.
    """

    params: PyTree
    order: jax.Array
    keys: jax.Array


class Trajectory(NamedTuple):
    """What training leaves, as far as it is read. Parameters are vectors, their leaves side by side.

    Attributes:
      evaluated: the parameters to evaluate at each point, (points, size).
      grad_evals: int32 (points,), gradient evaluations spent at each point.
      diverged: int32, the first step whose loss was not finite; -1 if none was.
      params: the last parameters, as they are trained, (size,).
    """

    evaluated: jax.Array
    grad_evals: jax.Array
    diverged: jax.Array
    params: jax.Array


def distance(start: Start, params: jax.Array) -> float:
    """Euclidean, from a start to parameters (size,); on the host, as it would lengthen a program."""
    first = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(start.params)])
    return float(np.linalg.norm(np.asarray(params, np.float64) - first))


Run = Callable[[PyTree, Start, Mapping[str, jax.Array], jax.Array], Trajectory]


def train(task: Task, optimizer: Optimizer, protocol: Protocol) -> Run:
    """The training run of one cell.

    Returns:
      run(rows, start, hparams, points): `rows` the task's training rows; `hparams` float32 scalars by name, those not
      given keep the optimizer's defaults; `points` int32 (points,), the gradient evaluations after which the parameters
      are kept for evaluation, ascending, the last of them the length of the run (steps, unless a step of the optimizer
      takes several). All but `task`, `optimizer` and `protocol` is traced. A run that diverges goes on with its NaN and
      says at which step it began.
    """
    model = task.build()
    shape = SHAPES[protocol.schedule]
    default_rate = optimizer.defaults.get("learning_rate")

    def transform(hparams: Mapping[str, jax.Array], spent: jax.Array) -> Any:
        rate = hparams.get("learning_rate", default_rate)
        scheduled = {} if rate is None else {"learning_rate": rate * shape(spent / task.steps)}
        return optimizer.make(**{**hparams, **scheduled})

    def run(rows: PyTree, start: Start, hparams: Mapping[str, jax.Array], points: jax.Array) -> Trajectory:
        vector, unravel = ravel_pytree(start.params)
        one_dtype = len({leaf.dtype for leaf in jax.tree.leaves(start.params)}) == 1
        params, tree = (vector, unravel) if optimizer.flat and one_dtype else (start.params, lambda p: p)

        def spent(carry: PyTree) -> jax.Array:
            _, state, _, index = carry
            return index if optimizer.grad_evals is None else optimizer.grad_evals(state)

        def step(carry: PyTree) -> PyTree:
            params, state, diverged, index = carry
            at = index % len(start.order)  # a run longer than the budget, for timing, begins anew
            batch = jax.tree.map(lambda a: a.at[start.order[at]].get(mode="promise_in_bounds"), rows)
            loss_key, update_key = (jax.random.wrap_key_data(start.keys[at, part], impl=GENERATOR) for part in range(2))
            objective = lambda p, key=None: model.loss(tree(p), batch, loss_key)  # noqa: E731  # the batch's loss, also for line searches
            value, grads = jax.value_and_grad(objective)(params)
            updates, state = transform(hparams, spent(carry)).update(
                grads, state, params, value=value, grad=grads, value_fn=objective, key=update_key
            )
            return (
                optax.apply_updates(params, updates),
                state,
                jnp.where((diverged < 0) & ~jnp.isfinite(value), index, diverged),
                index + 1,
            )

        def period(carry: PyTree, point: jax.Array) -> tuple[PyTree, PyTree]:
            carry = lax.while_loop(lambda c: spent(c) < point, step, carry)
            params, state, *_ = carry
            evaluated = jax.tree.map(lambda e, p: e.astype(p.dtype), optimizer.eval_params(state, params), params)
            return carry, (ravel_pytree(evaluated)[0], spent(carry))

        zero = jnp.int32(0)
        # Made with the rate at its peak: a schedule may begin at zero, and a rule may take its first length from it.
        initial = (params, optimizer.make(**hparams).init(params), zero - 1, zero)
        (params, _, diverged, _), (evaluated, grad_evals) = lax.scan(period, initial, points)
        return Trajectory(evaluated, grad_evals, diverged, ravel_pytree(params)[0])

    return run
