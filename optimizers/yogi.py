"""Yogi: Adam whose second moment moves by a part of the gradient's square, whatever its own size.

Zaheer et al., 2018, Adaptive methods for nonconvex optimization, NeurIPS, Algorithm 2.

    m <- b1 m + (1 - b1) g
    v <- v - (1 - b2) sign(v - g^2) g^2
    theta <- theta - lr m^ / (sqrt(v^) + eps),  both corrected as in adam.py

The paper starts v at a small number and m at 0; 1e-6 for v is the custom. optax, pytorch_optimizer and torch-optimizer
start m at 1e-6 too: `initial_momentum_value=1e-6`. The paper's algorithm has no correction; all implementations do.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32
from optimizers._space import log_uniform, one_minus


class YogiState(NamedTuple):
    """Steps taken, the running mean of gradients, and the second moment."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def yogi(
    learning_rate: Scalar = 1e-2,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-3,
    initial_accumulator_value: Scalar = 1e-6,
    initial_momentum_value: Scalar = 0.0,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step with a second moment that falls as slowly as it rises; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> YogiState:
        full = lambda value: jax.tree.map(lambda p: jnp.full_like(p, value), params)  # noqa: E731
        return YogiState(jnp.zeros((), jnp.int32), full(initial_momentum_value), full(initial_accumulator_value))

    def update(grads: PyTree, state: YogiState) -> tuple[PyTree, YogiState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = jax.tree.map(lambda v, g: v - (1 - b2) * jnp.sign(v - jnp.square(g)) * jnp.square(g), state.nu, grads)
        c1, c2 = correction(step, 1 - b1), correction(step, 1 - b2)
        updates = jax.tree.map(lambda m, v: -learning_rate * (m / c1) / (jnp.sqrt(v / c2) + eps), mu, nu)
        return updates, YogiState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=yogi,
    space={"learning_rate": log_uniform(1e-3, 1.0), "eps": log_uniform(1e-5, 1e-1)},
    wide={"b1": one_minus(log_uniform(1e-2, 0.5)), "b2": one_minus(log_uniform(1e-4, 0.3))},
    paper="Zaheer, Reddi, Sachan, Kale & Kumar, 2018, NeurIPS, Algorithm 2",
    flat=True,
)
