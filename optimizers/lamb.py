"""LAMB: Adam's step, as long as the array it moves.

You et al., 2020, arXiv:1904.00962, Algorithm 2.

    u = m^ / (sqrt(v^) + eps) + weight_decay theta,  m^ and v^ as in adam.py
    theta <- theta - lr ||theta|| / ||u|| u,  norms per array; their ratio is 1 where one is 0

The paper allows a function of ||theta||, the identity here as in optax, Keras and timm; 1e-6 is its epsilon, the rate
its smallest.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, norm, zeros_like
from optimizers._space import log_uniform, one_minus


class LambState(NamedTuple):
    """Steps taken, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def lamb(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-6,
    weight_decay: Scalar = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Steps of `learning_rate` times an array's norm, in Adam's direction; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> LambState:
        return LambState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: LambState, params: Params) -> tuple[PyTree, LambState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        c1, c2 = correction(step, 1 - b1), correction(step, 1 - b2)

        def scaled(m: jax.Array, v: jax.Array, p: jax.Array) -> jax.Array:
            u = m / c1 / (jnp.sqrt(v / c2) + eps) + weight_decay * p
            sizes = norm(p), norm(u)
            both = (sizes[0] > 0) & (sizes[1] > 0)
            return -learning_rate * jnp.where(both, sizes[0] / jnp.where(both, sizes[1], 1.0), 1.0) * u

        return jax.tree.map(scaled, mu, nu, params), LambState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=lamb,
    space={"learning_rate": log_uniform(1e-4, 1.0), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-9, 1e-2)},
    paper="You et al., 2020, arXiv:1904.00962, Algorithm 2",
)
