"""DoG: SGD whose rate is the distance from the start over the root of the gradients' sum of squares.

Ivgi, Hinder & Carmon, 2023, arXiv:2302.12022, equation (DoG).

    r <- max(r, ||theta - theta_0||),   r_0 = reps_rel (1 + ||theta_0||)
    G <- G + ||g||^2,   G_0 = init_eps
    theta <- theta - lr r / sqrt(G) g

Norms over all arrays. The paper evaluates an average of the iterates: `ema:dog`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, global_norm, in_float32, inner_product, scalar
from optimizers._space import log_uniform


class DogState(NamedTuple):
    """The initial parameters, the largest distance from them, and the sum of squared gradients."""

    origin: PyTree  # params at the start
    distance: jax.Array  # scalar
    squares: jax.Array  # scalar


def dog(
    learning_rate: Scalar = 1.0, reps_rel: Scalar = 1e-6, init_eps: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Gradient steps of a rate that needs no tuning; `learning_rate` multiplies it."""

    def init(params: Params) -> DogState:
        return DogState(params, scalar(params, reps_rel * (1 + global_norm(params))), scalar(params, init_eps))

    def update(grads: PyTree, state: DogState, params: Params) -> tuple[PyTree, DogState]:
        way = jax.tree.map(jnp.subtract, params, state.origin)
        distance = jnp.maximum(state.distance, global_norm(way))
        squares = state.squares + inner_product(grads, grads)
        rate = learning_rate * distance / jnp.sqrt(squares)
        return jax.tree.map(lambda g: -rate * g, grads), DogState(state.origin, distance, squares)

    return in_float32(init, update)


optimizer = Optimizer(
    make=dog,
    space={"learning_rate": log_uniform(0.03, 30.0)},
    wide={"reps_rel": log_uniform(1e-8, 1e-3)},
    paper="Ivgi, Hinder & Carmon, 2023, arXiv:2302.12022, equation (DoG)",
    flat=True,
)
