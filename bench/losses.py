"""Losses and metrics: pure functions of a network's outputs and the targets, row by row.

A loss gives one value a row, whose mean a network minimises. A metric gives statistics a row whose sums over a split
are all that it needs, so that every metric of every split comes out of one pass and one reduction. They are written
in few primitives: each is part of every compiled program of a grid, and what is compiled is most of a cold run.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


class Metric(NamedTuple):
    """A metric of a split by way of sums over its rows.

    Attributes:
      rows: outputs and targets, both (rows, outputs), to statistics (rows, k).
      finish: sums of the statistics (k,), and the number of rows, to the metric, a scalar.
    """

    rows: Callable[[Array, Array], Array]
    finish: Callable[[Array, Array], Array]

    def __call__(self, outputs: Array, targets: Array) -> Array:
        """The metric of all rows together."""
        return self.finish(self.rows(outputs, targets).sum(0), jnp.float32(len(targets)))


def sums_by_split(rows: Array, split: Array, splits: int) -> Array:
    """Sums over the rows of each split: (rows, k) and int32 (rows,) to (splits, k). NaN stays in its split."""
    mine = split[:, None, None] == jnp.arange(splits)[:, None]
    return jnp.where(mine, rows[:, None, :], 0).sum(0)


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


def _mean(sums: Array, count: Array) -> Array:
    return sums[0] / count


def _right_class(outputs: Array, targets: Array) -> Array:
    # JAX's argmax takes a NaN for the largest, and a NaN equals nothing, itself included.
    picked = jnp.arange(outputs.shape[-1]) == outputs.argmax(-1, keepdims=True)
    return (targets * (picked & (outputs == outputs))).sum(-1, keepdims=True)


def _right_sides(outputs: Array, targets: Array) -> Array:
    right = ((outputs >= 0) == (targets > 0.5)) & ~jnp.isnan(outputs)
    return right.mean(-1, keepdims=True, dtype=jnp.float32)


def _squares(outputs: Array, targets: Array) -> Array:
    squares = jnp.stack([((targets - outputs) ** 2).sum(-1), (targets**2).sum(-1)], -1)
    return jnp.concatenate([squares, targets], -1)


def _r2(sums: Array, count: Array) -> Array:
    residual, total = sums[0], sums[1] - (sums[2:] ** 2).sum() / count
    constant = total <= 1e-6 * sums[1]  # no more than rounding leaves of equal targets
    unexplained = jnp.where(residual == 0, 1.0, 0.0 * residual)
    return jnp.where(constant, unexplained, 1 - residual / jnp.where(constant, 1.0, total))


# Share of rows whose largest output is the target's class; one-hot targets. The first of equal outputs counts, and a
# row with a NaN is wrong.
accuracy = Metric(_right_class, _mean)

# Share of outputs on the target's side of zero, which is probability one half; targets 0 or 1. Zero counts as a
# positive answer, a NaN is wrong.
binary_accuracy = Metric(_right_sides, _mean)

# Coefficient of determination: 1 - residual over total sum of squares, pooled over outputs. Targets that are all equal
# leave nothing to explain: 1 if they are met exactly, else 0, as scikit-learn has it.
r2 = Metric(_squares, _r2)
