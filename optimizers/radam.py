"""RAdam: Adam that takes plain momentum steps until its variance can be trusted.

Liu et al., 2020, arXiv:1908.03265, Algorithm 2.

    m, v as in adam.py;  rho_inf = 2 / (1 - b2) - 1,  rho = rho_inf - 2 t b2^t / (1 - b2^t)
    where rho > threshold:  theta <- theta - lr r m^ / sqrt(v^),
        r = sqrt[(rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho)]
    else:                   theta <- theta - lr m^

The paper's threshold is 4 and it has no epsilon; the authors' code and everyone since use 5 and 1e-8. PyTorch adds
epsilon to the root of the raw v, the default here; optax to that of the corrected v^: `eps_hat=False`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, correction, in_float32, scalar, zeros_like
from optimizers._space import log_uniform, one_minus


class RAdamState(NamedTuple):
    """Steps taken, the sum of squares' ages, and running means of gradients and of their squares, not corrected."""

    step: jax.Array  # int32 scalar
    ages: jax.Array  # scalar: of b2^k (k + 1) over the steps taken
    mu: PyTree  # like params
    nu: PyTree  # like params


def radam(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    threshold: Scalar = 5.0,
    eps_hat: bool = True,
) -> optax.GradientTransformationExtraArgs:
    """Adam's step times a factor that rises to one, or a momentum step; `b1` and `b2` in [0, 1)."""

    def init(params: Params) -> RAdamState:
        return RAdamState(jnp.zeros((), jnp.int32), scalar(params, 0.0), zeros_like(params), zeros_like(params))

    def update(grads: PyTree, state: RAdamState) -> tuple[PyTree, RAdamState]:
        step = state.step + 1
        mu = average(state.mu, grads, 1 - b1)
        nu = average(state.nu, jax.tree.map(jnp.square, grads), 1 - b2)
        c2 = correction(step, 1 - b2)
        limit = 2 / (1 - b2) - 1
        # Twice the mean age less one is the paper's rho, which as a difference of large numbers loses four digits.
        total = c2 / (1 - b2)
        ages = b2 * state.ages + total
        rho = 2 * ages / total - 1
        trusted = rho > threshold
        ratio = (rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)
        rectified = jnp.sqrt(jnp.where(trusted, ratio, 1.0) * c2)
        rate = learning_rate / correction(step, 1 - b1)
        floor = eps if eps_hat else eps * jnp.sqrt(c2)
        updates = jax.tree.map(
            lambda m, v: -rate * m * jnp.where(trusted, rectified / (jnp.sqrt(v) + floor), 1.0), mu, nu
        )
        return updates, RAdamState(step, ages, mu, nu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=radam,
    space={"learning_rate": log_uniform(1e-4, 0.3), "b1": one_minus(log_uniform(1e-2, 0.5))},
    wide={"b2": one_minus(log_uniform(1e-4, 0.3)), "eps": log_uniform(1e-10, 1e-2)},
    paper="Liu et al., 2020, arXiv:1908.03265, Algorithm 2",
    flat=True,
)
