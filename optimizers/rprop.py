"""Rprop: a step length of its own for every coordinate, grown and shrunk by the gradient's signs alone.

Riedmiller & Braun, 1993, doi:10.1109/ICNN.1993.298623; without weight backtracking: Igel & Husken, 2000, iRprop-.

    h <- clip(h eta_plus, min_step, max_step)    where g has the sign it had before
    h <- clip(h eta_minus, min_step, max_step)   where it has turned, and there g <- 0
    theta <- theta - h sign(g)

All h start at the learning rate, which a schedule does not reach after that. Made for gradients of the whole data set:
noise turns signs. The factors, limits and PyTorch's code agree with the papers.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, zeros_like
from optimizers._space import log_uniform, uniform


class RpropState(NamedTuple):
    """Gradients of the step before, zero where they had turned, and step lengths."""

    previous: PyTree  # like params
    length: PyTree  # like params


def rprop(
    learning_rate: Scalar = 1e-2,
    eta_minus: Scalar = 0.5,
    eta_plus: Scalar = 1.2,
    min_step: Scalar = 1e-6,
    max_step: Scalar = 50.0,
) -> optax.GradientTransformationExtraArgs:
    """Steps of each coordinate's own length against the gradient; `learning_rate` is the first length."""

    def init(params: Params) -> RpropState:
        return RpropState(zeros_like(params), jax.tree.map(lambda p: jnp.full_like(p, learning_rate), params))

    def update(grads: PyTree, state: RpropState) -> tuple[PyTree, RpropState]:
        # Of signs, as the product of two small gradients is zero.
        agreement = jax.tree.map(lambda g, before: jnp.sign(g) * jnp.sign(before), grads, state.previous)

        def adapted(h: jax.Array, q: jax.Array) -> jax.Array:
            return jnp.clip(h * jnp.where(q > 0, eta_plus, jnp.where(q < 0, eta_minus, 1.0)), min_step, max_step)

        length = jax.tree.map(adapted, state.length, agreement)
        kept = jax.tree.map(lambda g, q: jnp.where(q < 0, 0.0, g), grads, agreement)
        return jax.tree.map(lambda h, g: -h * jnp.sign(g), length, kept), RpropState(kept, length)

    return in_float32(init, update)


optimizer = Optimizer(
    make=rprop,
    space={"learning_rate": log_uniform(1e-4, 1.0), "eta_minus": uniform(0.3, 0.9, within=(0.0, 1.0))},
    wide={"eta_plus": uniform(1.05, 1.5, within=(1.0, float("inf")))},
    paper="Riedmiller & Braun, 1993, doi:10.1109/ICNN.1993.298623; iRprop-: Igel & Husken, 2000",
    flat=True,
)
