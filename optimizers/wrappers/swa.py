"""SWA: evaluates the plain mean of the parameters, and leaves training alone.

Polyak & Juditsky, 1992, doi:10.1137/0330046; Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1 with cycle 1.

    average <- theta                               up to step burn_in + 1
    average <- average + (theta - average) / n     in the n-th step after burn_in

A mean of the whole path drags its beginning along; `burn_in` steps are left out of it (the second paper leaves out
three quarters of the budget; here none is the default, the first paper's).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, Scalar, average, in_float32, real
from optimizers._wrapper import Wrapper


class SwaState(NamedTuple):
    """Steps taken, the mean, and the inner optimizer's state."""

    step: jax.Array  # int32 scalar
    average: PyTree  # like params
    inner: PyTree


def swa(inner: optax.GradientTransformationExtraArgs, burn_in: Scalar = 0) -> optax.GradientTransformationExtraArgs:
    """The inner steps, and beside them the mean of where they lead after the first `burn_in`."""

    def init(params: Params) -> SwaState:
        return SwaState(jnp.zeros((), jnp.int32), params, inner.init(params))

    def update(grads: PyTree, state: SwaState, params: Params, **extra: Any) -> tuple[PyTree, SwaState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        step = state.step + 1
        weight = 1 / jnp.maximum(real(step - burn_in), 1.0)
        moved = average(state.average, jax.tree.map(jnp.add, params, updates), weight)
        return updates, SwaState(step, moved, after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=swa,
    paper="Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1",
    eval_params=lambda state, params: jax.tree.map(lambda a, p: a.astype(p.dtype), state.average, params),
    flat=True,
)
