"""Losses and metrics: pure functions of a network's outputs and the targets.

Losses give one value a row, so that a caller chooses the mean; metrics give one value for all rows of a split.
They are written lean, in few primitives: each is part of every compiled program of a grid, twice.
"""

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def softmax_cross_entropy(outputs: Array, targets: Array) -> Array:
    """-log softmax of the target's class: outputs (rows, classes), one-hot targets (rows, classes) to (rows,)."""
    shifted = outputs - lax.stop_gradient(outputs.max(-1, keepdims=True))
    return jnp.log(jnp.exp(shifted).sum(-1)) - (targets * shifted).sum(-1)


def sigmoid_cross_entropy(outputs: Array, targets: Array) -> Array:
    """Binary cross-entropy of sigmoid(outputs), summed over outputs: both (rows, outputs), targets 0 or 1.

    log(1 + exp(x)) - y x, with the part of x that would overflow taken out of the exponential.
    """
    return (jnp.maximum(outputs, 0) + jnp.log1p(jnp.exp(-jnp.abs(outputs))) - targets * outputs).sum(-1)


def half_squared_error(outputs: Array, targets: Array) -> Array:
    """(y - y^)^2 / 2 summed over outputs, so that its mean over rows is 1/(2n) sum (y - y^)^2; both (rows, outputs)."""
    return 0.5 * ((outputs - targets) ** 2).sum(-1)


def accuracy(outputs: Array, targets: Array) -> Array:
    """Share of rows whose largest output is the target's class; outputs and one-hot targets (rows, classes).

    The first of equal outputs counts. A NaN is JAX's largest number, so it is what a row with one picks, and it
    equals nothing, itself included: the row counts as wrong.
    """
    picked = jnp.arange(outputs.shape[-1]) == outputs.argmax(-1, keepdims=True)
    return jnp.sum(targets * (picked & (outputs == outputs))) / len(targets)


def binary_accuracy(outputs: Array, targets: Array) -> Array:
    """Share of outputs on the target's side of zero (probability one half); both (rows, outputs), targets 0 or 1.

    An output of exactly zero counts as a positive answer, a NaN as wrong.
    """
    return jnp.mean(((outputs >= 0) == (targets > 0.5)) & ~jnp.isnan(outputs), dtype=jnp.float32)


def r2(outputs: Array, targets: Array) -> Array:
    """Coefficient of determination, 1 - residual over total sum of squares, pooled over outputs; both (rows, outputs).

    Targets that are all equal leave nothing to explain: 1 if they are met exactly, else 0, as scikit-learn has it.
    """
    residual = ((targets - outputs) ** 2).sum()
    total = ((targets - targets.mean(0)) ** 2).sum()
    constant = jnp.where(residual == 0, 1.0, 0.0 * residual)
    return jnp.where(total == 0, constant, 1 - residual / jnp.where(total == 0, 1, total))
