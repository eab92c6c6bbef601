"""LaProp: Adam's two halves in the other order, normalisation before momentum.

Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1.

    v <- b2 v + (1 - b2) g^2
    m <- b1 m + (1 - b1) g / (sqrt(v^) + eps),  v^ = v / (1 - b2^t)
    theta <- theta - lr m / (1 - b1^t)

4e-4 and 1e-15 are the authors'. Epsilon is added to the root of the corrected v^, as in timm.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class LaPropState(NamedTuple):
    """Steps taken, and running means of normalised gradients and of gradients' squares, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def laprop(
    learning_rate: Scalar = 4e-4, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-15
) -> optax.GradientTransformationExtraArgs:
    """Steps along a running mean of normalised gradients; `b1` and `b2` in [0, 1), whatever one is to the other."""

    def init(params: Params) -> LaPropState:
        return LaPropState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: LaPropState) -> tuple[PyTree, LaPropState]:
        step = state.step + 1
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        c1, c2 = correction(step, 1 - b1), correction(step, 1 - b2)
        mu = average(state.mu, jax.tree.map(lambda g, v: g / (jnp.sqrt(v / c2) + eps), grads, nu), 1 - b1)
        return jax.tree.map(lambda m: -learning_rate * m / c1, mu), LaPropState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=laprop,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3))},
    paper="Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1",
    flat=True,
)
