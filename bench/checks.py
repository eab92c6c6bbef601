"""What every optimizer must hold whatever its rule, so that the benchmark can trust its runs.

`optgrid check` runs them on a user's optimizer, the tests on the whole catalogue. What an update rule should compute is
not known here: that is proven against references.
"""

import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bench.findings import Finding
from optimizers import Optimizer
from optimizers._space import holds

PyTree = Any

# Ones of every shape that a network's parameters may have. Empty ones, and containers without any, come with pruning.
TREE: PyTree = {
    "scalar": np.ones((), np.float32),
    "vector": np.ones(4, np.float32),
    "matrix": np.ones((3, 2), np.float32),
    "nested": [{"kernel": np.ones((2, 3, 2), np.float32)}],
    "empty": np.ones((0, 3), np.float32),
    "none": [(), {}],
}
MIXED: PyTree = {**TREE, "half": np.ones((2, 2), jnp.bfloat16)}
DOUBLE: PyTree = {"matrix": np.ones((2, 2)), "vector": np.ones(2)}
STEPS = 40
# Gradients of each lane: curvature times the parameters, and a kick.
LANES = {
    "quadratic": (0.5, 0.0),
    "zero": (0.0, 0.0),
    "huge": (0.0, 1e15),  # whose square still is a float32
    "tiny": (0.0, 1e-30),  # whose square no longer is
    "nan": (0.0, np.nan),
}


class Broken(Exception):
    """A check that did not hold; the message says what was found."""


def check(
    optimizer: Optimizer, strict: bool = False, asking: Callable[[str], None] = lambda what: None
) -> Iterator[Finding]:
    """Runs all checks one after the other; an optimizer that raises fails the check it raised in.

    Args:
      strict: also beside bfloat16 parameters and with float64 switched on, which the benchmark's own tasks do without.
      asking: told each check before it is run.
    """
    subject = _Subject(optimizer, MIXED if strict else TREE, strict)
    broken: set[Check] = set()
    for what, (asked, needed) in _CHECKS.items():
        if broken & set(needed):
            yield Finding(what, "", reached=False)
            broken.add(asked)
            continue
        broken.add(asked)
        asking(what)
        try:
            asked(subject)
        except Broken as problem:
            yield Finding(what, str(problem))
        except (Exception, SystemExit) as error:  # whatever a user's code raises is a finding
            yield Finding(what, said(error))
        else:
            yield Finding(what, "")
            broken.remove(asked)


def names() -> list[str]:
    """All checks, in their order."""
    return list(_CHECKS)


def said(error: BaseException) -> str:
    """The first line of an error, and where in the user's code it came from."""
    try:
        first = (str(error).strip() or repr(error)).splitlines()[0]
    except Exception:  # a user's exception may not even have words
        first = "without words"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_a_rule(frame.filename)]
    where = f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {first}{where}"


def _is_a_rule(file: str) -> bool:
    """Whether a file is a user's or an optimizer's of the catalogue, and so where a mistake may be."""
    if "site-packages" in file or file.startswith((sys.base_prefix, "<")):
        return False
    here, path = Path(__file__).parents[1], Path(file)
    machinery = path.is_relative_to(here / "bench") or path.is_relative_to(here / "optimizers")
    return not machinery or (path.parent.name in ("optimizers", "wrappers") and not path.name.startswith("_"))


class _Outcome(NamedTuple):
    """After STEPS steps, with leading axes (LANES, corners of the search space)."""

    params: PyTree
    evaluated: PyTree
    spent: jax.Array  # gradient evaluations


@dataclass
class _Subject:
    optimizer: Optimizer
    tree: PyTree
    strict: bool

    @cached_property
    def corners(self) -> dict[str, np.ndarray]:
        """float32 (3,) by hyperparameter: its default, and the ends of its search space if it is searched."""
        floats = {name: value for name, value in self.optimizer.defaults.items() if isinstance(value, float)}
        space = self.optimizer.space
        return {
            name: np.array(
                [value, *(space[name].quantile(np.array([0.0, 1.0])) if name in space else [value] * 2)]
            ).astype(np.float32)
            for name, value in {**floats, **self.optimizer.start}.items()
        }

    @cached_property
    def program(self) -> Callable[[np.ndarray, np.ndarray], _Outcome]:
        """(curvature, kick) of each lane to the outcome: one program, compiled once."""
        optimizer, tree = self.optimizer, self.tree

        def run(curvature: jax.Array, kick: jax.Array, hparams: dict[str, jax.Array]) -> _Outcome:
            transform = optimizer.make(**hparams)

            def step(carry: PyTree, t: jax.Array) -> tuple[PyTree, None]:
                params, state = carry
                updates, state = updated(transform, _loss(curvature, kick * jnp.cos(t)), state, params)
                return (jax.tree.map(jnp.add, params, updates), state), None

            (params, state), _ = jax.lax.scan(step, (tree, transform.init(tree)), jnp.arange(float(STEPS)))
            spent = jnp.int32(STEPS) if optimizer.grad_evals is None else optimizer.grad_evals(state)
            return _Outcome(params, optimizer.eval_params(state, params), spent)

        batched = jax.jit(jax.vmap(jax.vmap(run, (None, None, 0)), (0, 0, None)))
        return lambda curvature, kick: _Outcome(*jax.device_get(batched(curvature, kick, self.corners)))

    @cached_property
    def outcome(self) -> _Outcome:
        return self.program(*np.array(list(LANES.values()), np.float32).T)


def updated(transform: Any, loss: Callable[[PyTree], jax.Array], state: PyTree, params: PyTree) -> tuple[Any, Any]:
    """One update with all that training gives it: the gradients, and by name the loss, its value and a key."""
    value, grads = jax.value_and_grad(loss)(params)
    bits = jax.random.key(0, impl="threefry2x32")
    # optax hands its extra arguments on to the loss.
    objective = lambda p, key=None: loss(p)  # noqa: E731
    return transform.update(grads, state, params, value=value, grad=grads, value_fn=objective, key=bits)


def _loss(curvature: jax.Array | float, kick: jax.Array | float) -> Callable[[PyTree], jax.Array]:
    def loss(params: PyTree) -> jax.Array:
        terms = [jnp.sum(curvature / 2 * p**2 + kick * p) for p in jax.tree.leaves(params)]
        return sum(terms, start=jnp.zeros(()))

    return loss


def _lane(tree: PyTree, which: str) -> dict[str, np.ndarray]:
    """(corners, ...) float64 by path: what a lane's leaves are."""
    at = list(LANES).index(which)
    return {
        jax.tree_util.keystr(path): np.asarray(x[at], np.float64)
        for path, x in jax.tree_util.tree_leaves_with_path(tree)
        if x.size
    }


def _made(subject: _Subject) -> None:
    transform = subject.optimizer.make()
    if not (hasattr(transform, "init") and hasattr(transform, "update")):
        raise Broken(f"make() gives {transform!r}, not an optax GradientTransformation")
    jax.eval_shape(transform.init, subject.tree)


def _runs(subject: _Subject) -> None:
    subject.outcome  # noqa: B018  # computed when it is first asked for


def _reproducible(subject: _Subject) -> None:
    kicks = {**LANES, "nan": LANES["zero"]}
    calm = subject.program(*np.array(list(kicks.values()), np.float32).T)
    for which in set(LANES) - {"nan"}:
        pairs = zip(_lane(subject.outcome, which).items(), _lane(calm, which).values(), strict=True)
        if differ := [path for (path, a), b in pairs if a.tobytes() != b.tobytes()]:
            raise Broken(f"{', '.join(differ)} of the lane with {which} gradients depend on a NaN in another lane")


def _finite(subject: _Subject) -> None:
    for which in ("zero", "huge", "tiny"):
        for path, x in _lane(subject.outcome.params, which).items():
            default = x[:1]  # at the ends of the search space a rule may diverge by right
            if not np.isfinite(default).all():
                raise Broken(
                    f"{which} gradients leave {path} at {default[~np.isfinite(default)][0]} after {STEPS} steps"
                )


def _still(subject: _Subject) -> None:
    for path, x in _lane(subject.outcome.params, "zero").items():
        if (np.abs(x[0]) > 1).any():
            raise Broken(f"without a gradient {path} moved from 1 to {np.abs(x[0]).max():g}")


def _descends(subject: _Subject) -> None:
    ends = _lane(subject.outcome.evaluated, "quadratic")
    # At the defaults; bfloat16 parameters of 1 do not feel a step below 1/512.
    wide = [x[0].ravel() for path, x in ends.items() if "half" not in path]
    mean = np.mean(np.square(np.concatenate(wide)))
    if not mean < 0.9999:
        raise Broken(f"the mean square of the parameters is {mean:.6g} after {STEPS} steps at the defaults, from 1")


def _dtypes(subject: _Subject) -> None:
    """With hyperparameters as Python numbers, as in a user's own loop, and traced; strictly, as float64."""
    kind = np.float64 if subject.strict else np.float32
    traced = {name: kind(value[0]) for name, value in subject.corners.items()}
    with jax.enable_x64(subject.strict):
        _same_description(subject.optimizer, subject.tree, traced)
        _same_description(subject.optimizer, DOUBLE if subject.strict else subject.tree, {})


def _same_description(optimizer: Optimizer, tree: PyTree, floats: dict[str, Any]) -> None:
    """State and updates have the parameters' dtypes, whatever those of the hyperparameters, and keep their shapes."""

    def init(hparams: dict[str, Any]) -> PyTree:
        return optimizer.make(**hparams).init(tree)

    def update(hparams: dict[str, Any], state: PyTree, params: PyTree) -> tuple[PyTree, PyTree]:
        return updated(optimizer.make(**hparams), _loss(0.5, 0.0), state, params)

    state = jax.eval_shape(init, floats)
    stepped = jax.eval_shape(update, floats, state, tree)
    allowed = {x.dtype for x in jax.tree.leaves(tree)} | {jnp.dtype(jnp.float32)}
    if any(x.dtype == np.float64 for x in jax.tree.leaves(tree)):
        allowed = {jnp.dtype(np.float64)}
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and leaf.dtype not in allowed:
            raise Broken(f"state{jax.tree_util.keystr(path)} is {leaf.dtype} beside {_dtypes_of(tree)} parameters")
        if leaf.weak_type:
            raise Broken(f"state{jax.tree_util.keystr(path)} is weakly typed: give it a dtype in init")
    _compare("state", state, stepped[1])
    _compare("updates", jax.eval_shape(lambda p: p, tree), stepped[0])


def fits(optimizer: Optimizer) -> str:
    """Empty if the updates of a dense layer have its parameters' shapes and dtypes, else what differs. Nothing is
    computed for it. Training adds them up, and would round what does not fit without a word."""
    layer = {"bias": np.ones(2, np.float32), "kernel": np.ones((3, 2), np.float32)}

    def update(params: PyTree) -> PyTree:
        transform = optimizer.make()
        return updated(transform, _loss(0.5, 0.0), transform.init(params), params)[0]

    try:
        _compare("updates", jax.eval_shape(lambda p: p, layer), jax.eval_shape(update, layer))
    except Broken as problem:
        return str(problem)
    return ""


def _dtypes_of(tree: PyTree) -> str:
    return " and ".join(sorted({str(x.dtype) for x in jax.tree.leaves(tree)}))


def _compare(what: str, before: PyTree, after: PyTree) -> None:
    structures: list[Any] = [jax.tree.structure(tree) for tree in (before, after)]
    if structures[0] != structures[1]:
        raise Broken(f"the structure of the {what} changes: {structures[1]}")
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            raise Broken(
                f"{what}{jax.tree_util.keystr(path)} was {x.dtype}{list(x.shape)} and becomes {y.dtype}{list(y.shape)}"
            )


def _pure(subject: _Subject) -> None:
    transform = subject.optimizer.make()
    state = jax.eval_shape(transform.init, subject.tree)
    # A new function each time, as JAX remembers the trace of an old one.
    first, second = (
        jax.make_jaxpr(partial(updated, _Watched(transform), _loss(0.5, 0.0)))(state, subject.tree) for _ in range(2)
    )
    if first.effects:
        raise Broken(f"the update has side effects: {first.effects}")
    if str(first) != str(second):
        raise Broken("the update is another program when it is traced again: it depends on something outside")


class _Watched(NamedTuple):
    """A transformation that must leave what it is given as it is."""

    transform: Any

    def update(self, grads: PyTree, state: PyTree, params: PyTree, **extra: Any) -> tuple[PyTree, PyTree]:
        """As the transformation's.

        Raises:
          Broken: a container among the arguments was changed.
        """
        given = {"gradients": grads, "state": state, "parameters": params}
        before: dict[str, Any] = {what: jax.tree.flatten(tree) for what, tree in given.items()}
        updates = self.transform.update(grads, state, params, **extra)
        for what, (leaves, structure) in before.items():
            now, shape = jax.tree.flatten(given[what])
            if shape != structure or any(x is not y for x, y in zip(now, leaves, strict=True)):
                raise Broken(f"the update changes the {what} that it is given, in place")
        return updates


def _empty(subject: _Subject) -> None:
    transform = subject.optimizer.make()
    trees: list[PyTree] = [{}, {"a": {}, "b": ()}]
    for tree in trees:
        state = jax.eval_shape(transform.init, tree)
        updates, after = jax.eval_shape(partial(updated, transform, _loss(0.5, 0.0)), state, tree)
        _compare("updates", tree, updates)
        _compare("state", state, after)


def _charged(subject: _Subject) -> None:
    spent = np.asarray(subject.outcome.spent)
    if spent.dtype != np.int32:
        raise Broken(f"grad_evals gives {spent.dtype}, not an int32 scalar")
    if (spent < STEPS).any():
        raise Broken(f"grad_evals says {spent.min()} evaluations after {STEPS} steps, each of which had a gradient")


def _searchable(subject: _Subject) -> None:
    optimizer = subject.optimizer.widened
    for name, law in optimizer.space.items():
        if not holds(law, optimizer.start[name]):
            raise Broken(f"{name}'s default {optimizer.start[name]:g} is outside its search space, {law}")


Check = Callable[[_Subject], None]

# Each with those that it makes no sense without.
_CHECKS: dict[str, tuple[Check, tuple[Check, ...]]] = {
    "is made and started with its defaults": (_made, ()),
    "runs under jit, vmap and scan, its hyperparameters traced": (_runs, (_made,)),
    "repeats itself to the bit, beside a run of NaN": (_reproducible, (_runs,)),
    "survives zero, huge and tiny gradients": (_finite, (_runs,)),
    "does not move outwards without a gradient": (_still, (_runs,)),
    "makes a quadratic smaller with its defaults": (_descends, (_runs,)),
    "counts its gradient evaluations": (_charged, (_runs,)),
    "keeps shapes and dtypes of state and updates": (_dtypes, (_made,)),
    "has no side effects": (_pure, (_made,)),
    "takes trees without any array": (_empty, (_made,)),
    "has its defaults inside its search space": (_searchable, (_made,)),
}
