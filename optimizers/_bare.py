"""Bare functions as optimizers: what a file or a module has that says nothing of a search.

    def mine(lr=0.01, momentum=0.9, eps=1e-8): ...      # hyperparameters to an optax GradientTransformation

Its signature names the hyperparameters, and a search space is guessed from their names and defaults; the guess can be
had in words, as a comparison rests on it. An `Optimizer` in the file says its own space, and nothing is guessed.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from optimizers import _base
from optimizers._base import Optimizer, _try, _with_extra_args
from optimizers._names import OptimizerError, layers, parse, source_file
from optimizers._own import is_listed
from optimizers._space import Distribution, log_uniform, one_minus, uniform
from optimizers._spec import Spec, SpecError, module_of

# What a function may call its learning rate, the likeliest first; where none is meant, as where alpha averages, the
# default tells.
RATES = ("learning_rate", "lr", "step_size", "stepsize", "alpha")
LARGEST_ALPHA = 0.5
UNSAID_RATE = 1e-3
UNSAID_RATES = log_uniform(1e-4, 1.0)


class OwnCodeError(OptimizerError):
    """The mistake is in the file that a spec names, and not in the spec."""


class Found(NamedTuple):
    """An optimizer, and what was guessed of it, a line each; nothing if it says its own space."""

    optimizer: Optimizer
    guessed: tuple[str, ...]


def _rate(default: float) -> Distribution:
    return _around(default / 10**2.5, default * 10**2.5)


def _memory(default: float, least: float = 0.0) -> Distribution | None:
    rest = 1 - default
    return one_minus(_around(rest / 10, min(1.0, max(5 * rest, 0.3)))) if least <= default < 1 else None


def _decay(default: float) -> Distribution | None:
    if default == 0:
        return uniform(0.0, 0.1, within=(0.0, float("inf")))
    return _around(default / 100, default * 100) if default > 0 else None


def _floor(default: float) -> Distribution | None:
    return _around(default / 100, default * 1e4) if default > 0 else None


def _around(low: float, high: float) -> Distribution:
    return log_uniform(float(f"{low:.3g}"), float(f"{high:.3g}"))


# What a name says of a hyperparameter: the law around its default, if it can be that, and whether it may be searched
# beside the learning rate or only in a wide search.
_LAWS: tuple[tuple[str, Callable[[float], Distribution | None], bool], ...] = (
    (r"(b|beta_?)\d?|momentum", _memory, True),
    (r"(\w+_)?decay(_rate)?|rho|mu", partial(_memory, least=0.5), True),
    (r"weight_decay|wd|l2", _decay, True),
    (r"eps(ilon)?\d?", _floor, False),
)


def get(spec: str) -> Optimizer:
    """As `optimizers.get`, where a bare function has the space that is guessed for it.

    Raises:
      OptimizerError: as there; an OwnCodeError where the file that the spec names is to blame.
    """
    return find(spec).optimizer


def find(spec: str) -> Found:
    """The optimizer that a spec names, with the guess in words; the file it is in runs once.

    Raises:
      OptimizerError: as `get`.
    """
    parsed = parse(spec)
    if is_listed(spec):
        return Found(_base.get(spec), ())
    found, words = _load(spec, parsed)
    if unknown := sorted(set(parsed.fixed) - set(found.defaults)):
        known = ", ".join(found.defaults)
        raise OptimizerError(f"optimizer {spec!r}: no hyperparameter {', '.join(unknown)}; it has {known}")
    if parsed.fixed:
        _try(spec, found, parsed.fixed)
    space, wide = ({n: law for n, law in of.items() if n not in parsed.fixed} for of in (found.space, found.wide))
    make = _with_extra_args(partial(found.make, **parsed.fixed))
    return Found(
        replace(found, name=parsed.name, make=make, space=space, wide=wide, fixed=parsed.fixed),
        tuple(line for line in words if line.split(":")[0] not in parsed.fixed),
    )


def _load(spec: str, parsed: Spec) -> Found:
    if (outer := layers(spec)[0]) and parsed.attr is not None:
        inner, words = find(parsed.attr)
        try:
            return Found(importlib.import_module(f"optimizers.wrappers.{outer[0]}").wrapper(inner), words)
        except OptimizerError as error:
            raise OptimizerError(f"optimizer {spec!r}: {error}") from error
    source_file(spec)
    try:
        module = module_of(parsed)
    except SpecError as error:
        raise OwnCodeError(f"optimizer {spec!r}: {error}") from error
    attr = parsed.attr or _meant(spec, parsed, module)
    found = getattr(module, attr, None)
    if isinstance(found, Optimizer):
        return Found(found, ())
    if not callable(found):
        raise OptimizerError(f"optimizer {spec!r}: {module.__name__} has neither an Optimizer nor a function {attr!r}")
    return guess(spec, found, f"{module.__name__}.{attr}", parsed.fixed)


def _meant(spec: str, parsed: Spec, module: Any) -> str:
    """What a file is there for: its `optimizer`, what is called as the file is, or the only one that it defines."""
    stem = Path(parsed.target).stem
    for name in ("optimizer", stem):
        if hasattr(module, name):
            return name
    ours = [m for name, m in list(sys.modules.items()) if name.startswith("optimizers.")]
    imported = {id(x) for m in ours for x in vars(m).values() if isinstance(x, Optimizer)}
    public = {name: x for name, x in vars(module).items() if not name.startswith("_")}
    objects = [name for name, x in public.items() if isinstance(x, Optimizer) and id(x) not in imported]
    functions = [n for n, x in public.items() if inspect.isfunction(x) and x.__module__ == module.__name__]
    names = objects or functions
    if len(names) > 1:
        raise OwnCodeError(
            f"optimizer {spec!r}: {parsed.target} has {', '.join(names)}; name one, as in {parsed.target}:{names[0]}"
        )
    if not names:
        raise OwnCodeError(f"optimizer {spec!r}: {parsed.target} has neither an Optimizer nor a function {stem!r}")
    return names[0]


def guess(spec: str, function: Callable[..., Any], paper: str, fixed: Mapping[str, object]) -> Found:
    """A bare function as an optimizer, with the space that its signature suggests.

    Args:
      fixed: hyperparameters that the spec fixes, which need no default.

    Raises:
      OwnCodeError: it takes no learning rate, or something else that has no default.
    """
    parameters = _parameters(spec, function)
    rate = _rate_of(spec, function, parameters)
    default = parameters[rate].default
    said = _is_number(default)
    if said and not 0 < default < float("inf"):
        raise OwnCodeError(f"optimizer {spec!r}: the default {rate} must be above zero, not {default!r}{_at(function)}")
    value = default if said else UNSAID_RATE
    if wanting := [name for name, p in parameters.items() if p.default is p.empty and name not in {rate, *fixed}]:
        raise OwnCodeError(
            f"optimizer {spec!r}: give {' and '.join(wanting)} a default, or a value in brackets behind the "
            f"name{_at(function)}"
        )
    others = {name: p.default for name, p in parameters.items() if name != rate}
    defaults = {"learning_rate": value} | {
        n: fixed[n] if x is inspect.Parameter.empty else x for n, x in others.items()
    }
    space: dict[str, Distribution] = {"learning_rate": _rate(value) if said else UNSAID_RATES}
    wide: dict[str, Distribution] = {}
    for name, number in defaults.items():
        law, core = _law(name, number) if name not in space else (None, False)
        if law is not None:
            (space if core and number and len(space) < 2 else wide)[name] = law
    optimizer = Optimizer(make=_renamed(function, rate, defaults), space=space, wide=wide, paper=paper)
    return Found(optimizer, _words(optimizer, rate, said))


def _parameters(spec: str, function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        every = inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise OwnCodeError(f"optimizer {spec!r}: its arguments cannot be read; write it as a function") from None
    named = {n: p for n, p in every.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if unnamed := [name for name, p in named.items() if p.kind is p.POSITIONAL_ONLY]:
        raise OwnCodeError(f"optimizer {spec!r}: {', '.join(unnamed)} cannot be given by name{_at(function)}")
    return named


def _rate_of(spec: str, function: Callable[..., Any], parameters: Mapping[str, inspect.Parameter]) -> str:
    """What the function calls its learning rate."""
    known = [name for name in RATES if name in parameters]
    if not known:
        has = ", ".join(parameters) or "none at all"
        raise OwnCodeError(
            f"optimizer {spec!r}: the function takes no argument named learning_rate (nor {', '.join(RATES[1:])}) but "
            f"{has}; rename the one that is its learning rate{_at(function)}"
        )
    rate, default = known[0], parameters[known[0]].default
    if rate == "alpha" and _is_number(default) and default > LARGEST_ALPHA:
        raise OwnCodeError(
            f"optimizer {spec!r}: alpha={default!r} hardly is a learning rate; rename what is to "
            f"learning_rate{_at(function)}"
        )
    return rate


def _law(name: str, default: object) -> tuple[Distribution | None, bool]:
    if not isinstance(default, float):
        return None, False
    matching = [(law, core) for names, law, core in _LAWS if re.fullmatch(names, name)]
    # weight_decay is a decay by its name too: the last that matches is the one that says most.
    return (matching[-1][0](default), matching[-1][1]) if matching else (None, False)


def _renamed(function: Callable[..., Any], rate: str, defaults: Mapping[str, Any]) -> Callable[..., Any]:
    def make(**hparams: Any) -> Any:
        given = {"learning_rate": defaults["learning_rate"], **hparams}
        return function(**{rate if name == "learning_rate" else name: value for name, value in given.items()})

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=x) for n, x in defaults.items()]
    make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what `Optimizer.defaults` reads
    return make


def _words(optimizer: Optimizer, rate: str, said: bool) -> tuple[str, ...]:
    defaults = optimizer.defaults
    lines = ["the search space is guessed from names and defaults; an Optimizer(...) would say its own"]
    if rate != "learning_rate":
        lines.append(f"{rate} is taken for the learning rate and called learning_rate here")
    if not said:
        lines.append(f"its learning rate has no number as default, so {UNSAID_RATE:g} is taken")
    lines += [f"{name}: {defaults[name]:g}, searched {law}" for name, law in optimizer.space.items()]
    lines += [f"{name}: {defaults[name]:g}, in a wide search {law}" for name, law in optimizer.wide.items()]
    if left := [name for name in defaults if name not in {**optimizer.space, **optimizer.wide}]:
        lines.append(f"not searched: {', '.join(left)}")
    return tuple(lines)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else f" ({code.co_filename}, line {code.co_firstlineno})"
