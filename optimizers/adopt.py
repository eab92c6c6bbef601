"""ADOPT: Adam that divides each gradient by the second moment before it, and so converges with any b2.

Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2.

    t = 1: v <- g^2, nothing moves
    u = g / max(sqrt(v), eps),   clipped to +-(t - 1)^1/4
    m <- b1 m + (1 - b1) u
    theta <- theta - lr m
    v <- b2 v + (1 - b2) g^2

`clip=False` is the paper's Algorithm 1, of the first version. pytorch_optimizer clips to t^1/4, timm to (t - 1)^1/3.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, real, zeros_like
from optimizers._space import log_uniform, one_minus


class AdoptState(NamedTuple):
    """Steps taken, and running means of scaled gradients and of squares."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def adopt(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.9999, eps: Scalar = 1e-6, clip: bool = True
) -> optax.GradientTransformationExtraArgs:
    """A running mean of gradients in units of their past; `b1` in [0, 1), `b2` in [0, 1]."""

    def init(params: Params) -> AdoptState:
        return AdoptState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdoptState) -> tuple[PyTree, AdoptState]:
        started = state.step > 0
        bound = jnp.sqrt(jnp.sqrt(real(state.step)))

        def scaled(g: jax.Array, v: jax.Array) -> jax.Array:
            u = g / jnp.maximum(jnp.sqrt(v), eps)
            return jnp.where(started, jnp.clip(u, -bound, bound) if clip else u, 0.0)

        mu = average(state.mu, jax.tree.map(scaled, grads, state.nu), 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), jnp.where(started, 1 - b2, 1.0))
        return jax.tree.map(lambda m: -learning_rate * m, mu), AdoptState(state.step + 1, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adopt,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-5, 0.1)), "eps": log_uniform(1e-9, 1e-3)},
    paper="Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2",
    flat=True,
)
