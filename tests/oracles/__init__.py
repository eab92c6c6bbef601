"""Every rule once more, in float64 NumPy and from its paper: what the implementations are proven against.

One module per optimizer, found by its name. It shares no code with the implementation, spells every quantity out as
the paper does, and holds

    step(t, params, grads, state, **hyperparameters) -> params     t = 1, 2, ...; state a dict, empty at first
    SETTINGS    the settings that are compared: hyperparameters other than the defaults, and `rate_decay`, by which the
                learning rate shrinks from step to step if it is given
    ERROR       the relative difference of an independent package from such an oracle, measured over 200 steps
    LEARNING_RATE    the default
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.gradients import PULL, STEPS, Leaf, Leaves, flat, mask, noise, start

Rule = Callable[..., Any]


def names() -> list[str]:
    """The rules that have an oracle, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def load(name: str) -> Any:
    """The oracle's module."""
    return importlib.import_module(f"tests.oracles.{name}")


def per_leaf(rule: Rule) -> Rule:
    """A step on trees from a rule that treats one array at a time: rule(t, p, g, state, **hyperparameters) -> p."""

    def step(t: int, params: Leaves, grads: Leaves, state: dict[str, Any], **hparams: Any) -> Leaves:
        return {key: rule(t, params[key], grads[key], state.setdefault(key, {}), **hparams) for key in params}

    return step


def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t as (1 - beta)(1 + beta + ... + beta^(t-1)), in which nothing cancels when t is small."""
    return float((1 - beta) * np.sum(beta ** np.arange(t)))


def trajectory(name: str, setting: dict[str, Any]) -> Leaf:
    """Parameters before the first step and after each: float64 (STEPS + 1, size)."""
    hparams = {key: value for key, value in setting.items() if key != "rate_decay"}
    oracle = load(name)
    rate = hparams.pop("learning_rate", oracle.LEARNING_RATE)
    params, all_noise, flows = start(), noise(), mask()
    state: dict[str, Any] = {}
    path = [flat(params)]
    for t in range(1, STEPS + 1):
        grads = {key: flows[key] * (all_noise[key][t - 1] + PULL * params[key]) for key in params}
        now = rate * setting.get("rate_decay", 1.0) ** (t - 1)
        params = oracle.step(t, params, grads, state, learning_rate=now, **hparams)
        path.append(flat(params))
    return np.array(path)
