"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

Vyas et al., 2024, arXiv:2409.11321, Algorithms 3 and 4, without weight decay.

    L <- b2 L + (1 - b2) g g^T,   R <- b2 R + (1 - b2) g^T g;   QL, QR their eigenvectors
    m <- b1 m + (1 - b1) g,   m' = QL^T m QR;   v <- b2 v + (1 - b2) (QL^T g QR)^2
    theta <- theta - lr sqrt(1 - b2^k) / (1 - b1^k) QL [m' / (sqrt(v) + eps)] QR^T

As in the authors' code the first step only finds the bases and moves nothing, so that k = t - 1, and every
`precondition_frequency` steps they are brought up to date by one power iteration and a QR decomposition, after sorting
by Rayleigh quotients. A side longer than `max_dim` keeps its own basis (the authors' limit is 10000, for GPUs), and so
do arrays of other than two dimensions: SOAP is Adam there.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus
from optimizers._tensor import Matrices, axes, gram, turned


class SoapState(NamedTuple):
    """Steps taken, running means of gradients and of squares in the eigenbasis, and two Matrices beside each array."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params
    grams: PyTree  # running means of the sides' Gram matrices
    bases: PyTree  # from the eigenbasis, in the rows, to the parameters'


def soap(
    learning_rate: Scalar = 3e-3,
    b1: Scalar = 0.95,
    b2: Scalar = 0.95,
    eps: Scalar = 1e-8,
    precondition_frequency: int = 10,
    max_dim: int = 512,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step in coordinates in which the gradients are least correlated; `b1` and `b2` in [0, 1)."""
    if precondition_frequency < 1:
        raise ValueError(f"precondition_frequency {precondition_frequency} is not a number of steps")

    def beside(params: Params, matrix: Any) -> PyTree:
        return jax.tree.map(
            lambda p: {a: matrix(n).astype(p.dtype) for a, n in axes(p, max_dim).items() if p.ndim == 2}, params
        )

    def init(params: Params) -> SoapState:
        zeros = zeros_like(params)
        grams, bases = beside(params, lambda n: jnp.zeros((n, n))), beside(params, jnp.eye)
        return SoapState(jnp.zeros((), jnp.int32), zeros, zeros, grams, bases)

    def update(grads: PyTree, state: SoapState) -> tuple[PyTree, SoapState]:
        k = state.step
        counted = jnp.maximum(k, 1)
        rate = learning_rate * jnp.sqrt(correction(counted, 1 - b2)) / correction(counted, 1 - b1)
        mu = average(state.mu, grads, jnp.where(k > 0, 1 - b1, 0.0))
        squares = jax.tree.map(lambda g, q: jnp.square(turned(g, q)), grads, state.bases)
        nu = average(state.nu, squares, jnp.where(k > 0, 1 - b2, 0.0))
        updates = jax.tree.map(
            lambda m, v, q: turned(-rate * turned(m, q) / (jnp.sqrt(v) + eps), q, back=True), mu, nu, state.bases
        )
        fresh = jax.tree.map(lambda g, q: {axis: gram(g, axis) for axis in q}, grads, state.bases)
        grams = average(state.grams, fresh, 1 - b2)
        due = jnp.where(k == 0, 0, jnp.where(k % precondition_frequency == 0, 1, 2))
        nu, bases = jax.lax.switch(due, (_first, _next, lambda nu, grams, bases: (nu, bases)), nu, grams, state.bases)
        return updates, SoapState(k + 1, mu, nu, grams, bases)

    return in_float32(init, update)


def _first(nu: PyTree, grams: PyTree, bases: PyTree) -> tuple[PyTree, PyTree]:
    """The eigenbases, in any order: `_next` sorts them."""
    return nu, jax.tree.map(lambda gram, q: jnp.linalg.eigh(gram)[1].T.astype(q.dtype), grams, bases)


def _next(nu: PyTree, grams: PyTree, bases: PyTree) -> tuple[PyTree, PyTree]:
    """One power iteration of each basis, in the order of the Rayleigh quotients, which the squares follow."""
    orders = jax.tree.map(lambda gram, q: jnp.argsort(-jnp.sum(q @ gram * q, axis=1)), grams, bases)

    def sorted_along(v: jax.Array, order: Matrices) -> jax.Array:
        for axis, at in order.items():
            v = jnp.take(v, at, axis)
        return v

    nu = jax.tree.map(sorted_along, nu, orders)
    return nu, jax.tree.map(
        lambda gram, q, at: jnp.linalg.qr(gram @ q[at].T)[0].T.astype(q.dtype), grams, bases, orders
    )


optimizer = Optimizer(
    make=soap,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-3, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Vyas et al., 2024, arXiv:2409.11321, Algorithms 3 and 4",
)
