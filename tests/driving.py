"""Leading an optimizer over given gradients or down a function, and what came of each step."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from hypothesis import settings

import optimizers

few = settings(max_examples=40, deadline=None, derandomize=True, database=None)


class History(NamedTuple):
    """What there was after each step, in trees whose arrays have the steps as their first axis."""

    trained: Any
    evaluated: Any
    states: Any


def steps(name: str, grads: Any, start: Any, **hparams: Any) -> Any:
    """Parameters after each of the given gradients, (steps, size)."""
    return _walk(name, lambda _, g: (g, {}), start, grads, None, hparams).trained


def descent(name: str, gradient: Callable[[Any], Any], start: Any, length: int, **hparams: Any) -> Any:
    """Parameters after each step on a function given by its gradient, (length, size)."""
    return _walk(name, lambda p, _: (gradient(p), {}), start, None, length, hparams).trained


def traced(name: str, *hparams: str) -> Callable[..., np.ndarray]:
    """(gradients, start, *values of the hyperparameters) to the parameters after each step; compiled once in all."""
    compiled = jax.jit(
        lambda grads, start, *values: steps(name, grads, start, **dict(zip(hparams, values, strict=True)))
    )
    return lambda *arguments: np.asarray(compiled(*(jnp.asarray(a, jnp.float32) for a in arguments)), np.float64)


def path(name: str, grads: Any, start: Any, **hparams: Any) -> Any:
    """As `steps`, in float64; compiled once for all values of the hyperparameters that are floats."""
    return history(name, grads, start, **hparams).trained


def history(name: str, grads: Any, start: Any, **hparams: Any) -> History:
    """All that came of the given gradients, in float64; compiled as `path` is."""
    return _compiled(name, None, None, hparams)(grads, start)


def minimised(name: str, loss: Callable[[Any], Any], start: Any, length: int, **hparams: Any) -> History:
    """All that came of `length` steps on a function, in float64; rules that ask for the function get it."""
    return _compiled(name, loss, length, hparams)(None, start)


def moves(path: np.ndarray, start: Any = 0.0) -> np.ndarray:
    """The steps of a path that began at `start`."""
    return np.diff(path, axis=0, prepend=np.broadcast_to(start, path.shape[1:])[None])


def noise(seed: int, *shape: int) -> np.ndarray:
    """Standard normal numbers."""
    return np.random.RandomState(seed).standard_normal(shape)


def weighted_means(beta: float, x: np.ndarray) -> np.ndarray:
    """After each step the mean of all x so far, (steps, size), with weights that fall by `beta` a step of age."""
    ages = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    weights = np.where(ages >= 0, beta ** np.maximum(ages, 0.0), 0.0)
    return weights / weights.sum(axis=1, keepdims=True) @ x


def _compiled(name: str, loss: Callable[[Any], Any] | None, length: int | None, hparams: Any) -> Callable[..., History]:
    every = {**optimizers.get(name).defaults, **hparams}
    floats = {key: value for key, value in every.items() if isinstance(value, float)}
    static = tuple((key, value) for key, value in every.items() if key not in floats)
    program = _program(name, loss, length, static)

    def run(grads: Any, start: Any) -> History:
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, program(grads, start, floats))

    return run


@cache
def _program(name: str, loss: Callable[[Any], Any] | None, length: int | None, static: Any) -> Callable[..., History]:
    def gradient(params: Any, given: Any) -> tuple[Any, dict[str, Any]]:
        if loss is None:
            return given, {}
        value, grads = jax.value_and_grad(loss)(params)
        return grads, {"value": value, "grad": grads, "value_fn": loss}

    return jax.jit(
        lambda grads, start, hparams: _walk(name, gradient, start, grads, length, {**hparams, **dict(static)})
    )


def _walk(
    name: str,
    gradient: Callable[[Any, Any], tuple[Any, dict[str, Any]]],
    start: Any,
    given: Any,
    length: int | None,
    hparams: Any,
) -> History:
    optimizer = optimizers.get(name)
    transform = optimizer.make(**hparams)

    def step(carry: Any, x: Any) -> tuple[Any, History]:
        params, state = carry
        grads, extra = gradient(params, x)
        updates, state = transform.update(grads, state, params, **extra)
        params = optax.apply_updates(params, updates)
        return (params, state), History(params, optimizer.eval_params(state, params), state)

    return jax.lax.scan(step, (start, transform.init(start)), given, length)[1]
