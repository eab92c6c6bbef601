"""Adam without bias correction: a mistake that a verdict should find.

The running means start at zero and are used as they are, so the step is (1 - b1^t) / sqrt(1 - b2^t) times Adam's: for
the usual constants three times as long at first, seven at most, and still by a tenth longer after 1,700 steps.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers import Optimizer
from optimizers._base import PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class State(NamedTuple):
    """Running means of gradients and of their squares."""

    mu: PyTree
    nu: PyTree


def uncorrected_adam(
    learning_rate: Scalar = 1e-3, b1: Scalar = 0.9, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Adam's step with the raw means."""

    def init(params: PyTree) -> State:
        return State(zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: State) -> tuple[PyTree, State]:
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        return jax.tree.map(lambda m, v: -learning_rate * m / (jnp.sqrt(v) + eps), mu, nu), State(mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=uncorrected_adam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    paper="Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1, without its bias correction",
    flat=True,
)
