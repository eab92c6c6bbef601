"""What an optimizer is here, and how a spec becomes one.

Hyperparameters are plain scalars, never schedules: a training loop that wants one scheduled makes the transform
anew at each step from that step's values (making is free, it only closes over scalars), and a user of plain optax
wraps `make` in `optax.inject_hyperparams`, with those that are not floats as its `static_args`.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

from optimizers._names import OptimizerError, layers, parse, source_file
from optimizers._space import Distribution, Space, log_uniform
from optimizers._spec import Spec, SpecError, module_of

Scalar = float | jax.Array
PyTree = Any
Params = Any

# The search space of a function that brings none, here; for a run `optimizers._bare` guesses more from its signature.
DEFAULT_SPACE: Space = {"learning_rate": log_uniform(1e-4, 1.0)}


def _trained(state: PyTree, params: Params) -> Params:
    del state
    return params


@dataclass(frozen=True)
class Optimizer:
    """An update rule with its hyperparameters, its search space and its paper.

    Attributes:
      make: hyperparameters by name, all optional, to an optax `GradientTransformationExtraArgs`. Floats may be
        tracers; integers, booleans and callables are static.
      space: the hyperparameters that a search varies, at most two, and their laws.
      wide: those that a search with more trials varies beside them.
      paper: where the rule stands: authors, year, identifier, algorithm or equation.
      eval_params: (state, params) to the parameters that should be evaluated, which are taken in the dtypes of those
        trained; those trained, unless the rule says otherwise (averages, schedule-free).
      grad_evals: state to the gradient evaluations spent so far, an int32 scalar; None means one a step.
      flat: whether neither shapes nor the bounds of leaves mean anything to the rule, so that a training loop may keep
        all parameters side by side in one vector: each operation of the rule is then one for all of them.
      name: what it is called in records and reports; `get` fills it in.
      fixed: hyperparameters that the user fixed; a search leaves them alone.
    """

    make: Callable[..., optax.GradientTransformationExtraArgs]
    space: Space
    paper: str
    wide: Space = field(default_factory=dict)
    eval_params: Callable[[PyTree, Params], Params] = _trained
    grad_evals: Callable[[PyTree], jax.Array] | None = None
    flat: bool = False
    name: str = ""
    fixed: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        laws = {**self.space, **self.wide}
        if wrong := sorted(name for name, law in laws.items() if not isinstance(law, Distribution)):
            raise OptimizerError(f"the space of {', '.join(wrong)} is no law, as log_uniform(1e-4, 1.0) is one")
        numbers = {name for name, value in self.defaults.items() if _is_number(value)}
        if wrong := sorted(set(laws) - numbers):
            raise OptimizerError(
                f"the space names {', '.join(wrong)}: no hyperparameter of `make` with a number as default"
            )

    @property
    def widened(self) -> "Optimizer":
        """The same optimizer for a search over all hyperparameters that have a law."""
        return replace(self, space={**self.space, **self.wide}, wide={})

    def extended(self, times: int) -> "Optimizer":
        """The same optimizer with every law grown `times` times at both ends, as far as its nature allows."""
        space, wide = ({n: law.extended(times) for n, law in of.items()} for of in (self.space, self.wide))
        return replace(self, space=space, wide=wide)

    @property
    def defaults(self) -> dict[str, Any]:
        """Every hyperparameter with its value in the paper, those that were fixed included."""
        parameters = inspect.signature(self.make).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}

    @property
    def start(self) -> dict[str, float]:
        """The default values of the hyperparameters that are searched: the first trial of every search."""
        return {name: float(self.defaults[name]) for name in self.space}


def in_float32(
    init: Callable[[Params], PyTree], update: Callable[..., tuple[PyTree, PyTree]]
) -> optax.GradientTransformationExtraArgs:
    """The transformation of a rule that is written without a thought for dtypes.

    `update(grads, state, ...)` takes by name what else it needs: `params`; of the arguments that optax's `update`
    has beyond them `value_fn`, the loss of this step as a function of the parameters, or `key`; or `**extra`, all that
    was given, to hand on to another transformation.

    The rule sees parameters and gradients as float32, or wider where they are: sums of squares of bfloat16 numbers
    stop growing within a few hundred steps if kept in bfloat16. Its updates go back in the gradients' dtypes, and its
    state keeps the dtypes that `init` gave it, whatever those of the (traced) hyperparameters.
    """
    named = list(inspect.signature(update).parameters.values())[2:]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in named)
    needed = [p.name for p in named if p.kind is not p.VAR_KEYWORD]

    def initial(params: Params) -> PyTree:
        # Copies, as a state that shares buffers with the parameters or itself could not be donated with them.
        return jax.tree.map(jnp.copy, init(_widened(params)))

    def step(grads: PyTree, state: PyTree, params: Params | None = None, **extra: Any) -> tuple[PyTree, PyTree]:
        given = {"params": _widened(params), **extra}
        if (loss := extra.get("value_fn")) is not None:
            given["value_fn"] = lambda p, **more: loss(_cast(p, params), **more)
        if missing := [name for name in needed if given.get(name) is None]:
            raise ValueError(f"this rule needs {' and '.join(missing)}: give it to update beside the gradients")
        chosen = given if takes_all else {name: given[name] for name in needed}
        updates, new = update(_widened(grads), state, **chosen)
        return _cast(updates, grads), _cast(new, state)

    return optax.GradientTransformationExtraArgs(initial, step)


def _widened(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.promote_types(jnp.result_type(x), jnp.float32)), tree)


def _cast(tree: PyTree, like: PyTree) -> PyTree:
    return jax.tree.map(lambda x, y: x.astype(jnp.result_type(y)), tree, like)


def zeros_like(params: Params) -> PyTree:
    """A zero accumulator beside each parameter."""
    return jax.tree.map(jnp.zeros_like, params)


def real(count: jax.Array) -> jax.Array:
    """A whole number as a float of the widest kind that is switched on; JAX's own choice for an int32 is float32."""
    return jnp.asarray(count, float)


def scalar(params: Params, value: Scalar) -> jax.Array:
    """`value` in the widest dtype among the parameters, for a state that belongs to all of them."""
    return jnp.asarray(value, jnp.result_type(jnp.float32, *jax.tree.leaves(params)))


def global_norm(tree: PyTree) -> jax.Array:
    """Euclidean norm over all leaves together, a scalar; 0 of a tree without any."""
    return jnp.sqrt(inner_product(tree, tree))


def norm(x: jax.Array) -> jax.Array:
    """Euclidean norm of one array, a scalar; 0 of an empty one."""
    return jnp.sqrt(jnp.sum(jnp.square(x)))


def rms(x: jax.Array) -> jax.Array:
    """Root of the mean square of one array, a scalar; 0 of an empty one."""
    return norm(x) / max(x.size, 1) ** 0.5


def inner_product(left: PyTree, right: PyTree) -> jax.Array:
    """The sum of products over all leaves, a scalar."""
    return sum(jax.tree.leaves(jax.tree.map(lambda x, y: jnp.sum(x * y), left, right)), start=jnp.zeros(()))


def average(old: PyTree, new: PyTree, weight: Scalar) -> PyTree:
    """The running mean `old` moved to `new` by `weight`, which is one minus its averaging constant.

    From whichever of the two it ends nearer to, or a weight of 1 would leave the rounding of an `old` far larger than
    `new` in the place of `new`. A mean that has overflowed becomes NaN: such a run should say so, not stand still.
    """
    near = weight < 0.5
    factor = jnp.where(near, weight, weight - 1)
    return jax.tree.map(lambda s, x: jnp.where(near, s, x) + factor * (x - s), old, new)


def correction(count: jax.Array, weight: Scalar) -> jax.Array:
    """1 - (1 - weight)^count: the weight that a running mean from zero has given to its `count` values, a scalar.

    In float32 this is good to 1e-7, where 1 - beta^count loses four digits at beta = 0.9999.
    """
    return -jnp.expm1(count * jnp.log1p(-weight))


def get(spec: str) -> Optimizer:
    """The optimizer that a spec names; see `optimizers._names` for what a spec may be.

    Raises:
      OptimizerError: there is none, its file does not import, or a fixed hyperparameter is unknown to it.
    """
    parsed = parse(spec)
    optimizer = _load(spec, parsed)
    unknown = set(parsed.fixed) - set(optimizer.defaults)
    if unknown:
        known = ", ".join(optimizer.defaults)
        raise OptimizerError(f"optimizer {spec!r}: no hyperparameter {', '.join(sorted(unknown))}; it has {known}")
    if parsed.fixed:
        _try(spec, optimizer, parsed.fixed)
    return replace(
        optimizer,
        name=parsed.name,
        make=_with_extra_args(partial(optimizer.make, **parsed.fixed)),
        space={name: law for name, law in optimizer.space.items() if name not in parsed.fixed},
        wide={name: law for name, law in optimizer.wide.items() if name not in parsed.fixed},
        fixed=parsed.fixed,
    )


def _try(spec: str, optimizer: Optimizer, fixed: Mapping[str, object]) -> None:
    """Raises an OptimizerError if the fixed hyperparameters cannot be what the defaults are, or `make` refuses them."""
    for name, value in fixed.items():
        default = optimizer.defaults[name]
        kinds = (float, int) if isinstance(default, float) else (type(default),)
        if default is not None and not (
            isinstance(value, kinds) and isinstance(value, bool) == isinstance(default, bool)
        ):
            raise OptimizerError(f"optimizer {spec!r}: {name} cannot be {value!r}; by default it is {default!r}")
    try:
        optimizer.make(**fixed)
    except Exception as error:
        said = (str(error) or repr(error)).splitlines()[0]
        raise OptimizerError(f"optimizer {spec!r}: {said}") from error


def _load(spec: str, parsed: Spec) -> Optimizer:
    if (outer := layers(spec)[0]) and parsed.attr is not None:
        wrapper = importlib.import_module(f"optimizers.wrappers.{outer[0]}").wrapper
        inner = get(parsed.attr)
        try:
            return wrapper(inner)
        except OptimizerError as error:
            raise OptimizerError(f"optimizer {spec!r}: {error}") from error
    module = _import(spec, parsed)
    attr = parsed.attr or ("optimizer" if hasattr(module, "optimizer") else Path(parsed.target).stem)
    found = getattr(module, attr, None)
    if isinstance(found, Optimizer):
        return found
    if not callable(found):
        raise OptimizerError(f"optimizer {spec!r}: {module.__name__} has neither an Optimizer nor a function {attr!r}")
    return Optimizer(make=_with_default_rate(spec, found), space=DEFAULT_SPACE, paper=f"{module.__name__}.{attr}")


def _import(spec: str, parsed: Spec) -> Any:
    source_file(spec)
    listed = parsed.attr is None and not parsed.is_path
    try:
        return module_of(Spec(f"optimizers.{parsed.target}", None) if listed else parsed)
    except SpecError as error:
        raise OptimizerError(f"optimizer {spec!r}: {error}") from error


def _with_default_rate(spec: str, function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        parameters = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        parameters = {}
    if "learning_rate" not in parameters:
        raise OptimizerError(f"optimizer {spec!r}: the function takes no argument named learning_rate")
    rate = parameters["learning_rate"].default
    return function if _is_number(rate) else partial(function, learning_rate=1e-3)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_extra_args(make: Callable[..., Any]) -> Callable[..., optax.GradientTransformationExtraArgs]:
    def extended(**hparams: Any) -> optax.GradientTransformationExtraArgs:
        return optax.with_extra_args_support(make(**hparams))

    extended.__signature__ = inspect.signature(make)  # type: ignore[attr-defined]  # what `defaults` reads
    return extended
