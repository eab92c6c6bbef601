"""SGD: stochastic gradient descent.

Robbins & Monro, 1951, Annals of Mathematical Statistics 22(3); on whole data sets it is Cauchy's method of 1847.

    theta <- theta - lr g

The paper gives no rate, only that rates should fall like 1/t; 0.1 is this catalogue's choice. Implementations agree.
"""

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32
from optimizers._space import log_uniform


def sgd(learning_rate: Scalar = 0.1) -> optax.GradientTransformationExtraArgs:
    """Steps against the gradient, `learning_rate` times its length; no state."""

    def init(params: Params) -> optax.EmptyState:
        del params
        return optax.EmptyState()

    def update(grads: PyTree, state: optax.EmptyState) -> tuple[PyTree, optax.EmptyState]:
        return jax.tree.map(lambda g: -learning_rate * g, grads), state

    return in_float32(init, update)


optimizer = Optimizer(
    make=sgd,
    space={"learning_rate": log_uniform(3e-3, 30.0)},
    paper="Robbins & Monro, 1951, doi:10.1214/aoms/1177729586",
    flat=True,
)
