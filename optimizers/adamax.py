"""Adamax: Adam with the largest gradient of the recent past in the place of a root mean square.

Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 2.

    m <- b1 m + (1 - b1) g
    u <- max(b2 u, |g| + eps)
    theta <- theta - lr / (1 - b1^t) m / u

The paper has no epsilon; PyTorch and optax put it inside the maximum, as above. Keras adds it to u instead, after the
maximum: `eps_after_max=True`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdamaxState(NamedTuple):
    """Steps taken, the running mean of gradients, and their decaying maximum."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    norm: PyTree  # like params


def adamax(
    learning_rate: Scalar = 2e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    eps_after_max: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Divides a running mean of the gradient by a decaying maximum of it; `b1` and `b2` in [0, 1)."""
    inside, outside = (0.0, eps) if eps_after_max else (eps, 0.0)

    def init(params: Params) -> AdamaxState:
        return AdamaxState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdamaxState) -> tuple[PyTree, AdamaxState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        norm = jax.tree.map(lambda u, g: jnp.maximum(b2 * u, jnp.abs(g) + inside), state.norm, grads)
        rate = learning_rate / correction(step, 1 - b1)
        return jax.tree.map(lambda m, u: -rate * m / (u + outside), mu, norm), AdamaxState(step, mu, norm)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adamax,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 2",
    flat=True,
)
