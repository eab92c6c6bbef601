"""AMSGrad: Adam that never forgets how large the second moment has been.

Reddi, Kale & Kumar, 2018, arXiv:1904.09237, Algorithm 2.

    m <- b1 m + (1 - b1) g
    v <- b2 v + (1 - b2) g^2,   x <- max(x, v)
    theta <- theta - lr m / (sqrt(x) + eps)

The paper corrects no bias, has no epsilon, and lets the rate fall like 1/sqrt(t), which is left to a schedule.

Where implementations disagree, `bias_correction=True` divides m by 1 - b1^t and x by 1 - b2^t (PyTorch, Keras); with
`max_corrected=True` besides the maximum is over corrected v (optax), which remembers the first gradients for ever.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AMSGradState(NamedTuple):
    """Steps taken, running means of gradients and of their squares, and the largest of the latter so far."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # like params
    largest: PyTree  # like params


def amsgrad(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    bias_correction: bool = False,
    max_corrected: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step with rates that never rise; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> AMSGradState:
        return AMSGradState(jnp.zeros((), jnp.int32), zeros_like(params), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AMSGradState) -> tuple[PyTree, AMSGradState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        c1, c2 = (correction(step, 1 - b) if bias_correction else 1.0 for b in (b1, b2))
        before, after = (c2, 1.0) if max_corrected else (1.0, c2)
        largest = jax.tree.map(lambda x, v: jnp.maximum(x, v / before), state.largest, nu)
        updates = jax.tree.map(lambda m, x: -learning_rate * (m / c1) / (jnp.sqrt(x / after) + eps), mu, largest)
        return updates, AMSGradState(step, mu, nu, largest)

    return in_float32(init, update)


optimizer = Optimizer(
    make=amsgrad,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Reddi, Kale & Kumar, 2018, arXiv:1904.09237, Algorithm 2",
    flat=True,
)
