"""Momentum: the heavy ball.

Polyak, 1964, Some methods of speeding up the convergence of iteration methods.

    v <- momentum v + g
    theta <- theta - lr v

so that the first step is one of gradient descent, and a constant gradient is in the end amplified to
g / (1 - momentum). The paper gives neither constant: 0.9 is the custom since, 0.01 this catalogue's choice.

Implementations disagree only when the rate changes on the way. PyTorch and optax multiply the whole velocity by the
rate of the day, as above; the paper's form, theta_{t+1} = theta_t - lr g + momentum (theta_t - theta_{t-1}), keeps
each gradient at the rate of its own day, as Keras does: `rate_in_buffer=True`. With `nesterov=True` the step looks
ahead; see nesterov.py.
"""

from typing import NamedTuple

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class MomentumState(NamedTuple):
    """The decaying sum of gradients, or of rate times gradient with `rate_in_buffer`."""

    velocity: PyTree  # like params


def momentum(
    learning_rate: Scalar = 0.01, momentum: Scalar = 0.9, nesterov: bool = False, rate_in_buffer: bool = False
) -> optax.GradientTransformationExtraArgs:
    """Steps along a decaying sum of the gradients; `momentum` in [0, 1) is what a step leaves of it."""
    inner, outer = (learning_rate, 1.0) if rate_in_buffer else (1.0, learning_rate)

    def init(params: Params) -> MomentumState:
        return MomentumState(zeros_like(params))

    def update(grads: PyTree, state: MomentumState) -> tuple[PyTree, MomentumState]:
        velocity = jax.tree.map(lambda v, g: momentum * v + inner * g, state.velocity, grads)
        if nesterov:
            updates = jax.tree.map(lambda v, g: -outer * (momentum * v + inner * g), velocity, grads)
        else:
            updates = jax.tree.map(lambda v: -outer * v, velocity)
        return updates, MomentumState(velocity)

    return in_float32(init, update)


optimizer = Optimizer(
    make=momentum,
    space={"learning_rate": log_uniform(3e-4, 5.0), "momentum": one_minus(log_uniform(1e-2, 0.5))},
    paper="Polyak, 1964, doi:10.1016/0041-5553(64)90137-5",
    flat=True,
)
