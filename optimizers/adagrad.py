"""AdaGrad: each coordinate's rate falls with the gradients it has seen.

Duchi, Hazan & Singer, 2011, JMLR 12, Figure 1, diagonal matrices.

    a <- a + g^2,  from a = initial_accumulator_value
    theta <- theta - lr g / (sqrt(a) + eps)

The paper starts the sum at zero and adds its delta outside the root, as PyTorch does; it gives no value for the rate
or for delta: 0.1 is this catalogue's choice, 1e-10 PyTorch's. Keras and optax start at 0.1 and put epsilon inside the
root: `initial_accumulator_value=0.1, eps=1e-7, eps_in_sqrt=True`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32
from optimizers._space import log_uniform


class AdaGradState(NamedTuple):
    """The squares of all gradients so far, added up."""

    sum_of_squares: PyTree  # like params


def adagrad(
    learning_rate: Scalar = 0.1,
    initial_accumulator_value: Scalar = 0.0,
    eps: Scalar = 1e-10,
    eps_in_sqrt: bool = False,
) -> optax.GradientTransformationExtraArgs:
    """Divides the gradient by the root of the sum of its squares so far."""

    def init(params: Params) -> AdaGradState:
        return AdaGradState(jax.tree.map(lambda p: jnp.full_like(p, initial_accumulator_value), params))

    def root(a: jax.Array) -> jax.Array:
        return jnp.sqrt(a + eps) if eps_in_sqrt else jnp.sqrt(a) + eps

    def update(grads: PyTree, state: AdaGradState) -> tuple[PyTree, AdaGradState]:
        sums = jax.tree.map(lambda a, g: a + jnp.square(g), state.sum_of_squares, grads)
        return jax.tree.map(lambda g, a: -learning_rate * g / root(a), grads, sums), AdaGradState(sums)

    return in_float32(init, update)


optimizer = Optimizer(
    make=adagrad,
    space={"learning_rate": log_uniform(3e-3, 10.0)},
    wide={"eps": log_uniform(1e-12, 1e-2)},
    paper="Duchi, Hazan & Singer, 2011, JMLR 12:2121-2159, Figure 1",
    flat=True,
)
