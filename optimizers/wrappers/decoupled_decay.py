"""Decoupled weight decay: a pull to zero beside the step, not in the gradient.

Loshchilov & Hutter, 2019, arXiv:1711.05101.

    theta <- theta + inner step - lr weight_decay theta

The paper varies the decay from task to task; 0.01 is PyTorch's for AdamW. Every parameter decays, biases too.

Implementations disagree on what multiplies the decay: the learning rate, as above, in PyTorch, optax and Keras; in the
paper only the shape of the schedule, so that tuning the rate leaves it alone: `decay_form="independent"`, for a
constant schedule. `decay_form="coupled"` adds weight_decay theta to the gradient that the inner rule sees, which is an
L2 penalty (PyTorch's Adam with `weight_decay`), another optimizer.
"""

from typing import Any, Literal, NamedTuple

import jax
import optax

from optimizers._base import Params, PyTree, Scalar, in_float32
from optimizers._space import log_uniform
from optimizers._wrapper import Wrapper


class DecayState(NamedTuple):
    """What is decayed keeps its state."""

    inner: PyTree


def decoupled_decay(
    inner: optax.GradientTransformationExtraArgs,
    learning_rate: Scalar = 1e-3,
    weight_decay: Scalar = 0.01,
    decay_form: Literal["scaled", "independent", "coupled"] = "scaled",
) -> optax.GradientTransformationExtraArgs:
    """The inner step and a pull to zero of `weight_decay` times the learning rate."""
    if decay_form not in ("scaled", "independent", "coupled"):
        raise ValueError(f"decay_form {decay_form!r} is none of scaled, independent, coupled")
    pull = learning_rate * weight_decay if decay_form == "scaled" else weight_decay

    def init(params: Params) -> DecayState:
        return DecayState(inner.init(params))

    def update(grads: PyTree, state: DecayState, params: Params, **extra: Any) -> tuple[PyTree, DecayState]:
        if decay_form == "coupled":
            grads = jax.tree.map(lambda g, p: g + pull * p, grads, params)
        updates, after = inner.update(grads, state.inner, params, **extra)
        if decay_form != "coupled":
            updates = jax.tree.map(lambda u, p: u - pull * p, updates, params)
        return updates, DecayState(after)

    return in_float32(init, update)


wrapper = Wrapper(
    wrap=decoupled_decay,
    paper="Loshchilov & Hutter, 2019, arXiv:1711.05101",
    space={"weight_decay": log_uniform(1e-4, 1.0)},
    flat=True,
)
