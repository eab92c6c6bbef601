"""Prodigy: Adam that estimates its own rate from how far it has come.

Mishchenko & Defazio, 2023, arXiv:2306.06101, Algorithm 4, in the form of the authors' package.

    r <- b3 r + (d/d0) d lr <g, theta_0 - theta>,   s <- b3 s + (d/d0) d lr g,   b3 = sqrt(b2)
    m <- b1 m + (1 - b1) d g,   v <- b2 v + (1 - b2) (d g)^2
    d' = max(d, d_coef r / ||s||_1)
    theta <- theta - d lr (m / (sqrt(v) + d' eps) + weight_decay theta),   d <- d'

d is one number for all arrays. Adam's correction of the means is the package's option: `bias_correction=True`, always
on in optax. While s is zero nothing moves, as in the package.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import (
    Optimizer,
    Params,
    PyTree,
    Scalar,
    average,
    correction,
    in_float32,
    inner_product,
    scalar,
    zeros_like,
)
from optimizers._space import log_uniform, one_minus


class ProdigyState(NamedTuple):
    """Steps taken, the initial parameters, running means of d g and (d g)^2, and what the estimate d is made of."""

    step: jax.Array  # int32 scalar
    origin: PyTree  # params at the start
    mu: PyTree  # like params
    nu: PyTree  # like params
    grad_sum: PyTree  # like params: s
    gain: jax.Array  # scalar: r
    distance: jax.Array  # scalar: d


def prodigy(
    learning_rate: Scalar = 1.0,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    d0: Scalar = 1e-6,
    d_coef: Scalar = 1.0,
    weight_decay: Scalar = 0.0,
    bias_correction: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Adam with the rate `learning_rate` times a lower bound on the distance to the solution."""

    def init(params: Params) -> ProdigyState:
        zeros = zeros_like(params)
        step = jnp.zeros((), jnp.int32)
        return ProdigyState(step, params, zeros, zeros, zeros, scalar(params, 0.0), scalar(params, d0))

    def update(grads: PyTree, state: ProdigyState, params: Params) -> tuple[PyTree, ProdigyState]:
        step, d, b3 = state.step + 1, state.distance, jnp.sqrt(b2)
        corrected = jnp.sqrt(correction(step, 1 - b2)) / correction(step, 1 - b1) if bias_correction else 1.0
        rate = d * learning_rate * corrected
        weight = d / d0 * rate
        way = jax.tree.map(jnp.subtract, state.origin, params)
        gain = b3 * state.gain + weight * inner_product(grads, way)
        grad_sum = jax.tree.map(lambda s, g: b3 * s + weight * g, state.grad_sum, grads)
        mu = average(state.mu, jax.tree.map(lambda g: d * g, grads), 1 - b1)
        nu = average(state.nu, jax.tree.map(lambda g: jnp.square(d * g), grads), 1 - b2)

        length = sum((jnp.sum(jnp.abs(s)) for s in jax.tree.leaves(grad_sum)), start=jnp.zeros(()))
        moving = length > 0
        grown = jnp.maximum(d, d_coef * gain / jnp.where(moving, length, 1.0))
        distance = jnp.where(moving, grown, d)

        def moved(p: jax.Array, m: jax.Array, v: jax.Array) -> jax.Array:
            return jnp.where(moving, -rate * (m / (jnp.sqrt(v) + distance * eps) + weight_decay * p), 0.0)

        updates = jax.tree.map(moved, params, mu, nu)
        return updates, ProdigyState(step, state.origin, mu, nu, grad_sum, gain, distance)

    return in_float32(init, update)


optimizer = Optimizer(
    make=prodigy,
    space={"learning_rate": log_uniform(0.03, 30.0)},
    wide={
        "b1": one_minus(log_uniform(1e-2, 0.5)),
        "b2": one_minus(log_uniform(1e-4, 0.3)),
        "d0": log_uniform(1e-8, 1e-4),
        "d_coef": log_uniform(0.3, 3.0),
    },
    paper="Mishchenko & Defazio, 2023, arXiv:2306.06101, Algorithm 4",
    flat=True,
)
