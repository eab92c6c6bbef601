"""AdaBelief: Adam that divides by how far gradients stray from their running mean.

Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2.

    m <- b1 m + (1 - b1) g
    s <- b2 s + (1 - b2) (g - m)^2 + eps
    theta <- theta - lr m^ / (sqrt(s^) + eps),  both corrected as in adam.py

Epsilon is added in every step and so builds up. The authors' code, like all others, has 1e-16, the paper 1e-8.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdaBeliefState(NamedTuple):
    """Steps taken, and running means of gradients and of their squared distances from it, not corrected."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    spread: PyTree  # like params


def adabelief(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-16
) -> optax.GradientTransformationExtraArgs:
    """Divides a running mean of the gradient by the root of its mean squared surprise; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> AdaBeliefState:
        return AdaBeliefState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdaBeliefState) -> tuple[PyTree, AdaBeliefState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        surprise = jax.tree.map(lambda g, m: jnp.square(g - m), grads, mu)
        spread = jax.tree.map(lambda s: s + eps, average(state.spread, surprise, 1 - b2))
        c1, c2 = correction(step, 1 - b1), correction(step, 1 - b2)
        updates = jax.tree.map(lambda m, s: -learning_rate * (m / c1) / (jnp.sqrt(s / c2) + eps), mu, spread)
        return updates, AdaBeliefState(step, mu, spread)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adabelief,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-20, 1e-6)},
    paper="Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2",
    flat=True,
)
