"""AdEMAMix: Adam with a second, much slower, running mean of the gradient.

Pagliardini, Ablin & Grangier, 2024, arXiv:2409.03137, Algorithm 1, without weight decay.

    m, v as in adam.py;  n <- b3(t) n + (1 - b3(t)) g
    theta <- theta - lr (m^ + alpha(t) n) / (sqrt(v^) + eps)
    alpha(t) = alpha min(t / warmup, 1)
    b3(t) = min(exp[log b1 log b3 / ((1 - t/warmup) log b3 + (t/warmup) log b1)], b3)

n is not corrected for its start from zero. The paper warms both up over the whole run; `warmup=0`, the default, has
them as they are from the first step, as no rule here knows the length of a run. Over fewer than ten thousand steps a b3
of 0.99 to 0.999 is more like the paper's in proportion.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, real, zeros_like
from optimizers._space import log_uniform, one_minus


class AdemamixState(NamedTuple):
    """Steps taken, and running means of gradients, fast and slow, and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    fast: PyTree  # like params
    slow: PyTree  # like params
    nu: PyTree  # like params


def ademamix(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    b3: Scalar = 0.9999,
    alpha: Scalar = 5.0,
    eps: Scalar = 1e-8,
    warmup: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step and `alpha` times a slow momentum's; means in [0, 1), `b1` above 0 with a `warmup` (in steps)."""

    def init(params: Params) -> AdemamixState:
        zeros = zeros_like(params)
        return AdemamixState(jnp.zeros((), jnp.int32), zeros, zeros, zeros)

    def warmed(step: jax.Array) -> tuple[Scalar, Scalar]:
        """alpha and b3 of a step: the half-life of the slow mean grows linearly from that of the fast one."""
        if not warmup:
            return alpha, b3
        part = real(step) / warmup
        fast, slow = jnp.log(b1), jnp.log(b3)
        return alpha * jnp.minimum(part, 1.0), jnp.minimum(jnp.exp(fast * slow / ((1 - part) * slow + part * fast)), b3)

    def update(grads: PyTree, state: AdemamixState) -> tuple[PyTree, AdemamixState]:
        step = state.step + 1
        share, slowness = warmed(step)
        fast = average(state.fast, grads, 1 - b1)
        slow = average(state.slow, grads, 1 - slowness)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        c1, root = correction(step, 1 - b1), jnp.sqrt(correction(step, 1 - b2))
        updates = jax.tree.map(
            lambda m, n, v: -learning_rate * (m / c1 + share * n) / (jnp.sqrt(v) / root + eps), fast, slow, nu
        )
        return updates, AdemamixState(step, fast, slow, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=ademamix,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b3": one_minus(log_uniform(3e-5, 0.03))},
    wide={
        "b1": one_minus(log_uniform(1e-2, 0.5)),
        "b2": one_minus(log_uniform(1e-4, 0.3)),
        "alpha": log_uniform(1.0, 20.0),
    },
    paper="Pagliardini, Ablin & Grangier, 2024, arXiv:2409.03137, Algorithm 1",
    flat=True,
)
