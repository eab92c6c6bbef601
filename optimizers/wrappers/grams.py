"""Grams: the gradient's direction with the rule's lengths.

Cao, Li, Liang & Song, 2024, arXiv:2412.17107, Algorithm 1.

    theta <- theta - sign(g) |inner step|,  per coordinate
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Params, PyTree, in_float32
from optimizers._wrapper import Wrapper


class GramsState(NamedTuple):
    """What gives the lengths keeps its state."""

    inner: PyTree


def grams(inner: optax.GradientTransformationExtraArgs) -> optax.GradientTransformationExtraArgs:
    """The inner step with each coordinate turned downhill."""

    def init(params: Params) -> GramsState:
        return GramsState(inner.init(params))

    def update(grads: PyTree, state: GramsState, params: Params, **extra: Any) -> tuple[PyTree, GramsState]:
        updates, after = inner.update(grads, state.inner, params, **extra)
        return jax.tree.map(lambda u, g: -jnp.sign(g) * jnp.abs(u), updates, grads), GramsState(after)

    return in_float32(init, update)


wrapper = Wrapper(wrap=grams, paper="Cao, Li, Liang & Song, 2024, arXiv:2412.17107, Algorithm 1", flat=True)
