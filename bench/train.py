"""The spine: one training run as one pure function. Nothing else in the project trains.

`jit`, batching, processes and clusters are wrapped around the function that `train` returns, never put inside it.
One compiled program per (task, optimizer) then serves every trial, seed, replicate and timing: settings, starts,
evaluation points and whether to evaluate at all are arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from bench.protocol import Protocol
from bench.schedule import SHAPES
from bench.task import Data, Metrics, Task
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


class Curves(NamedTuple):
    """What one run leaves.

    Attributes:
      metrics: {split: {metric: float32 (points,)}}; zeros where the run was not evaluated.
      grad_evals: int32 (points,), gradient evaluations spent at each point.
      diverged: int32, the first step whose loss was not finite; -1 if none was.
      params: the last parameters.
    """

    metrics: Metrics
    grad_evals: jax.Array
    diverged: jax.Array
    params: PyTree

    def distance(self, start: Start) -> float:
        """Euclidean distance from the initial to the last parameters; on the host, as it would lengthen a program."""
        pairs = zip(jax.tree.leaves(self.params), jax.tree.leaves(start.params), strict=True)
        return float(np.sqrt(sum(np.sum((np.asarray(a, np.float64) - np.asarray(b)) ** 2) for a, b in pairs)))


Run = Callable[[Data, Start, Mapping[str, jax.Array], jax.Array, jax.Array], Curves]


def train(task: Task, optimizer: Optimizer, protocol: Protocol) -> Run:
    """The training run of one cell.

    Returns:
      run(data, start, hparams, points, evaluate): `hparams` float32 scalars by name, those not given keep the
      optimizer's defaults; `points` int32 (points,), the gradient evaluations after which to evaluate, ascending, the
      last of them the length of the run (steps, unless a step of the optimizer takes several); `evaluate` a bool
      scalar, False to train only (for timing). All but `task`, `optimizer` and `protocol` is traced. A run that
      diverges goes on with its NaN and says at which step it began.
    """
    model = task.build()
    shape = SHAPES[protocol.schedule]
    default_rate = optimizer.defaults.get("learning_rate")

    def transform(hparams: Mapping[str, jax.Array], spent: jax.Array) -> Any:
        rate = hparams.get("learning_rate", default_rate)
        scheduled = {} if rate is None else {"learning_rate": rate * shape(spent / task.steps)}
        return optimizer.make(**{**hparams, **scheduled})

    def run(
        data: Data, start: Start, hparams: Mapping[str, jax.Array], points: jax.Array, evaluate: jax.Array
    ) -> Curves:
        def spent(carry: PyTree) -> jax.Array:
            _, state, _, index = carry
            return index if optimizer.grad_evals is None else optimizer.grad_evals(state)

        def step(carry: PyTree) -> PyTree:
            params, state, diverged, index = carry
            at = index % len(start.order)  # a run longer than the budget, for timing, begins anew
            rows = start.order[at]
            batch = jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data.train)
            loss_key, update_key = (jax.random.wrap_key_data(start.keys[at, part], impl=GENERATOR) for part in range(2))
            objective = lambda p, key=None: model.loss(p, batch, loss_key)  # noqa: E731  # the batch's loss, also for line searches
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

        def measure(carry: PyTree) -> Metrics:
            params, state, *_ = carry
            return model.evaluate(optimizer.eval_params(state, params), data.evaluation)

        zero = jnp.int32(0)
        # Made with the rate at its peak: a schedule may begin at zero, and a rule may take its first length from it.
        initial = (start.params, optimizer.make(**hparams).init(start.params), zero - 1, zero)
        nothing = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(measure, initial))

        def period(carry: PyTree, point: jax.Array) -> tuple[PyTree, PyTree]:
            carry = lax.while_loop(lambda c: spent(c) < point, step, carry)
            return carry, (lax.cond(evaluate, measure, lambda _: nothing, carry), spent(carry))

        (params, _, diverged, _), (metrics, grad_evals) = lax.scan(period, initial, points)
        return Curves(metrics, grad_evals, diverged, params)

    return run
