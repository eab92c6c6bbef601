"""signSGD: steps of one length, by the gradient's signs.

Bernstein et al., 2018, arXiv:1802.04434, Algorithm 1.

    theta <- theta - lr sign(g)

Implementations agree.
"""

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32
from optimizers._space import log_uniform


def sign_sgd(learning_rate: Scalar = 1e-3) -> optax.GradientTransformationExtraArgs:
    """Steps of the rate in every coordinate, against the gradient; no state."""

    def init(params: Params) -> optax.EmptyState:
        del params
        return optax.EmptyState()

    def update(grads: PyTree, state: optax.EmptyState) -> tuple[PyTree, optax.EmptyState]:
        return jax.tree.map(lambda g: -learning_rate * jnp.sign(g), grads), state

    return in_float32(init, update)


optimizer = Optimizer(
    make=sign_sgd,
    space={"learning_rate": log_uniform(1e-5, 0.1)},
    paper="Bernstein et al., 2018, arXiv:1802.04434, Algorithm 1",
    flat=True,
)
