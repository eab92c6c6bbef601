"""Lion: the sign of a momentum that leans towards the new gradient.

Chen et al., 2023, arXiv:2302.06675, Algorithm 2.

    theta <- theta - lr sign(b1 m + (1 - b1) g)
    m <- b2 m + (1 - b2) g

The paper's weight decay is decoupled: `decoupled_decay:lion(weight_decay=0.1)`. Implementations agree but for its
default.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class LionState(NamedTuple):
    """The running mean of gradients."""

    mu: PyTree  # like params


def lion(learning_rate: Scalar = 1e-4, b1: Scalar = 0.9, b2: Scalar = 0.99) -> optax.GradientTransformationExtraArgs:
    """Steps of the rate in every coordinate; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> LionState:
        return LionState(zeros_like(params))

    def update(grads: PyTree, state: LionState) -> tuple[PyTree, LionState]:
        lean = average(state.mu, grads, 1 - b1)
        return jax.tree.map(lambda u: -learning_rate * jnp.sign(u), lean), LionState(average(state.mu, grads, 1 - b2))

    return in_float32(init, update)


optimizer = Optimizer(
    make=lion,
    space={"learning_rate": log_uniform(1e-5, 0.03), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-3, 0.2))},
    paper="Chen et al., 2023, arXiv:2302.06675, Algorithm 2",
    flat=True,
)
