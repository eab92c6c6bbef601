"""Schedule-Free: an average in the place of a schedule.

Defazio et al., 2024, arXiv:2405.15682, equations (3) to (5).

    z <- z + inner step for the gradient at y
    x <- (1 - c) x + c z,   c = w / sum of w so far,   w = (largest rate so far)^weight_lr_power
    y <- (1 - beta) z + beta x

Gradients are taken, and decay acts, at y, which is what is trained; x is evaluated. The inner rule has no momentum of
its own: beta takes its place. With a constant rate x is the plain mean of all z.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, Scalar, average, in_float32, scalar
from optimizers._space import log_uniform, one_minus
from optimizers._wrapper import Wrapper


class ScheduleFreeState(NamedTuple):
    """The undamped iterates and their mean, what the mean's weights come from, and the inner optimizer's state."""

    z: PyTree  # like params
    x: PyTree  # like params
    largest_rate: jax.Array  # scalar
    weight_sum: jax.Array  # scalar
    inner: PyTree


def schedule_free(
    inner: optax.GradientTransformationExtraArgs,
    learning_rate: Scalar = 1e-3,
    beta: Scalar = 0.9,
    weight_lr_power: Scalar = 2.0,
) -> optax.GradientTransformationExtraArgs:
    """Gradients between the inner iterates and their mean, `beta` of the way to the mean; `beta` in [0, 1)."""

    def init(params: Params) -> ScheduleFreeState:
        return ScheduleFreeState(params, params, scalar(params, 0.0), scalar(params, 0.0), inner.init(params))

    def update(
        grads: PyTree, state: ScheduleFreeState, params: Params, **extra: Any
    ) -> tuple[PyTree, ScheduleFreeState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        largest_rate = jnp.maximum(state.largest_rate, learning_rate)
        weight = largest_rate**weight_lr_power
        weight_sum = state.weight_sum + weight
        z = jax.tree.map(jnp.add, state.z, updates)
        x = average(state.x, z, jnp.where(weight_sum > 0, weight / weight_sum, 0.0))
        updates = jax.tree.map(lambda z, x, y: (1 - beta) * z + beta * x - y, z, x, params)
        return updates, ScheduleFreeState(z, x, largest_rate, weight_sum, after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=schedule_free,
    paper="Defazio et al., 2024, arXiv:2405.15682, equations (3) to (5)",
    space={"beta": one_minus(log_uniform(0.01, 0.5))},
    eval_params=lambda state, params: jax.tree.map(lambda x, p: x.astype(p.dtype), state.x, params),
    flat=True,
)
