"""Every rule once more, in float64 NumPy and from its paper: what the implementations are proven against.

One module per optimizer, found by its name. It shares no code with the implementation, spells every quantity out as
the paper does, and holds

    step(t, params, grads, state, **hyperparameters) -> params     t = 1, 2, ...; state a dict, empty at first. A rule
                that needs more than gradients has a parameter `loss`, this step's loss: loss.value(params),
                loss.grad(params). One that evaluates other parameters than it trains leaves them in state["evaluated"]
    SETTINGS    the settings that are compared: hyperparameters other than the defaults, and `rate_decay`, by which the
                learning rate shrinks from step to step if it is given
    ERROR       the relative difference of an independent package from such an oracle, measured over 200 steps
    LEARNING_RATE    the default
    PEERS       which independent packages have the rule, and with which flags
    PROBLEM     which of tests.gradients.PROBLEMS it is driven through, "noise" if it says nothing
    ELEMENTWISE    False for a rule with norms, roots of matrices or other sums, whose error may be above 1e-12
    UNTIL       the last step that is compared, STEPS if it says nothing
    FLOAT32     what float32 may differ by at the defaults, relative to the distance travelled, 2e-6 if it says nothing
    ROUNDINGS    units in the last place of a parameter that may be lost in its arithmetic, 2 if it says nothing
"""

import importlib
import inspect
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.gradients import PROBLEMS, STEPS, Leaf, Leaves, Problem, flat, rates

Rule = Callable[..., Any]


class Peer(NamedTuple):
    """An independent implementation that must do the same.

    Attributes:
      path: its dotted name, PACKAGE.[...].CLASS.
      setting: our hyperparameters. The learning rate is the peer's too, and shrinks by `rate_decay` a step if there is
        one.
      flags: all of the peer's arguments but the learning rate; every one that matters is written out, as a package's
        defaults may change.
      error: what it is known to differ by, for one that computes in less than float64 somewhere; None is the oracle's.
    """

    path: str
    setting: dict[str, Any]
    flags: dict[str, Any]
    error: float | None = None

    @property
    def package(self) -> str:
        return self.path.partition(".")[0]


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

    step.__wrapped__ = rule  # type: ignore[attr-defined]  # `inspect.signature` shows the rule's hyperparameters
    return step


def one_minus_power(beta: float, t: int) -> float:
    """1 - beta^t as (1 - beta)(1 + beta + ... + beta^(t-1)), in which nothing cancels when t is small."""
    return float((1 - beta) * np.sum(beta ** np.arange(t)))


def problem(name: str) -> Problem:
    """What the rule is driven through."""
    return PROBLEMS[getattr(load(name), "PROBLEM", "noise")]


def roundings(name: str) -> int:
    """Units in the last place of a parameter that are not counted as a difference."""
    return int(getattr(load(name), "ROUNDINGS", 2))


def float32_error(name: str) -> float:
    """What the rule may differ by in float32."""
    return float(getattr(load(name), "FLOAT32", 2e-6))


def last_step(name: str) -> int:
    """The last step that is compared."""
    return int(getattr(load(name), "UNTIL", STEPS))


def defaults(name: str) -> dict[str, Any]:
    """The hyperparameters of the rule's step that have a default; the learning rate's stands beside it."""
    parameters = inspect.signature(load(name).step).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty} | {
        "learning_rate": load(name).LEARNING_RATE
    }


@cache
def _trajectory(name: str, setting: str) -> Leaf:
    hparams = json.loads(setting)
    oracle, driven = load(name), problem(name)
    rate = rates(hparams.pop("learning_rate", oracle.LEARNING_RATE), hparams.pop("rate_decay", 1.0))
    takes_loss = "loss" in inspect.signature(oracle.step).parameters
    params = driven.start
    state: dict[str, Any] = {}
    path = [flat(params)]
    for t in range(1, STEPS + 1):
        loss = driven.loss(t)
        extra = {"loss": loss} if takes_loss else {}
        params = oracle.step(t, params, loss.grad(params), state, learning_rate=rate[t - 1], **extra, **hparams)
        path.append(flat(state.get("evaluated", params)))
    return np.array(path)


def trajectory(name: str, setting: dict[str, Any]) -> Leaf:
    """The parameters to evaluate, before the first step and after each that is compared: float64 (steps + 1, size)."""
    return _trajectory(name, json.dumps(setting, sort_keys=True))[: last_step(name) + 1]
