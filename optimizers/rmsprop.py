"""RMSprop: the gradient over a running root mean square of itself.

Tieleman & Hinton, 2012, Neural Networks for Machine Learning, lecture 6e.

    v <- decay v + (1 - decay) g^2,  from v = initial_scale
    theta <- theta - lr g / (sqrt(v) + eps)

The lecture gives decay 0.9 and neither epsilon nor rate: 1e-8 and 1e-3 are the custom since. There is no bias
correction: from v = 0 the first step is lr / sqrt(1 - decay) in every coordinate.

Where implementations disagree:
  epsilon      outside the root as above (PyTorch), or inside: `eps_in_sqrt=True` (optax, Keras, TensorFlow)
  decay        0.99 in PyTorch
  start        `initial_scale=1` in TensorFlow 1 and its descendants
  centered     `centered=True` divides by the standard deviation instead (Graves, 2013, arXiv:1308.0850)
  momentum     a heavy ball over the steps, none in the lecture. PyTorch multiplies the whole velocity by the rate of
               the day; optax, Keras and TensorFlow keep each step at its own day's rate: `rate_in_buffer=True`
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class RMSpropState(NamedTuple):
    """Running means of squares and, if centered, of gradients; with momentum, the decaying sum of steps."""

    nu: PyTree  # like params
    mu: PyTree | None  # like params
    velocity: PyTree | None  # like params


def rmsprop(
    learning_rate: Scalar = 1e-3,
    decay: Scalar = 0.9,
    eps: Scalar = 1e-8,
    initial_scale: Scalar = 0.0,
    eps_in_sqrt: bool = False,
    centered: bool = False,
    momentum: Scalar | None = None,
    rate_in_buffer: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Divides the gradient by the root of a running mean of its squares; `decay` and `momentum` in [0, 1)."""
    inner, outer = (learning_rate, 1.0) if rate_in_buffer else (1.0, learning_rate)

    def init(params: Params) -> RMSpropState:
        nu = jax.tree.map(lambda p: jnp.full_like(p, initial_scale), params)
        return RMSpropState(
            nu, zeros_like(params) if centered else None, None if momentum is None else zeros_like(params)
        )

    def root(v: jax.Array) -> jax.Array:
        return jnp.sqrt(v + eps) if eps_in_sqrt else jnp.sqrt(v) + eps

    def update(grads: PyTree, state: RMSpropState) -> tuple[PyTree, RMSpropState]:
        nu = spread = average(state.nu, jax.tree.map(jnp.square, grads), 1 - decay)
        mu = average(state.mu, grads, 1 - decay) if centered else None
        if centered:  # rounding may take the variance below zero
            spread = jax.tree.map(lambda v, m: jnp.maximum(v - jnp.square(m), 0.0), nu, mu)
        steps = jax.tree.map(lambda g, v: inner * g / root(v), grads, spread)
        velocity = None
        if momentum is not None:
            velocity = steps = jax.tree.map(lambda b, s: momentum * b + s, state.velocity, steps)
        return jax.tree.map(lambda s: -outer * s, steps), RMSpropState(nu, mu, velocity)

    return in_float32(init, update)


optimizer = Optimizer(
    make=rmsprop,
    space={"learning_rate": log_uniform(1e-4, 0.3), "decay": one_minus(log_uniform(1e-3, 0.3))},
    wide={"eps": log_uniform(1e-10, 1e-2)},
    paper="Tieleman & Hinton, 2012, Coursera: Neural Networks for Machine Learning, lecture 6e",
    flat=True,
)
