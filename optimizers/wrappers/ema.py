"""EMA: evaluates an exponential moving average of the parameters, and leaves training alone.

Polyak & Juditsky, 1992, doi:10.1137/0330046; with exponential weights as in Morales-Brotons et al., 2024,
arXiv:2411.18704.

    average <- theta_1 after the first step, then ema_decay average + (1 - ema_decay) theta

as PyTorch's AveragedModel. `debias=True` averages from zero and divides by 1 - ema_decay^t, as Adam does and as
optax's `ema`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, Scalar, average, correction, in_float32
from optimizers._space import log_uniform, one_minus
from optimizers._wrapper import Wrapper


class EmaState(NamedTuple):
    """Steps taken, the average, and the inner optimizer's state."""

    step: jax.Array  # int32 scalar
    average: PyTree  # like params
    inner: PyTree


def ema(
    inner: optax.GradientTransformationExtraArgs, ema_decay: Scalar = 0.999, debias: bool = False
) -> optax.GradientTransformationExtraArgs:
    """The inner steps, and beside them the running mean of where they lead; `ema_decay` in [0, 1)."""

    def init(params: Params) -> EmaState:
        return EmaState(jnp.zeros((), jnp.int32), params, inner.init(params))

    def update(grads: PyTree, state: EmaState, params: Params, **extra: Any) -> tuple[PyTree, EmaState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        step = state.step + 1
        # Debiased, the average from zero is one of the values so far with these weights.
        weight = (1 - ema_decay) / correction(step, 1 - ema_decay) if debias else 1 - ema_decay
        weight = jnp.where(step == 1, 1.0, weight)
        moved = average(state.average, jax.tree.map(jnp.add, params, updates), weight)
        return updates, EmaState(step, moved, after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=ema,
    paper="Polyak & Juditsky, 1992, doi:10.1137/0330046",
    space={"ema_decay": one_minus(log_uniform(1e-4, 0.3))},
    eval_params=lambda state, params: jax.tree.map(lambda a, p: a.astype(p.dtype), state.average, params),
    flat=True,
)
