"""AdaBound: Adam whose rates are clipped to a band that narrows to SGD's.

Luo, Xiong, Liu & Sun, 2019, arXiv:1902.09843, Algorithm 2, with Adam's corrections as in the authors' code.

    a = lr sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + eps),  m and v as in adam.py
    theta <- theta - clip(a, lower, upper) m
    lower = final_learning_rate (1 - 1 / (gamma t + 1)),   upper = final_learning_rate (1 + 1 / (gamma t))

The constants are the authors'. Their code moves the final rate along with a schedule; here it stays.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdaBoundState(NamedTuple):
    """Steps taken, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def adabound(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    final_learning_rate: Scalar = 0.1,
    gamma: Scalar = 1e-3,
) -> optax.GradientTransformationExtraArgs:
    """Adam at first, SGD with momentum in the end; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> AdaBoundState:
        return AdaBoundState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdaBoundState) -> tuple[PyTree, AdaBoundState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        rate = learning_rate * jnp.sqrt(correction(step, 1 - b2)) / correction(step, 1 - b1)
        lower = final_learning_rate * (1 - 1 / (gamma * step + 1))
        upper = final_learning_rate * (1 + 1 / (gamma * step))
        updates = jax.tree.map(lambda m, v: -jnp.clip(rate / (jnp.sqrt(v) + eps), lower, upper) * m, mu, nu)
        return updates, AdaBoundState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adabound,
    space={"learning_rate": log_uniform(1e-4, 0.3), "final_learning_rate": log_uniform(1e-3, 3.0)},
    wide={
        "b1": one_minus(log_uniform(1e-2, 0.5)),
        "b2": one_minus(log_uniform(1e-4, 0.3)),
        "gamma": log_uniform(1e-5, 1e-1),
    },
    paper="Luo, Xiong, Liu & Sun, 2019, arXiv:1902.09843, Algorithm 2",
    flat=True,
)
