"""A study: one thing of a task, a protocol or the optimizers turned, and all else as it is.

A value makes a task, a protocol or optimizers with one thing replaced; these go through the same sweep and records as
every run, as `bench.studying` has it. Here it is planned, and nothing computed.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

import optimizers
from bench import axes, tasks
from bench.axes import Axis, Refusal, Value
from bench.errors import UserError
from bench.protocol import Protocol
from bench.task import Task
from bench.tasks.mlp import Mlp
from optimizers import OptimizerError, _spec

OPTIMIZERS = ("sgd", "momentum", "adam", "schedule_free_adamw")
USUAL = {"replicates": 7, "trials": 8, "seeds": 2}  # of 7 a side a single difference among 80 can be shown, of 6 not
BENCH = Path(__file__).parent
LOG_SPAN = 20.0  # from the least to the largest value of a field, from which on its scale is logarithmic
BASE_ONLY = "transfer takes settings that were tuned"


@dataclass(frozen=True)
class Setup:
    """What one value makes.

    Attributes:
      value: as the axis takes it.
      task, protocol: with the value in them, where the axis turns one of them.
      sent: the task as workers are sent it: itself, or the spec of one of somebody's file.
      specs: {name in the study: spec with the value in it}.
    """

    value: Value
    task: Task
    sent: str | Task
    protocol: Protocol
    specs: Mapping[str, str]

    @property
    def text(self) -> str:
        """The value as it is shown."""
        return f"{self.value:g}" if isinstance(self.value, float) else str(self.value)


@dataclass(frozen=True)
class Study:
    """A study that was planned.

    Attributes:
      task: the task that is turned.
      base: place among `setups` of the task's own value, else of the first.
      own: whether it is the task's own.
      transfer: whether settings tuned at the base are run at all values too.
    """

    axis: Axis
    task: Task
    setups: Sequence[Setup]
    base: int
    own: bool
    transfer: bool

    @property
    def names(self) -> list[str]:
        """The optimizers by their names in the study."""
        return list(self.setups[0].specs)


def literal(text: str) -> Value:
    """A value as it is typed: a plain Python value, or a word."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def plan(
    axis: str,
    task: str | Task = "mnist_5k",
    optimizer_specs: Sequence[str] | None = None,
    values: Sequence[Value] | None = None,
    transfer: bool = False,
    **changes: Any,
) -> Study:
    """Resolves and checks a study; nothing is computed.

    Args:
      axis: name of an axis, or of a field of the task.
      task: that is turned, as `bench.tasks.get` takes it.
      optimizer_specs: OPTIMIZERS if not given.
      values: the axis's usual ones if not given.
      transfer: whether the settings tuned at the base value are run at all others, beside those tuned there.
      changes: fields of `Protocol` other than USUAL; None leaves one alone.

    Raises:
      UserError, OptimizerError: a name or a value is wrong; the message names the axis, the value and what would do.
    """
    turned = tasks.get(task)
    chosen = axes.get(axis, turned)
    specs = {optimizers.parse(spec).name: spec for spec in optimizer_specs or OPTIMIZERS}
    given = {**USUAL, **{name: value for name, value in changes.items() if value is not None}}
    if chosen.trials is not None and changes.get("trials") is None:
        given["trials"] = chosen.trials
    protocol = Protocol(**given)
    wanted = _values(chosen, turned, values)
    sent = task if isinstance(task, str) and _is_imported(task, turned) else turned
    setups = [_setup(chosen, turned, sent, protocol, specs, value) for value in wanted]
    same = [i for i, made in enumerate(setups) if _unchanged(made, turned, protocol, specs)]
    if transfer and protocol.trials < 2:
        raise UserError(f"study {axis}: {BASE_ONLY}, and with one trial nothing is; leave --transfer out")
    if not values and axis not in axes.AXES:
        raise UserError(f"study {axis}: a field has no usual values; give some, as in --values 0,0.1,0.2")
    if chosen.scale == axes.CATEGORICAL and axis not in axes.AXES:
        chosen = replace(chosen, scale=_scale(wanted))
    base, own = (same[0], True) if same else (0, False)
    return Study(chosen, turned, setups, base, own, transfer)


def _values(axis: Axis, task: Task, given: Sequence[Value] | None) -> list[Value]:
    """The values, each once and numbers in order."""
    try:
        asked = list(axis.values(task)) if not given else list(given)
    except Refusal as error:
        raise UserError(f"study {axis.name} of {task.name}: {error}") from None
    for value in asked:
        if not axis.kind.holds(value):
            raise UserError(f"study {axis.name}: {value!r} is not among its values, which are {axis.kind.words}")
        if is_number(value) and not isfinite(value):
            raise UserError(f"study {axis.name}: {value!r} is not finite; give numbers that are")
    unique = list({value if is_number(value) else repr(value): value for value in reversed(asked)}.values())[::-1]
    if given and len(unique) < 2:
        raise UserError(f"study {axis.name}: {asked[0]!r} alone is no study; give two values or more")
    return sorted(unique) if all(map(is_number, unique)) else unique


def is_number(value: Value) -> bool:
    """Whether a value is one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(values: Sequence[Value]) -> str:
    """The scale that suits the values of a field."""
    if not all(map(is_number, values)):
        return axes.CATEGORICAL
    above = [value for value in values if value > 0]
    wide = len(above) > 1 and max(above) >= LOG_SPAN * min(above) and min(values) >= 0
    return axes.LOG if wide else axes.LINEAR


def _is_imported(spec: str, task: Task) -> bool:
    """Whether a task is of somebody's file or package, which workers import by its spec; one that is made of nothing
    but the suite's parts can be sent as it is."""
    parsed = _spec.parse(spec)
    own = parsed.is_path or parsed.attr is not None
    plain = isinstance(task, Mlp) and isinstance(task.dataset, str)
    return own and not (plain and all(file.is_relative_to(BENCH) for file in task.code))


def _setup(
    axis: Axis, task: Task, sent: str | Task, protocol: Protocol, specs: Mapping[str, str], value: Value
) -> Setup:
    """What a value makes, or why it cannot be."""
    where = f"study {axis.name} of {task.name}: {value!r}"
    try:
        turned = axis.task(task, value) if axis.task else task
        held = axis.protocol(protocol, value) if axis.protocol else protocol
        changed = {name: axis.optimizer(spec, value) if axis.optimizer else spec for name, spec in specs.items()}
        if axis.task and isinstance(sent, str):
            sent = _respecified(sent, task, turned)
            turned = tasks.get(sent)
        elif axis.task:
            turned = sent = replace(turned, name=named(task.name, axis.name, value))
        _check(turned, task, held.folds)
    except (Refusal, UserError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where} does not go: {error}") from error
    if axis.optimizer:
        _check_rates(where, changed)
    return Setup(value, turned, sent, held, changed)


def _respecified(spec: str, before: Task, after: Task) -> str:
    """The spec of a task with what differs from another's fixed in brackets.

    Raises:
      Refusal: something that differs is no plain value.
    """
    told = {f.name: getattr(after, f.name) for f in fields(after) if f.name != "name"}
    changed = {name: value for name, value in told.items() if value is not getattr(before, name)}
    if wrong := [name for name, value in changed.items() if literal(repr(value)) != value]:
        raise Refusal(f"it changes {', '.join(wrong)} of a task that is not the catalogue's to what no spec can say")
    return axes.fixed(spec, **changed) if changed else spec


def named(task: str, axis: str, value: Value) -> str:
    """The name of a task with a value, as a spec would have it: mnist_5k(width=64)."""
    text = f"{axis.replace('-', '_')}={value}".replace("/", ":").replace("\\", ":")
    return f"{task[:-1]}, {text})" if task.endswith(")") else f"{task}({text})"


def _check(task: Task, before: Task, folds: int) -> None:
    """Refuses a task that could not be built, or not on as many folds, before anything is begun.

    Raises:
      UserError: it could not.
    """
    task.build()
    if not (isinstance(task, Mlp) and isinstance(before, Mlp)) or task.missing():
        return
    if task.preprocessing != before.preprocessing or task.widths != before.widths or folds:
        rows = len((task.folded(0, folds) if folds else task).table().train)
        if (task.batch_size or 1) > rows:
            raise UserError(f"it leaves {rows} training rows, and a batch takes {task.batch_size}")


def _check_rates(where: str, specs: Mapping[str, str]) -> None:
    """Refuses optimizers without what was fixed of them; imports JAX."""
    from optimizers import _bare

    for name, spec in specs.items():
        try:
            _bare.get(spec)
        except OptimizerError as error:
            raise UserError(f"{where} does not go with {name}: {error}") from error


def _unchanged(made: Setup, task: Task, protocol: Protocol, specs: Mapping[str, str]) -> bool:
    return replace(made.task, name=task.name) == task and made.protocol == protocol and dict(made.specs) == dict(specs)
