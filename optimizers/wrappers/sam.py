"""SAM: sharpness-aware minimisation, the rule at the gradient of a worse place nearby.

Foret, Kleiner, Mobahi & Neyshabur, 2021, arXiv:2010.01412, Algorithm 1.

    g' = gradient of the same batch at theta + rho g / ||g||
    theta <- theta + inner step for g'

The norm is over the whole tree; rho 0.05 is the paper's. Both gradients count: a step costs two evaluations.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, Scalar, global_norm, in_float32
from optimizers._space import log_uniform
from optimizers._wrapper import Wrapper


class SamState(NamedTuple):
    """Steps taken, and the inner optimizer's state."""

    step: jax.Array  # int32 scalar
    inner: PyTree


def sam(inner: optax.GradientTransformationExtraArgs, rho: Scalar = 0.05) -> optax.GradientTransformationExtraArgs:
    """The inner step for the gradient that is found `rho` uphill."""

    def init(params: Params) -> SamState:
        return SamState(jnp.zeros((), jnp.int32), inner.init(params))

    def update(grads: PyTree, state: SamState, params: Params, value_fn: Any, **extra: Any) -> tuple[PyTree, SamState]:
        reach = rho / (global_norm(grads) + 1e-12)
        uphill = jax.tree.map(lambda p, g: p + reach * g, params, grads)
        sharp = jax.grad(value_fn)(uphill)
        updates, after = inner.update(sharp, state.inner, params, value_fn=value_fn, **{**extra, "grad": sharp})
        return updates, SamState(state.step + 1, after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=sam,
    paper="Foret, Kleiner, Mobahi & Neyshabur, 2021, arXiv:2010.01412, Algorithm 1",
    space={"rho": log_uniform(1e-3, 0.5)},
    grad_evals=lambda state, spent: state.step + (state.step if spent is None else spent),
    flat=True,
)
