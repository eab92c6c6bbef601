"""Each check finds what it is there for, and nothing else."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import pytest

import optimizers
from bench import checks
from bench.findings import OF_QUALITY
from optimizers import Optimizer
from optimizers._space import log_uniform

Update = Callable[..., tuple[Any, Any]]


def made(update: Update, init: Callable[[Any], Any] = lambda params: optax.EmptyState(), **more: Any) -> Optimizer:
    """An optimizer of update(rate, grads, state, params)."""

    def make(learning_rate: Any = 0.1) -> Any:
        return optax.GradientTransformationExtraArgs(
            init, lambda grads, state, params=None, **extra: update(learning_rate, grads, state, params)
        )

    return Optimizer(**{"make": make, "space": {"learning_rate": log_uniform(0.01, 1.0)}, "paper": "none", **more})


def each(function: Callable[..., Any]) -> Update:
    """The rule that treats every array alike and keeps no state: function(rate, grad, param)."""
    return lambda rate, grads, state, params: (jax.tree.map(lambda g, p: function(rate, g, p), grads, params), state)


descent = each(lambda rate, g, p: (-rate * g).astype(p.dtype))


def branches(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    return descent(rate if rate < 1 else 1.0, grads, state, params)


def forgets(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    return descent(rate, grads, state, params)[0], (*state, jnp.zeros(()))


def widens(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    return descent(rate, grads, state, params)[0], state + rate


def prints(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    jax.debug.print("here")
    return descent(rate, grads, state, params)


_traces = count(1)


def changes(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    return descent(rate / next(_traces), grads, state, params)


def first_leaf(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    return descent(rate * jnp.isfinite(jax.tree.leaves(grads)[0]).all(), grads, state, params)


def in_place(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    updates, state = descent(rate, grads, state, params)
    grads.update(updates)
    return updates, state


def leaves(rate: Any, grads: Any, state: Any, params: Any) -> Any:
    raise SystemExit(3)


class Counted(NamedTuple):
    spent: jax.Array


def cheap(rate: Any, grads: Any, state: Counted, params: Any) -> Any:
    return descent(rate, grads, state, params)[0], Counted(state.spent)


BROKEN = {
    "is made and started with its defaults": made(descent, lambda params: params["nothing"]),
    "runs under jit, vmap and scan, its hyperparameters traced": made(branches),
    "survives zero, huge and tiny gradients": made(each(lambda rate, g, p: (-rate * g / jnp.abs(g)).astype(p.dtype))),
    "does not move outwards without a gradient": made(each(lambda rate, g, p: (0.01 - rate * g).astype(p.dtype))),
    "makes a quadratic smaller with its defaults": made(each(lambda rate, g, p: (rate * g).astype(p.dtype))),
    "keeps shapes and dtypes of state and updates": made(widens, lambda params: jnp.zeros((), jnp.float16)),
    "has no side effects": made(prints),
    "takes trees without any array": made(first_leaf),
    "counts its gradient evaluations": made(
        cheap, lambda params: Counted(jnp.zeros((), jnp.int32)), grad_evals=lambda state: state.spent
    ),
    "has its defaults inside its search space": made(descent, space={"learning_rate": log_uniform(1.0, 2.0)}),
}


def broken(optimizer: Optimizer, strict: bool = True) -> list[str]:
    return [finding.check for finding in checks.check(optimizer, strict) if finding.problem]


def test_gradient_descent_is_sound() -> None:
    assert broken(made(descent)) == []


@pytest.mark.parametrize("check", BROKEN)
def test_each_mistake_is_found_by_its_own_check(check: str) -> None:
    assert check in broken(BROKEN[check])


def test_what_depends_on_the_outside_is_found() -> None:
    assert broken(made(changes)) == ["has no side effects"]


def test_what_changes_its_arguments_is_found() -> None:
    problems = [finding.problem for finding in checks.check(made(in_place)) if finding.problem]
    assert problems == ["the update changes the gradients that it is given, in place"]


def test_a_rule_that_ends_the_process_is_found_and_the_line_named() -> None:
    problems = [finding.problem for finding in checks.check(made(leaves)) if finding.problem]
    assert set(problems) == {f"SystemExit: 3 ({__file__}, line {leaves.__code__.co_firstlineno + 1})"}


def test_a_state_that_grows_does_not_run_and_its_runs_are_not_asked_about() -> None:
    findings = list(checks.check(made(forgets, lambda params: ())))
    assert "structure of the state changes" in next(f.problem for f in findings if f.check.startswith("keeps shapes"))
    assert [f.check for f in findings if not f.reached] == [
        "repeats itself to the bit, beside a run of NaN",
        "survives zero, huge and tiny gradients",
        "does not move outwards without a gradient",
        "makes a quadratic smaller with its defaults",
        "counts its gradient evaluations",
    ]


@pytest.mark.parametrize("spec", ["optax:adam", "optax:sgd(momentum=0.9)", "cautious:optax:adam"])
def test_optax_is_sound_for_the_benchmark(spec: str) -> None:
    assert broken(optimizers.get(spec), strict=False) == []


def test_checks_of_quality_are_checks() -> None:
    assert set(checks.names()) > OF_QUALITY
