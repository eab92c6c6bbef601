"""Metrics: pure functions of a network's outputs, the targets and which rows belong to which split.

    metric(outputs, targets, member) -> values

`outputs` and `targets` are float32 (rows, k), `member` is bool (splits, rows), `values` float32 (splits,): all splits
come out of one pass. What one split's rows hold never reaches another's value. A split without rows gives NaN. Each is
scikit-learn's metric of the same name where nothing else is said, and part of every compiled program: few primitives.
"""

import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def sums_by_split(rows: Array, member: Array) -> Array:
    """Sums over the rows of each split: (rows, k) and bool (splits, rows) to (splits, k). NaN stays in its split."""
    return jnp.where(member[:, :, None], rows[None], 0).sum(1)


def mean_by_split(rows: Array, member: Array) -> Array:
    """Mean over the rows of each split: (rows,) and bool (splits, rows) to (splits,)."""
    return sums_by_split(rows[:, None], member)[:, 0] / member.sum(1)


# Decisions: classes by the largest output, the first of equals; labels by the side of zero, which is probability one
# half, zero itself being a yes. A row or an output with a NaN is decided wrongly.


def _classes(outputs: Array) -> Array:
    # JAX's argmax takes a NaN for the largest, and a NaN equals nothing, itself included.
    picked = jnp.arange(outputs.shape[-1]) == outputs.argmax(-1, keepdims=True)
    return (picked & (outputs == outputs)).astype(jnp.float32)


def _labels(outputs: Array, targets: Array) -> Array:
    return jnp.where(outputs == outputs, (outputs >= 0).astype(jnp.float32), 1 - targets)


def _counts(decided: Array, targets: Array, member: Array) -> tuple[Array, Array, Array]:
    """True positives, decided and true ones of each output: three of (splits, k)."""
    rows = jnp.concatenate([decided * targets, decided, targets], -1)
    right, said, true = jnp.split(sums_by_split(rows, member), 3, axis=-1)
    return right, said, true


def _ratio(numerator: Array, denominator: Array) -> Array:
    """A share of something that may be nothing, which counts as 0, as scikit-learn has it with zero_division=0."""
    return jnp.where(denominator > 0, numerator / jnp.maximum(denominator, 1), 0 * denominator)


def accuracy(outputs: Array, targets: Array, member: Array) -> Array:
    """Share of rows whose largest output is the target's class; one-hot targets."""
    return mean_by_split((_classes(outputs) * targets).sum(-1), member)


def macro_precision(outputs: Array, targets: Array, member: Array) -> Array:
    """Mean over classes of the share of rows decided for a class that are of it; one-hot targets."""
    right, said, _ = _counts(_classes(outputs), targets, member)
    return _nonempty(_ratio(right, said).mean(-1), member)


def macro_recall(outputs: Array, targets: Array, member: Array) -> Array:
    """Mean over classes of the share of a class's rows that are decided for it; one-hot targets."""
    right, _, true = _counts(_classes(outputs), targets, member)
    return _nonempty(_ratio(right, true).mean(-1), member)


def macro_f1(outputs: Array, targets: Array, member: Array) -> Array:
    """Mean over classes of F1, the harmonic mean of precision and recall; one-hot targets."""
    right, said, true = _counts(_classes(outputs), targets, member)
    return _nonempty(_ratio(2 * right, said + true).mean(-1), member)


def binary_accuracy(outputs: Array, targets: Array, member: Array) -> Array:
    """Share of outputs on the target's side of zero; targets 0 or 1."""
    return mean_by_split((_labels(outputs, targets) == targets).mean(-1, dtype=jnp.float32), member)


def precision(outputs: Array, targets: Array, member: Array) -> Array:
    """Share of positive decisions that are right, all outputs pooled (average='micro'); targets 0 or 1."""
    right, said, _ = _counts(_labels(outputs, targets), targets, member)
    return _nonempty(_ratio(right.sum(-1), said.sum(-1)), member)


def recall(outputs: Array, targets: Array, member: Array) -> Array:
    """Share of positives that are found, all outputs pooled (average='micro'); targets 0 or 1."""
    right, _, true = _counts(_labels(outputs, targets), targets, member)
    return _nonempty(_ratio(right.sum(-1), true.sum(-1)), member)


def micro_f1(outputs: Array, targets: Array, member: Array) -> Array:
    """F1 of all outputs pooled; targets 0 or 1. With one output, the F1 of its positives."""
    right, said, true = _counts(_labels(outputs, targets), targets, member)
    return _nonempty(_ratio(2 * right.sum(-1), (said + true).sum(-1)), member)


def label_macro_f1(outputs: Array, targets: Array, member: Array) -> Array:
    """Mean over outputs of F1; targets 0 or 1."""
    right, said, true = _counts(_labels(outputs, targets), targets, member)
    return _nonempty(_ratio(2 * right, said + true).mean(-1), member)


def _nonempty(values: Array, member: Array) -> Array:
    return jnp.where(member.any(1), values, jnp.nan)


# Rankings: rows in the order of an output, from the largest down, rows with equal outputs as one. Sorted once for all
# splits.


def _ranked(output: Array, target: Array, member: Array) -> tuple[Array, Array, Array, Array]:
    """One output (rows,) and its targets, ranked.

    Returns:
      which rows are positives of a split, bool (splits, rows); how many positives and negatives of the split stand
      above the row's run of equal outputs or in it, float32 (2, splits, rows); the same, above the run alone; and how
      many there are in all, (2, splits). NaN for a split with a NaN among its outputs.
    """
    places = jnp.arange(len(output))
    descending, target, order = lax.sort((-output, target, places), num_keys=1)
    mine = member[:, order]
    kinds = jnp.stack([mine & (target > 0.5), mine & (target <= 0.5)])
    starts = jnp.append(True, descending[1:] != descending[:-1])
    first = lax.cummax(jnp.where(starts, places, 0))
    last = lax.cummin(jnp.where(jnp.append(starts[1:], True), places, len(output)), reverse=True)
    running = jnp.pad(jnp.cumsum(kinds, -1, dtype=jnp.float32), ((0, 0), (0, 0), (1, 0)))
    broken = jnp.where((member & jnp.isnan(output)).any(-1), jnp.nan, 0.0)
    return kinds[0], running[..., last + 1], running[..., first], running[..., -1] + broken


def _auroc(output: Array, target: Array, member: Array) -> Array:
    positive, within, above, total = _ranked(output, target, member)
    beaten = jnp.where(positive, total[1, :, None] - (within[1] + above[1]) / 2, 0).sum(-1)
    return beaten / (total[0] * total[1])


def _average_precision(output: Array, target: Array, member: Array) -> Array:
    positive, within, _, total = _ranked(output, target, member)
    precisions = jnp.where(positive, within[0] / jnp.maximum(within.sum(0), 1), 0).sum(-1)
    return jnp.where(total[0] == 0, 0.0, precisions / total[0])


def auroc(outputs: Array, targets: Array, member: Array) -> Array:
    """Area under the ROC curve, mean over outputs; targets 0 or 1. NaN where a split has targets of one kind only, or
    a NaN among its outputs."""
    return jax.vmap(_auroc, (1, 1, None))(outputs, targets, member).mean(0)


def average_precision(outputs: Array, targets: Array, member: Array) -> Array:
    """Sum over thresholds of precision times the recall gained, mean over outputs; targets 0 or 1. 0 where a split has
    no positives, NaN where it has a NaN among its outputs."""
    return _nonempty(jax.vmap(_average_precision, (1, 1, None))(outputs, targets, member).mean(0), member)


# Regression


def rmse(outputs: Array, targets: Array, member: Array) -> Array:
    """Root of the mean over rows and outputs of the squared error."""
    return jnp.sqrt(mean_by_split(((outputs - targets) ** 2).mean(-1), member))


def r2(outputs: Array, targets: Array, member: Array) -> Array:
    """Coefficient of determination: 1 - residual over total sum of squares, pooled over outputs
    (multioutput='variance_weighted'). Targets that are all equal leave nothing to explain: 1 if they are met exactly,
    else 0."""
    centre = sums_by_split(targets, member) / jnp.maximum(member.sum(1), 1)[:, None]
    deviations = jnp.where(member[:, :, None], targets[None] - centre[:, None], 0)
    total = (deviations**2).sum((1, 2))
    residual = sums_by_split((targets - outputs) ** 2, member).sum(-1)
    constant = total <= 1e-12 * sums_by_split(targets**2, member).sum(-1)  # no more than rounding leaves
    unexplained = jnp.where(residual == 0, 1.0, 0.0 * residual)
    return _nonempty(jnp.where(constant, unexplained, 1 - residual / jnp.where(constant, 1.0, total)), member)
