"""Shampoo: preconditions each axis of an array by the root of its own Gram matrix.

Gupta, Koren & Singer, 2018, arXiv:1802.09568, Algorithms 1 and 2.

    matrices: L <- L + g g^T,  R <- R + g^T g,  both from eps I;   d = L^-1/4 g R^-1/4
    of k axes: H_i <- H_i + Gram matrix along axis i;   d = g times H_i^(-1/2k) along each
    v <- momentum v + d
    theta <- theta - lr v

A vector is full-matrix AdaGrad, a scalar SGD. An axis longer than `max_dim` is left alone, as its root would cost the
cube of that at every step. Later forms with averages, grafting and roots of every hundredth step are others' rules.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, zeros_like
from optimizers._space import log_uniform
from optimizers._tensor import axes, gram, turned


class ShampooState(NamedTuple):
    """The decaying sum of preconditioned gradients, and Matrices beside each array."""

    velocity: PyTree  # like params
    grams: PyTree  # sums of the Gram matrices along each axis


def shampoo(
    learning_rate: Scalar = 0.1, eps: Scalar = 1e-4, momentum: Scalar = 0.0, max_dim: int = 512
) -> optax.GradientTransformationExtraArgs:
    """Gradients in units of the root of their own past, direction by direction; `eps` > 0."""

    def init(params: Params) -> ShampooState:
        grams = jax.tree.map(
            lambda p: {axis: (eps * jnp.eye(n)).astype(p.dtype) for axis, n in axes(p, max_dim).items()}, params
        )
        return ShampooState(zeros_like(params), grams)

    def root(matrix: jax.Array, exponent: float) -> jax.Array:
        values, vectors = jnp.linalg.eigh(matrix)
        # No eigenvalue is below eps but by rounding.
        return (vectors * jnp.maximum(values, eps) ** exponent) @ vectors.T

    def update(grads: PyTree, state: ShampooState) -> tuple[PyTree, ShampooState]:
        grams = jax.tree.map(lambda g, h: {axis: x + gram(g, axis) for axis, x in h.items()}, grads, state.grams)
        steps = jax.tree.map(
            lambda g, h: turned(g, {axis: root(x, -0.5 / g.ndim) for axis, x in h.items()}), grads, grams
        )
        velocity = jax.tree.map(lambda v, d: momentum * v + d, state.velocity, steps)
        return jax.tree.map(lambda v: -learning_rate * v, velocity), ShampooState(velocity, grams)

    return in_float32(init, update)


optimizer = Optimizer(
    make=shampoo,
    space={"learning_rate": log_uniform(1e-3, 10.0), "eps": log_uniform(1e-8, 1.0)},
    paper="Gupta, Koren & Singer, 2018, arXiv:1802.09568, Algorithms 1 and 2",
)
