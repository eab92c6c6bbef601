"""Cautious: no step where the rule would go against the gradient.

Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 2.

    mask = [step goes downhill],  per coordinate
    theta <- theta + rescale(mask) mask * inner step

The mask's loss is made up for by a factor per array, 1 / max(mean of mask, 1e-3) as in timm: `mask_scale="mean"`. The
authors' code has size / (sum of mask + 1): `mask_scale="count"`.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, in_float32
from optimizers._wrapper import Wrapper


class CautiousState(NamedTuple):
    """What is masked keeps its state."""

    inner: PyTree


def cautious(
    inner: optax.GradientTransformationExtraArgs, mask_scale: Literal["mean", "count"] = "mean"
) -> optax.GradientTransformationExtraArgs:
    """The coordinates of the inner step that go downhill, made larger by what the others would have been."""
    if mask_scale not in ("mean", "count"):
        raise ValueError(f"mask_scale {mask_scale!r} is neither mean nor count")

    def masked(update: jax.Array, grad: jax.Array) -> jax.Array:
        # Of signs, as the product of two small numbers is zero.
        mask = (jnp.sign(update) * jnp.sign(grad) < 0).astype(update.dtype)
        if mask_scale == "count":
            return update * mask * (mask.size / (jnp.sum(mask) + 1))
        return update * mask / jnp.maximum(jnp.sum(mask) / max(mask.size, 1), 1e-3)

    def init(params: Params) -> CautiousState:
        return CautiousState(inner.init(params))

    def update(grads: PyTree, state: CautiousState, params: Params, **extra: Any) -> tuple[PyTree, CautiousState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        return jax.tree.map(masked, updates, grads), CautiousState(after)

    return in_float32(init, update)


wrapper = Wrapper(wrap=cautious, paper="Liang, Chen, Liu & Liu, 2024, arXiv:2411.16085, Algorithm 2")
