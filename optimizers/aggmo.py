"""AggMo: the mean of several momenta, fast ones to damp the slow.

Lucas, Sun, Zemel & Grosse, 2019, arXiv:1804.00325, equation (3).

    v_i <- b_i v_i + g,   i = 1, 2, 3
    theta <- theta - lr (v_1 + v_2 + v_3) / 3

0, 0.9 and 0.99 are the paper's default. Implementations agree.
"""

from typing import NamedTuple

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus


class AggmoState(NamedTuple):
    """The decaying sums of gradients."""

    velocities: tuple[PyTree, ...]  # three trees like params


def aggmo(
    learning_rate: Scalar = 0.01, b1: Scalar = 0.0, b2: Scalar = 0.9, b3: Scalar = 0.99
) -> optax.GradientTransformationExtraArgs:
    """Steps along the mean of three momenta, each in [0, 1)."""

    def init(params: Params) -> AggmoState:
        return AggmoState((zeros_like(params),) * 3)

    def update(grads: PyTree, state: AggmoState) -> tuple[PyTree, AggmoState]:
        velocities = tuple(
            jax.tree.map(lambda v, g, b=b: b * v + g, velocity, grads)
            for b, velocity in zip((b1, b2, b3), state.velocities, strict=True)
        )
        return jax.tree.map(lambda *v: -learning_rate / 3 * sum(v), *velocities), AggmoState(velocities)

    return in_float32(init, update)


optimizer = Optimizer(
    make=aggmo,
    space={"learning_rate": log_uniform(1e-3, 3.0), "b3": one_minus(log_uniform(1e-3, 0.3))},
    wide={"b2": one_minus(log_uniform(0.03, 0.5))},
    paper="Lucas, Sun, Zemel & Grosse, 2019, arXiv:1804.00325, equation (3)",
    flat=True,
)
