"""MADGRAD: dual averaging with a cube root.

Defazio & Jelassi, 2021, arXiv:2101.11075, Algorithm 1.

    w = (lr + eps) sqrt(t)
    n <- n + w g^2,   s <- s + w g
    z = theta_0 - s / (cbrt(n) + eps)
    theta <- momentum theta + (1 - momentum) z

The paper's c is 1 - momentum; epsilon in w, so that a zero rate does not stop it, is in the authors' code.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, real, zeros_like
from optimizers._space import log_uniform, one_minus


class MadgradState(NamedTuple):
    """Steps taken, the initial parameters, and weighted sums of gradients and of their squares."""

    step: jax.Array  # int32 scalar
    start: PyTree  # like params
    sum: PyTree  # like params
    sum_of_squares: PyTree  # like params


def madgrad(
    learning_rate: Scalar = 0.01, momentum: Scalar = 0.9, eps: Scalar = 1e-6
) -> optax.GradientTransformationExtraArgs:
    """Follows a point that all gradients so far pull from the start; `momentum` in [0, 1)."""

    def init(params: Params) -> MadgradState:
        return MadgradState(jnp.zeros((), jnp.int32), params, zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: MadgradState, params: Params) -> tuple[PyTree, MadgradState]:
        step = state.step + 1
        weight = (learning_rate + eps) * jnp.sqrt(real(step))
        sums = jax.tree.map(lambda s, g: s + weight * g, state.sum, grads)
        squares = jax.tree.map(lambda n, g: n + weight * jnp.square(g), state.sum_of_squares, grads)
        updates = jax.tree.map(
            lambda p, p0, s, n: (1 - momentum) * (p0 - s / (jnp.cbrt(n) + eps) - p), params, state.start, sums, squares
        )
        return updates, MadgradState(step, state.start, sums, squares)

    return in_float32(init, update)


optimizer = Optimizer(
    make=madgrad,
    space={"learning_rate": log_uniform(1e-4, 1.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    wide={"eps": log_uniform(1e-9, 1e-3)},
    paper="Defazio & Jelassi, 2021, arXiv:2101.11075, Algorithm 1",
    flat=True,
)
