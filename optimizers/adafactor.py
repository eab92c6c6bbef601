"""Adafactor: a second moment kept as its row and column means, steps relative to the parameters.

Shazeer & Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5.

    w = t^-decay_rate,   s = g^2 + eps1
    matrices: r <- (1 - w) r + w row means of s, c likewise of columns,  v = r c^T / mean(r)
    others:   v <- (1 - w) v + w s
    u = g / sqrt(v),   u <- u / max(1, rms(u) / clip_threshold)
    theta <- theta - max(eps2, rms(theta)) min(lr, 1 / sqrt(t)) u

The paper's cap of the rate by 1/sqrt(t) is PyTorch's too; optax and pytorch_optimizer take the rate as it is:
`cap_rate=False`. `scale_by_parameter=False` leaves out the parameter's size. PyTorch clamps v at eps1^2 where the paper
adds eps1 to each square, a difference of the last digit. optax leaves matrices with a side below 128 unfactored and
factors the last two axes of larger arrays; here every matrix is factored, and nothing else.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, real, rms
from optimizers._space import log_uniform, uniform


class AdafactorState(NamedTuple):
    """Steps taken, and running mean squares: (rows, columns) for a matrix, (whole,) for others."""

    step: jax.Array  # int32 scalar
    moments: PyTree  # a tuple for each array


def adafactor(
    learning_rate: Scalar = 1e-2,
    decay_rate: Scalar = 0.8,
    eps1: Scalar = 1e-30,
    eps2: Scalar = 1e-3,
    clip_threshold: Scalar = 1.0,
    scale_by_parameter: bool = True,
    cap_rate: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Divides by the root of a factored mean square; `learning_rate` is relative to a parameter's size."""

    def init(params: Params) -> AdafactorState:
        def zeros(p: jax.Array) -> tuple[jax.Array, ...]:
            shapes = [p.shape[:1], p.shape[1:]] if p.ndim == 2 else [p.shape]
            return tuple(jnp.zeros(shape, p.dtype) for shape in shapes)

        return AdafactorState(jnp.zeros((), jnp.int32), jax.tree.map(zeros, params))

    def update(grads: PyTree, state: AdafactorState, params: Params) -> tuple[PyTree, AdafactorState]:
        step = state.step + 1
        weight = real(step) ** -decay_rate
        rate = jnp.minimum(learning_rate, 1 / jnp.sqrt(real(step))) if cap_rate else learning_rate

        def averaged(g: jax.Array, old: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
            square = jnp.square(g) + eps1
            new = (_mean(square, 1), _mean(square, 0)) if g.ndim == 2 else (square,)
            return tuple(m + weight * (n - m) for m, n in zip(old, new, strict=True))

        def scaled(g: jax.Array, moment: tuple[jax.Array, ...], p: jax.Array) -> jax.Array:
            v = jnp.outer(moment[0] / _mean(moment[0], 0), moment[1]) if len(moment) == 2 else moment[0]
            u = g / jnp.sqrt(v)
            size = jnp.maximum(eps2, rms(p)) if scale_by_parameter else 1.0
            return -size * rate * u / jnp.maximum(1.0, rms(u) / clip_threshold)

        moments = jax.tree.map(averaged, grads, state.moments)
        return jax.tree.map(scaled, grads, moments, params), AdafactorState(step, moments)

    return in_float32(init, update)


def _mean(x: jax.Array, axis: int) -> jax.Array:
    """The mean along an axis; 0 of none."""
    return jnp.sum(x, axis) / max(x.shape[axis], 1)


optimizer = Optimizer(
    make=adafactor,
    space={"learning_rate": log_uniform(1e-3, 1.0), "decay_rate": uniform(0.5, 1.0, within=(0.0, 1.0))},
    wide={"eps2": log_uniform(1e-5, 0.1), "clip_threshold": log_uniform(0.3, 10.0)},
    paper="Shazeer & Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5",
)
