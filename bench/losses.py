"""Losses: pure functions of a network's outputs and the targets, one value a row, whose mean a network minimises.

    loss(outputs, targets) -> rows

`outputs` and `targets` are float32 (rows, k), the result float32 (rows,). They are written in few primitives: each is
part of every compiled program of a grid, and what is compiled is most of a cold run.
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
    """Binary cross-entropy of sigmoid(outputs), summed over outputs: both (rows, outputs), targets from 0 to 1.

    log(1 + exp(x)) - y x, with the part of x that would overflow taken out of the exponential. Written by that part
    alone, whose slope at zero then cancels, whatever it is taken to be.
    """
    positive = jnp.maximum(outputs, 0)
    return (positive + jnp.log1p(jnp.exp(outputs - 2 * positive)) - targets * outputs).sum(-1)


def half_squared_error(outputs: Array, targets: Array) -> Array:
    """(y - y^)^2 / 2 summed over outputs, so that its mean over rows is 1/(2n) sum (y - y^)^2; both (rows, outputs)."""
    return 0.5 * ((outputs - targets) ** 2).sum(-1)


def squared_error(outputs: Array, targets: Array) -> Array:
    """(y - y^)^2 summed over outputs; with one output its mean over rows is the mean squared error."""
    return ((outputs - targets) ** 2).sum(-1)


def huber(outputs: Array, targets: Array, delta: float = 1.0) -> Array:
    """r^2 / 2 where |r| <= delta, delta (|r| - delta / 2) beyond, summed over outputs (Huber, 1964).

    Half the square of the clipped residual and a line for the rest: one formula, whose gradient is the clipped
    residual.
    """
    residual = outputs - targets
    clipped = jnp.clip(residual, -delta, delta)
    return (clipped * (residual - 0.5 * clipped)).sum(-1)


def focal(outputs: Array, targets: Array, gamma: float = 2.0) -> Array:
    """-(1 - p)^gamma log p, p the softmax probability of the target's class: cross-entropy with easy rows taken back
    (Lin et al., 2017, arXiv:1708.02002). One-hot targets; gamma = 0 is the cross-entropy."""
    surprise = softmax_cross_entropy(outputs, targets)
    return (-jnp.expm1(-surprise)) ** gamma * surprise


def sigmoid_focal(outputs: Array, targets: Array, gamma: float = 2.0) -> Array:
    """The same for labels, summed over outputs; targets 0 or 1."""
    surprise = jnp.logaddexp(0.0, jnp.where(targets > 0.5, -outputs, outputs))
    return ((-jnp.expm1(-surprise)) ** gamma * surprise).sum(-1)
