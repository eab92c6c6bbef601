"""Signum: steps of one length, by the signs of a running mean of gradients.

Bernstein et al., 2018, arXiv:1802.04434, Algorithm 2.

    m <- momentum m + (1 - momentum) g
    theta <- theta - lr sign(m)

Implementations agree; m is never corrected, as its sign does not depend on it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class SignumState(NamedTuple):
    """The running mean of gradients."""

    mu: PyTree  # like params


def signum(learning_rate: Scalar = 1e-3, momentum: Scalar = 0.9) -> optax.GradientTransformationExtraArgs:
    """Steps of the rate in every coordinate, against the mean gradient; `momentum` in [0, 1)."""

    def init(params: Params) -> SignumState:
        return SignumState(zeros_like(params))

    def update(grads: PyTree, state: SignumState) -> tuple[PyTree, SignumState]:
        mu = average(state.mu, grads, 1 - momentum)
        return jax.tree.map(lambda m: -learning_rate * jnp.sign(m), mu), SignumState(mu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=signum,
    space={"learning_rate": log_uniform(1e-5, 0.1), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    paper="Bernstein et al., 2018, arXiv:1802.04434, Algorithm 2",
    flat=True,
)
