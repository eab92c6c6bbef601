"""QHAdam: Adam with the new gradient mixed into both of its moments.

Ma & Yarats, 2019, arXiv:1810.06801, section 4.3.

    theta <- theta - lr ((1 - nu1) g + nu1 m^) / (sqrt((1 - nu2) g^2 + nu2 v^) + eps),  m^ and v^ as in adam.py

nu1 0.7 and nu2 1 are the paper's recommendation for what Adam is used for; with both 1 it is Adam. Implementations
agree.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus, uniform


class QHAdamState(NamedTuple):
    """Steps taken, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def qhadam(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    nu1: Scalar = 0.7,
    nu2: Scalar = 1.0,
    eps: Scalar = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step with moments of `nu1` and `nu2` parts history; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> QHAdamState:
        return QHAdamState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: QHAdamState) -> tuple[PyTree, QHAdamState]:
        step = state.step + 1
        squares = jax.tree.map(jnp.square, grads)
        mu, nu = average(state.mu, grads, 1 - b1), average(state.nu, squares, 1 - b2)
        c1, c2 = correction(step, 1 - b1), correction(step, 1 - b2)

        def scaled(g: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            spread = (1 - nu2) * jnp.square(g) + nu2 * v / c2
            return -learning_rate * ((1 - nu1) * g + nu1 * m / c1) / (jnp.sqrt(spread) + eps)

        return jax.tree.map(scaled, grads, mu, nu), QHAdamState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=qhadam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "nu1": uniform(0.3, 1.0, within=(0.0, 1.0))},
    wide={"b1": one_minus(log_uniform(1e-3, 0.5)), "b2": one_minus(log_uniform(1e-4, 0.3))},
    paper="Ma & Yarats, 2019, arXiv:1810.06801, section 4.3",
    flat=True,
)
