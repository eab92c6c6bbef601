"""AdamW: Adam with weight decay beside the gradient, not in it.

Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2.

    theta <- theta - lr (m^ / (sqrt(v^) + eps) + weight_decay theta),  m^ and v^ as in adam.py

The paper varies the decay from task to task; 0.01 is PyTorch's. Every parameter decays, biases too.

Implementations disagree on what multiplies the decay: the learning rate, as above, in PyTorch, optax and Keras; in the
paper only the shape of the schedule, so that tuning the rate leaves it alone: `decay_form="independent"`, for a
constant schedule. `decay_form="coupled"` adds weight_decay theta to the gradient, which is Adam with an L2 penalty
(PyTorch's Adam), another optimizer. `eps_hat=True` is Keras' place for epsilon; see adam.py.
"""

from typing import Literal

import jax
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32
from optimizers._space import log_uniform
from optimizers.adam import AdamState, adam


def adamw(
    learning_rate: Scalar = 1e-3,
    b1: Scalar = 0.9,
    b2: Scalar = 0.999,
    eps: Scalar = 1e-8,
    weight_decay: Scalar = 0.01,
    decay_form: Literal["scaled", "independent", "coupled"] = "scaled",
    eps_hat: bool = False,
) -> optax.GradientTransformation:
    """Adam's step and a pull to zero of `weight_decay` times the learning rate, per step."""
    if decay_form not in ("scaled", "independent", "coupled"):
        raise ValueError(f"decay_form {decay_form!r} is none of scaled, independent, coupled")
    inner = adam(learning_rate, b1, b2, eps, eps_hat)
    pull = learning_rate * weight_decay if decay_form == "scaled" else weight_decay

    def update(grads: PyTree, state: AdamState, params: Params | None = None) -> tuple[PyTree, AdamState]:
        if params is None:
            raise ValueError("adamw decays the parameters, so update needs them")
        if decay_form == "coupled":
            grads = jax.tree.map(lambda g, p: g + pull * p, grads, params)
        updates, state = inner.update(grads, state)
        if decay_form != "coupled":
            updates = jax.tree.map(lambda u, p: u - pull * p, updates, params)
        return updates, state

    return in_float32(inner.init, update)


optimizer = Optimizer(
    make=adamw,
    space={"learning_rate": log_uniform(1e-4, 0.3), "weight_decay": log_uniform(1e-4, 1.0)},
    paper="Loshchilov & Hutter, 2019, arXiv:1711.05101, Algorithm 2",
)
