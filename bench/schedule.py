"""Shapes of a learning rate over a budget: pure functions of the fraction of it that is spent.

A shape is static and is multiplied with the traced peak rate, so that one compiled program serves every trial.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

Shape = Callable[[jax.Array], jax.Array | float]

WARMUP = 0.05  # of the budget, for every shape but the constant
DECAY = 0.2  # the last part of warmup-stable-decay


def constant(spent: jax.Array) -> float:
    """1 throughout."""
    del spent
    return 1.0


def _warm(spent: jax.Array) -> jax.Array:
    return jnp.minimum(1.0, spent / WARMUP)


def cosine(spent: jax.Array) -> jax.Array:
    """Linear warmup, then half a cosine to 0 (Loshchilov & Hutter, 2017, arXiv:1608.03983, without restarts)."""
    after = jnp.clip((spent - WARMUP) / (1 - WARMUP), 0.0, 1.0)
    return _warm(spent) * 0.5 * (1 + jnp.cos(jnp.pi * after))


def linear(spent: jax.Array) -> jax.Array:
    """Linear warmup, then linear decay to 0."""
    return _warm(spent) * jnp.clip((1 - spent) / (1 - WARMUP), 0.0, 1.0)


def wsd(spent: jax.Array) -> jax.Array:
    """Warmup, stable, then linear decay over the last fifth (Hu et al., 2024, arXiv:2404.06395)."""
    return _warm(spent) * jnp.clip((1 - spent) / DECAY, 0.0, 1.0)


SHAPES: Mapping[str, Shape] = {"constant": constant, "cosine": cosine, "linear": linear, "wsd": wsd}
