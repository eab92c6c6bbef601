"""DoWG: normalised gradient steps, weighted by the distance from the start.

Khaled, Mishchenko & Jin, 2023, arXiv:2305.16284, Algorithm 1.

    r2 <- max(r2, ||theta - theta_0||^2),   from init_estim_sq_dist
    v <- v + r2 ||g||^2
    theta <- theta - lr r2 / (sqrt(v) + eps) g

Norms over all arrays; epsilon is the authors' code's.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, inner_product, scalar
from optimizers._space import log_uniform


class DowgState(NamedTuple):
    """The initial parameters, the largest squared distance from them, and the weighted sum of squared gradients."""

    origin: PyTree  # params at the start
    square_distance: jax.Array  # scalar
    squares: jax.Array  # scalar


def dowg(
    learning_rate: Scalar = 1.0, init_estim_sq_dist: Scalar = 1e-4, eps: Scalar = 1e-4
) -> optax.GradientTransformationExtraArgs:
    """Gradient steps of a rate that needs no tuning; `learning_rate` multiplies it."""

    def init(params: Params) -> DowgState:
        return DowgState(params, scalar(params, init_estim_sq_dist), scalar(params, 0.0))

    def update(grads: PyTree, state: DowgState, params: Params) -> tuple[PyTree, DowgState]:
        way = jax.tree.map(jnp.subtract, params, state.origin)
        square = jnp.maximum(state.square_distance, inner_product(way, way))
        squares = state.squares + square * inner_product(grads, grads)
        rate = learning_rate * square / (jnp.sqrt(squares) + eps)
        return jax.tree.map(lambda g: -rate * g, grads), DowgState(state.origin, square, squares)

    return in_float32(init, update)


optimizer = Optimizer(
    make=dowg,
    space={"learning_rate": log_uniform(0.03, 30.0)},
    wide={"init_estim_sq_dist": log_uniform(1e-8, 1e-1)},
    paper="Khaled, Mishchenko & Jin, 2023, arXiv:2305.16284, Algorithm 1",
    flat=True,
)
