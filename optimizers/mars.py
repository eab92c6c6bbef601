"""MARS: Adam on gradients whose noise is reduced by the change since the last one.

Yuan et al., 2024, arXiv:2411.10438, Algorithm 2 with AdamW's step, without weight decay.

    c = g + gamma b1 / (1 - b1) (g - g before),   c <- c / max(1, ||c||) per array
    m, v, theta as in adam.py with c for g

The gradient before the first is taken to be the first, as in timm; pytorch_optimizer starts from zero. The exact form
takes the old parameters' gradient on the new batch, at twice the cost; this is the authors' approximate one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, norm, zeros_like
from optimizers._space import log_uniform, one_minus
from optimizers.adam import adam


class MarsState(NamedTuple):
    """Steps taken, the last gradient, and Adam's state."""

    step: jax.Array  # int32 scalar
    previous: PyTree  # like params
    adam: PyTree


def mars(
    learning_rate: Scalar = 3e-3,
    b1: Scalar = 0.95,
    b2: Scalar = 0.99,
    eps: Scalar = 1e-8,
    gamma: Scalar = 0.025,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step for corrected, clipped gradients; `b1` and `b2` in [0, 1)."""
    inner = adam(learning_rate, b1, b2, eps)

    def init(params: Params) -> MarsState:
        return MarsState(jnp.zeros((), jnp.int32), zeros_like(params), inner.init(params))

    def update(grads: PyTree, state: MarsState) -> tuple[PyTree, MarsState]:
        weight = jnp.where(state.step > 0, gamma * b1 / (1 - b1), 0.0)

        def corrected(g: jax.Array, before: jax.Array) -> jax.Array:
            c = g + weight * (g - before)
            return c / jnp.maximum(1.0, norm(c))

        updates, after = inner.update(jax.tree.map(corrected, grads, state.previous), state.adam)
        return updates, MarsState(state.step + 1, grads, after)

    return in_float32(init, update)


optimizer = Optimizer(
    make=mars,
    space={"learning_rate": log_uniform(1e-4, 0.3), "gamma": log_uniform(2e-3, 0.3)},
    wide={
        "b1": one_minus(log_uniform(1e-2, 0.5)),
        "b2": one_minus(log_uniform(1e-3, 0.3)),
        "eps": log_uniform(1e-10, 1e-2),
    },
    paper="Yuan et al., 2024, arXiv:2411.10438, Algorithm 2",
)
