"""Schedule-Free AdamW: AdamW whose average takes the place of its momentum and of a schedule.

Defazio et al., 2024, arXiv:2405.15682, Algorithm 1.

    v <- b2 v + (1 - b2) g^2,   v^ = v / (1 - b2^t),   g the gradient at y
    z <- z - lr (g / (sqrt(v^) + eps) + weight_decay y)
    x <- (1 - c) x + c z,   c = w / sum of w so far,   w = (largest rate so far)^weight_lr_power
    y <- (1 - beta) z + beta x

y is trained and x evaluated, see wrappers/schedule_free.py. The paper's algorithm has v uncorrected and a warm-up; this
is the authors' package without one.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus
from optimizers.wrappers.decoupled_decay import wrapper as decoupled_decay
from optimizers.wrappers.schedule_free import wrapper as schedule_free


class RootState(NamedTuple):
    """Steps taken, and the running mean of squared gradients, not corrected."""

    step: jax.Array  # int32 scalar
    nu: PyTree  # like params


def over_root(
    learning_rate: Scalar = 2.5e-3, b2: Scalar = 0.999, eps: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Adam without momentum; `b2` in [0, 1)."""

    def init(params: Params) -> RootState:
        return RootState(jnp.zeros((), jnp.int32), zeros_like(params))

    def update(grads: PyTree, state: RootState) -> tuple[PyTree, RootState]:
        step = state.step + 1
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        root = jnp.sqrt(correction(step, 1 - b2))
        updates = jax.tree.map(lambda g, v: -learning_rate * g / (jnp.sqrt(v) / root + eps), grads, nu)
        return updates, RootState(step, nu)

    return in_float32(init, update)


optimizer = schedule_free(
    decoupled_decay(Optimizer(make=over_root, space={}, paper="", flat=True)),
    weight_decay=0.0,
    space={"learning_rate": log_uniform(1e-4, 0.3), "beta": one_minus(log_uniform(0.01, 0.5))},
    paper="Defazio et al., 2024, arXiv:2405.15682, Algorithm 1",
)
