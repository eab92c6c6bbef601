"""QHM: a mean of the gradient and of its running mean.

Ma & Yarats, 2019, arXiv:1810.06801, equations (3) and (4).

    m <- momentum m + (1 - momentum) g
    theta <- theta - lr ((1 - nu) g + nu m)

The paper recommends nu 0.7 and momentum 0.999; the rate is this catalogue's. Implementations agree.
"""

from typing import NamedTuple

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, average, in_float32, zeros_like
from optimizers._space import log_uniform, one_minus, uniform


class QhmState(NamedTuple):
    """The running mean of gradients."""

    mu: PyTree  # like params


def qhm(
    learning_rate: Scalar = 0.1, momentum: Scalar = 0.999, nu: Scalar = 0.7
) -> optax.GradientTransformationExtraArgs:
    """Steps along `nu` parts momentum and 1 - `nu` parts gradient; `momentum` in [0, 1)."""

    def init(params: Params) -> QhmState:
        return QhmState(zeros_like(params))

    def update(grads: PyTree, state: QhmState) -> tuple[PyTree, QhmState]:
        mu = average(state.mu, grads, 1 - momentum)
        return jax.tree.map(lambda s: -learning_rate * s, average(grads, mu, nu)), QhmState(mu)

    return in_float32(init, update)


optimizer = Optimizer(
    make=qhm,
    space={"learning_rate": log_uniform(3e-3, 30.0), "nu": uniform(0.3, 1.0, within=(0.0, 1.0))},
    wide={"momentum": one_minus(log_uniform(1e-4, 0.5))},
    paper="Ma & Yarats, 2019, arXiv:1810.06801, equations (3) and (4)",
    flat=True,
)
