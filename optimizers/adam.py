"""Adam: adaptive moment estimation.

Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1.

    m <- b1 m + (1 - b1) g         m^ = m / (1 - b1^t)
    v <- b2 v + (1 - b2) g^2       v^ = v / (1 - b2^t)
    theta <- theta - lr m^ / (sqrt(v^) + eps)

Epsilon is added to the root of the corrected v^, as in Algorithm 1, PyTorch and optax. Keras adds it to the root of the
raw v, the cheaper order at the end of the paper's section 2: `eps_hat=True`, with Keras' `eps=1e-7`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdamState(NamedTuple):
    """Steps taken, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def adam(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8, eps_hat: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Divides a running mean of the gradient by the root of one of its squares; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> AdamState:
        return AdamState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdamState) -> tuple[PyTree, AdamState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        # Both corrections are scalars, so they go into the rate and epsilon, not over every coordinate.
        root = jnp.sqrt(correction(step, 1 - b2))
        rate = learning_rate * root / correction(step, 1 - b1)
        floor = eps if eps_hat else eps * root
        updates = jax.tree.map(lambda m, v: -rate * m / (jnp.sqrt(v) + floor), mu, nu)
        return updates, AdamState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1",
    flat=True,
)
