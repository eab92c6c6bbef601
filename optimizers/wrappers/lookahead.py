"""Lookahead: slow weights that follow the fast ones every k steps.

Zhang, Lucas, Hinton & Ba, 2019, arXiv:1907.08610, Algorithm 1.

    fast <- fast + inner step
    every sync_period steps: slow <- slow + slow_step_size (fast - slow),  fast <- slow

The inner optimizer keeps its state across a synchronisation. The paper's result is the slow weights, so those are
evaluated. 5 and 0.5 are the paper's on CIFAR.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, Scalar, in_float32
from optimizers._space import uniform
from optimizers._wrapper import Wrapper


class LookaheadState(NamedTuple):
    """Steps taken, the slow weights, and the inner optimizer's state."""

    step: jax.Array  # int32 scalar
    slow: PyTree  # like params
    inner: PyTree


def lookahead(
    inner: optax.GradientTransformationExtraArgs, sync_period: int = 5, slow_step_size: Scalar = 0.5
) -> optax.GradientTransformationExtraArgs:
    """The inner steps, drawn back to a slower path every `sync_period` of them; `slow_step_size` in (0, 1]."""
    if sync_period < 1:
        raise ValueError(f"sync_period {sync_period} is not a number of steps")

    def init(params: Params) -> LookaheadState:
        return LookaheadState(jnp.zeros((), jnp.int32), params, inner.init(params))

    def update(grads: PyTree, state: LookaheadState, params: Params, **extra: Any) -> tuple[PyTree, LookaheadState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        step = state.step + 1
        sync = step % sync_period == 0
        slow = jax.tree.map(
            lambda s, p, u: jnp.where(sync, s + slow_step_size * (p + u - s), s), state.slow, params, updates
        )
        updates = jax.tree.map(lambda u, p, s: jnp.where(sync, s - p, u), updates, params, slow)
        return updates, LookaheadState(step, slow, after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=lookahead,
    paper="Zhang, Lucas, Hinton & Ba, 2019, arXiv:1907.08610, Algorithm 1",
    space={"slow_step_size": uniform(0.2, 0.9, within=(0.0, 1.0))},
    eval_params=lambda state, params: jax.tree.map(lambda s, p: s.astype(p.dtype), state.slow, params),
    flat=True,
)
