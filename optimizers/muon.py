"""Muon: momentum made orthogonal, for matrices; Adam for everything else.

Jordan et al., 2024, kellerjordan.github.io/posts/muon.

    m <- momentum m + (1 - momentum) g,   u = momentum m + (1 - momentum) g
    X = u / ||u||,  five times X <- a X + (b X X^T + c (X X^T)^2) X,  (a, b, c) = (3.4445, -4.775, 2.0315)
    theta <- theta - lr sqrt(max(1, outputs / inputs)) X

The iteration brings every singular value near one, into about [0.7, 1.2]. A matrix has its inputs as rows, as flax's
kernels. Arrays of other than two dimensions take Adam's step with the rate `adam_ratio` times `learning_rate`: 3e-4 at
the defaults, the author's. `nesterov=False` orthogonalises m itself. `scale="match_rms"` is Liu et al.'s factor
0.2 sqrt(max(rows, columns)), 2025, arXiv:2502.16982, for rates like AdamW's.

Where implementations disagree: PyTorch and the author iterate in bfloat16, good to 2e-2; here and in optax in the
parameters' own precision. optax corrects m's bias, which the division by ||u|| undoes but for u's mixture.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, norm, zeros_like
from optimizers._space import log_uniform, one_minus
from optimizers.adam import adam


class MuonState(NamedTuple):
    """The matrices' running means of gradients, with None beside other arrays, and Adam's state of those."""

    mu: PyTree
    adam: PyTree


def muon(
    learning_rate: Scalar = 0.02,
    momentum: Scalar = 0.95,
    adam_ratio: Scalar = 0.015,
    nesterov: bool = True,
    scale: Literal["original", "match_rms"] = "original",
) -> optax.GradientTransformationExtraArgs:
    """Steps of equal length in all of a matrix's singular directions; `momentum` in [0, 1)."""
    if scale not in ("original", "match_rms"):
        raise ValueError(f"scale {scale!r} is neither original nor match_rms")
    others = adam(adam_ratio * learning_rate)

    def init(params: Params) -> MuonState:
        return MuonState(zeros_like(_only(params, True)), others.init(_only(params, False)))

    def update(grads: PyTree, state: MuonState) -> tuple[PyTree, MuonState]:
        matrices = _only(grads, True)
        mu = average(state.mu, matrices, 1 - momentum)
        mixed = average(mu, matrices, 1 - momentum) if nesterov else mu
        steps = jax.tree.map(lambda u: -learning_rate * _size(u, scale) * orthogonal(u), mixed)
        rest, adam_state = others.update(_only(grads, False), state.adam)
        updates = jax.tree.map(lambda a, b: b if a is None else a, steps, rest, is_leaf=lambda x: x is None)
        return updates, MuonState(mu, adam_state)

    return in_float32(init, update)


def _only(tree: PyTree, matrices: bool) -> PyTree:
    """The matrices of a tree, or the rest, with None in the place of the others."""
    return jax.tree.map(lambda x: x if (x.ndim == 2) == matrices else None, tree)


def _size(u: jax.Array, scale: str) -> float:
    rows, columns = u.shape
    return max(1.0, columns / max(rows, 1)) ** 0.5 if scale == "original" else 0.2 * max(rows, columns) ** 0.5


def orthogonal(u: jax.Array) -> jax.Array:
    """U V^T, nearly, of a matrix u = U S V^T: a quintic Newton-Schulz iteration on the shorter side."""
    if u.shape[0] > u.shape[1]:
        return orthogonal(u.T).T
    x = u / jnp.maximum(norm(u), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


optimizer = Optimizer(
    make=muon,
    space={"learning_rate": log_uniform(1e-3, 1.0), "adam_ratio": log_uniform(1e-3, 1.0)},
    wide={"momentum": one_minus(log_uniform(1e-2, 0.5))},
    paper="Jordan et al., 2024, kellerjordan.github.io/posts/muon",
)
