"""NovoGrad: momentum on gradients that are normalised array by array.

Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1.

    n <- b2 n + (1 - b2) ||g||^2,  norms per array, n = ||g||^2 in the first step
    u = g / (sqrt(n) + eps) + weight_decay theta
    m <- b1 m + u,  m = u in the first step
    theta <- theta - lr m

`grad_averaging=True` weighs u by 1 - b1 after the first step. The paper's constants are 0.95 and 0.98; optax has 0.9
and 0.25.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, norm, zeros_like
from optimizers._space import log_uniform, one_minus


class NovoGradState(NamedTuple):
    """Steps taken, the momentum, and a running mean of each array's squared gradient norm."""

    step: jax.Array  # int32 scalar
    mu: PyTree  # like params
    nu: PyTree  # a scalar for each array


def novograd(
    learning_rate: Scalar = 1e-2,
    b1: Scalar = 0.95,
    b2: Scalar = 0.98,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.0,
    grad_averaging: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Steps along a decaying sum of unit gradients; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> NovoGradState:
        scalars = jax.tree.map(lambda p: jnp.zeros((), p.dtype), params)
        return NovoGradState(jnp.zeros((), jnp.int32), zeros_like(params), scalars)

    def update(grads: PyTree, state: NovoGradState, params: Params) -> tuple[PyTree, NovoGradState]:
        step = state.step + 1
        first = step == 1
        squares = jax.tree.map(lambda g: jnp.square(norm(g)), grads)
        nu = average(state.nu, squares, jnp.where(first, 1.0, 1 - b2))
        units = jax.tree.map(lambda g, n, p: g / (jnp.sqrt(n) + eps) + weight_decay * p, grads, nu, params)
        weight = jnp.where(first, 1.0, 1 - b1) if grad_averaging else 1.0
        mu = jax.tree.map(lambda m, u: b1 * m + weight * u, state.mu, units)
        return jax.tree.map(lambda m: -learning_rate * m, mu), NovoGradState(step, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=novograd,
    space={"learning_rate": log_uniform(1e-4, 1.0), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-3, 0.9))},
    paper="Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1",
)
