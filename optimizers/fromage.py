"""Fromage: steps relative to each array's norm, and the growth that they cause undone.

Bernstein et al., 2020, arXiv:2002.03432, Algorithm 1.

    theta <- (theta - lr ||theta|| / ||g|| g) / sqrt(1 + lr^2),  norms per array

An array that is zero, or whose gradient is, is only divided, as in the implementations.
"""

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, norm
from optimizers._space import log_uniform


def fromage(learning_rate: Scalar = 0.01) -> optax.GradientTransformationExtraArgs:
    """Steps of `learning_rate` times an array's norm, against the gradient; no state."""
    shrink = 1 / jnp.sqrt(1 + jnp.square(learning_rate))

    def init(params: Params) -> optax.EmptyState:
        del params
        return optax.EmptyState()

    def update(grads: PyTree, state: optax.EmptyState, params: Params) -> tuple[PyTree, optax.EmptyState]:
        def scaled(g: jax.Array, p: jax.Array) -> jax.Array:
            length = norm(g)
            ratio = norm(p) / jnp.where(length > 0, length, 1.0)
            return shrink * (p - learning_rate * ratio * g) - p

        return jax.tree.map(scaled, grads, params), state

    return in_float32(init, update)


optimizer = Optimizer(
    make=fromage,
    space={"learning_rate": log_uniform(1e-4, 0.3)},
    paper="Bernstein et al., 2020, arXiv:2002.03432, Algorithm 1",
)
