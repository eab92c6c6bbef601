"""LARS: momentum on gradients as long as a part of the array they move.

You, Gitman & Ginsburg, 2017, arXiv:1708.03888, Algorithm 1.

    r = trust_coefficient ||theta|| / (||g|| + weight_decay ||theta||),  norms per array; 1 where one is 0
    v <- momentum v + r (g + weight_decay theta)
    theta <- theta - lr v

Where implementations disagree:
  norm       `joint_norm=True` divides by ||g + weight_decay theta|| (optax)
  rate       `rate_in_buffer=True` keeps each gradient at its own day's rate, as the paper's algorithm does (optax);
             outside, as above, timm and pytorch_optimizer. No difference while the rate is constant
  vectors    `adapt_vectors=False` moves biases and other vectors by plain momentum, without decay (timm's and
             pytorch_optimizer's default)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, norm, zeros_like
from optimizers._space import log_uniform, one_minus


class LarsState(NamedTuple):
    """The decaying sum of scaled gradients."""

    velocity: PyTree  # like params


def lars(
    learning_rate: Scalar = 1.0,
    momentum: Scalar = 0.9,
    trust_coefficient: Scalar = 1e-3,
    weight_decay: Scalar = 0.0,
    joint_norm: bool = False,
    rate_in_buffer: bool = False,
    adapt_vectors: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Gradients of `trust_coefficient` times an array's norm, with momentum in [0, 1)."""
    inner, outer = (learning_rate, 1.0) if rate_in_buffer else (1.0, learning_rate)

    def scaled(g: jax.Array, p: jax.Array) -> jax.Array:
        if p.ndim <= 1 and not adapt_vectors:
            return g
        decayed = g + weight_decay * p
        size, length = norm(p), norm(decayed) if joint_norm else norm(g) + weight_decay * norm(p)
        both = (norm(decayed if joint_norm else g) > 0) & (size > 0)
        return jnp.where(both, trust_coefficient * size / jnp.where(both, length, 1.0), 1.0) * decayed

    def init(params: Params) -> LarsState:
        return LarsState(zeros_like(params))

    def update(grads: PyTree, state: LarsState, params: Params) -> tuple[PyTree, LarsState]:
        steps = jax.tree.map(scaled, grads, params)
        velocity = jax.tree.map(lambda v, s: momentum * v + inner * s, state.velocity, steps)
        return jax.tree.map(lambda v: -outer * v, velocity), LarsState(velocity)

    return in_float32(init, update)


optimizer = Optimizer(
    make=lars,
    space={"learning_rate": log_uniform(0.01, 100.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    wide={"trust_coefficient": log_uniform(1e-4, 0.1)},
    paper="You, Gitman & Ginsburg, 2017, arXiv:1708.03888, Algorithm 1",
)
