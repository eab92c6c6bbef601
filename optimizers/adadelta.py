"""AdaDelta: steps in the units of the parameters, from a running mean of past steps.

Zeiler, 2012, arXiv:1212.5701, Algorithm 1.

    v <- rho v + (1 - rho) g^2
    u = sqrt(d + eps) / sqrt(v + eps) g
    d <- rho d + (1 - rho) u^2
    theta <- theta - lr u

The paper has no rate, which is 1 here. Its epsilon 1e-6 also sets the length of the first steps. Implementations agree.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AdaDeltaState(NamedTuple):
    """Running means of squared gradients and of squared steps."""

    nu: PyTree  # like params
    delta: PyTree  # like params


def adadelta(
    learning_rate: Scalar = 1.0, rho: Scalar = 0.9, eps: Scalar = 1e-6
) -> optax.GradientTransformationExtraArgs:
    """Divides by the root mean square of gradients, multiplies by that of past steps; `rho` in [0, 1)."""

    def init(params: Params) -> AdaDeltaState:
        return AdaDeltaState(zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: AdaDeltaState) -> tuple[PyTree, AdaDeltaState]:
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - rho)
        steps = jax.tree.map(lambda g, v, d: jnp.sqrt((d + eps) / (v + eps)) * g, grads, nu, state.delta)
        delta = average(state.delta, jax.tree.map(jnp.square, steps), 1 - rho)
        return jax.tree.map(lambda u: -learning_rate * u, steps), AdaDeltaState(nu, delta)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adadelta,
    space={"learning_rate": log_uniform(1e-2, 100.0), "eps": log_uniform(1e-8, 1e-3)},
    wide={"rho": one_minus(log_uniform(1e-3, 0.5))},
    paper="Zeiler, 2012, arXiv:1212.5701, Algorithm 1",
    flat=True,
)
