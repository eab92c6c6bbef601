"""Adan: Nesterov momentum from differences of gradients, under an adaptive rate.

Xie et al., 2022, arXiv:2208.06677, Algorithm 1.

    d = g - g_before, 0 in the first step
    m <- b1 m + (1 - b1) g,   v <- b2 v + (1 - b2) d,   n <- b3 n + (1 - b3) (g + b2 d)^2
    theta <- (theta - lr (m^ + b2 v^) / (sqrt(n^) + eps)) / (1 + lr weight_decay),  all three corrected as in adam.py

The constants here are what is kept, as in all code: 0.98, 0.92, 0.99; the paper writes what is new. The decay is the
paper's proximal one. optax 0.2.8 has 1 - b2 where b2 belongs, and is no reference.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdanState(NamedTuple):
    """Steps taken, the gradient before, and running means of gradients, their differences and of squares."""

    step: jax.Array  # int32 scalar
    previous: PyTree  # like params
    mu: PyTree  # like params
    delta: PyTree  # like params
    nu: PyTree  # like params


def adan(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.98,
    b2: Scalar = 0.92,
    b3: Scalar = 0.99,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Adam's form with the gradient as it will be after a step like the last; `b1`, `b2`, `b3` in [0, 1)."""

    def init(params: Params) -> AdanState:
        return AdanState(jnp.zeros((), jnp.int32), *(zeros_like(params) for _ in range(4)))

    def update(grads: PyTree, state: AdanState, params: Params) -> tuple[PyTree, AdanState]:
        step = state.step + 1
        change = jax.tree.map(lambda g, before: jnp.where(step == 1, 0.0, g - before), grads, state.previous)
        mu, delta = average(state.mu, grads, 1 - b1), average(state.delta, change, 1 - b2)
        nu = average(state.nu, jax.tree.map(lambda g, d: jnp.square(g + b2 * d), grads, change), 1 - b3)
        c1, c2, c3 = (correction(step, 1 - b) for b in (b1, b2, b3))
        shrink = 1 / (1 + learning_rate * weight_decay)

        def scaled(m: jax.Array, v: jax.Array, n: jax.Array, p: jax.Array) -> jax.Array:
            move = -learning_rate * (m / c1 + b2 * v / c2) / (jnp.sqrt(n / c3) + eps)
            return shrink * (move - learning_rate * weight_decay * p)

        return jax.tree.map(scaled, mu, delta, nu, params), AdanState(step, grads, mu, delta, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adan,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(5e-3, 0.3))},
    wide={
        "b2": one_minus(log_uniform(0.01, 0.5)),
        "b3": one_minus(log_uniform(1e-3, 0.1)),
        "eps": log_uniform(1e-10, 1e-2),
    },
    paper="Xie et al., 2022, arXiv:2208.06677, Algorithm 1",
    flat=True,
)
