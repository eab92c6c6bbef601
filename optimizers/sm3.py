"""SM3: AdaGrad in the memory of a row and a column.

Anil, Gupta, Koren & Singer, 2019, arXiv:1901.11150, Algorithm SM3-II.

    nu = min over the axes of their mu, broadcast, + g^2
    mu of an axis <- max of nu over all other axes
    m <- momentum m + (1 - momentum) g / sqrt(nu + eps)
    theta <- theta - lr m

An array of one dimension or none has one mu of its own shape: AdaGrad. The paper has no epsilon but says 0/0 = 0;
optax's 1e-8, pytorch_optimizer's 1e-30.
"""

from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class Sm3State(NamedTuple):
    """The running mean of scaled gradients, and for each array the maxima along its axes."""

    mu: PyTree  # like params
    maxima: PyTree  # a tuple for each array, of arrays that broadcast against it


def sm3(
    learning_rate: Scalar = 0.1, momentum: Scalar = 0.9, eps: Scalar = 1e-8
) -> optax.GradientTransformationExtraArgs:
    """Divides by the root of a bound on the sum of squares; `momentum` in [0, 1)."""

    def spans(p: jax.Array) -> list[tuple[int, ...]]:
        """The axes that each of an array's accumulators takes a maximum over."""
        return [tuple(a for a in range(p.ndim) if a != axis) for axis in range(p.ndim)] or [()]

    def init(params: Params) -> Sm3State:
        zeros = lambda p: tuple(jnp.max(jnp.zeros_like(p), s, keepdims=True, initial=0.0) for s in spans(p))  # noqa: E731
        return Sm3State(zeros_like(params), jax.tree.map(zeros, params))

    def update(grads: PyTree, state: Sm3State) -> tuple[PyTree, Sm3State]:
        bounds = jax.tree.map(lambda g, maxima: reduce(jnp.minimum, maxima) + jnp.square(g), grads, state.maxima)
        maxima = jax.tree.map(lambda n: tuple(jnp.max(n, s, keepdims=True, initial=0.0) for s in spans(n)), bounds)
        mu = average(state.mu, jax.tree.map(lambda g, n: g / jnp.sqrt(n + eps), grads, bounds), 1 - momentum)
        return jax.tree.map(lambda m: -learning_rate * m, mu), Sm3State(mu, maxima)

    return in_float32(init, update)


optimizer = Optimizer(
    make=sm3,
    space={"learning_rate": log_uniform(3e-3, 10.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    wide={"eps": log_uniform(1e-12, 1e-3)},
    paper="Anil, Gupta, Koren & Singer, 2019, arXiv:1901.11150, Algorithm SM3-II",
)
