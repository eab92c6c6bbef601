"""NAdam: Adam with Nesterov's look-ahead.

Dozat, 2016, Incorporating Nesterov momentum into Adam, Algorithm 8.

    m, v as in adam.py, with momentum b_t = b1 (1 - 0.96^(momentum_decay t) / 2) that rises in time
    m^ = b_{t+1} m / (1 - b_1 ... b_{t+1}) + (1 - b_t) g / (1 - b_1 ... b_t)
    theta <- theta - lr m^ / (sqrt(v^) + eps)

PyTorch follows the paper's experiments with `momentum_decay=0.004`, Keras has 1; in both m itself averages with b1.
optax keeps the momentum constant, `variant="constant"`: b_t = b1, and products become powers.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, scalar, zeros_like
from optimizers._space import log_uniform, one_minus


class NAdamState(NamedTuple):
    """Steps taken, the product of all momenta, and running means of gradients and of their squares."""

    step: jax.Array  # int32 scalar
    product: jax.Array  # scalar
    mu: PyTree  # like params
    nu: PyTree  # like params


def nadam(
    learning_rate: Scalar = 2e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    momentum_decay: Scalar = 0.004,
    variant: Literal["schedule", "constant"] = "schedule",
) -> optax.GradientTransformationExtraArgs:
    """Adam's step with the first moment as it will be if the gradient stays; `b1` and `b2` in [0, 1)."""
    if variant not in ("schedule", "constant"):
        raise ValueError(f"variant {variant!r} is neither schedule nor constant")

    def momentum(step: jax.Array) -> jax.Array:
        return b1 * (1 - 0.5 * 0.96 ** (momentum_decay * step)) if variant == "schedule" else jnp.asarray(b1)

    def init(params: Params) -> NAdamState:
        return NAdamState(jnp.zeros((), jnp.int32), scalar(params, 1.0), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: NAdamState) -> tuple[PyTree, NAdamState]:
        step = state.step + 1
        now, following = momentum(step), momentum(step + 1)
        product = state.product * now
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        old, new = following / (1 - product * following), (1 - now) / (1 - product)
        c2 = correction(step, 1 - b2)
        updates = jax.tree.map(
            lambda g, m, v: -learning_rate * (old * m + new * g) / (jnp.sqrt(v / c2) + eps), grads, mu, nu
        )
        return updates, NAdamState(step, product, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=nadam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={
        "b2": one_minus(log_uniform(1e-4, 0.3)),
        "eps": log_uniform(1e-10, 1e-2),
        "momentum_decay": log_uniform(4e-4, 0.04),
    },
    paper="Dozat, 2016, ICLR workshop, Incorporating Nesterov momentum into Adam, Algorithm 8",
    flat=True,
)
