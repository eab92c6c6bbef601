"""diffGrad: Adam that halves its step where the gradient does not change.

Dubey et al., 2019, arXiv:1909.11015, section III.

    xi = 1 / (1 + exp(-|g_before - g|)),  g_before = 0 in the first step
    theta <- theta - lr sqrt(1 - b2^t) / (1 - b1^t) xi m / (sqrt(v) + eps),  m and v as in adam.py

Epsilon is added to the root of the raw v, as in the authors' code.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class DiffGradState(NamedTuple):
    """Steps taken, the gradient before, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    previous: PyTree  # like params
    mu: PyTree  # like params
    nu: PyTree  # like params


def diffgrad(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Adam's step times a friction between a half and one; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> DiffGradState:
        return DiffGradState(jnp.zeros((), jnp.int32), *(zeros_like(params) for _ in range(3)))

    def update(grads: PyTree, state: DiffGradState) -> tuple[PyTree, DiffGradState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        rate = learning_rate * jnp.sqrt(correction(step, 1 - b2)) / correction(step, 1 - b1)
        friction = jax.tree.map(lambda before, g: jax.nn.sigmoid(jnp.abs(before - g)), state.previous, grads)
        updates = jax.tree.map(lambda x, m, v: -rate * x * m / (jnp.sqrt(v) + eps), friction, mu, nu)
        return updates, DiffGradState(step, grads, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=diffgrad,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Dubey et al., 2019, arXiv:1909.11015, section III",
    flat=True,
)
