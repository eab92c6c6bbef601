"""The tasks by name, and those of a user's own.

A spec is what a user writes: a name of the catalogue, or `path/to/file.py[:attr]` or `pkg.mod:attr` for a task that is
there; each with fields changed in brackets if wished: `digits(batch_size=16, activation='tanh')`.
"""

from dataclasses import fields, replace
from typing import Any

from bench.errors import UserError, unknown
from bench.task import Task
from bench.tasks import core, extra
from bench.tasks.custom import Custom
from bench.tasks.mlp import Mlp
from optimizers import _spec
from optimizers._spec import Spec, SpecError

__all__ = ["TASKS", "Custom", "Mlp", "get", "names"]

TASKS: dict[str, Task] = {task.name: task for task in (*core.TASKS, *extra.TASKS)}


def names() -> list[str]:
    """All tasks of the catalogue, in the order of their modules' entries."""
    return list(TASKS)


def get(spec: str | Task, steps: int | None = None) -> Task:
    """The task that a spec names, or the task itself; with a budget of `steps` instead of its own, if given.

    Raises:
      UserError: there is none, its file does not import or holds no task, or a field in brackets is not one.
    """
    task = spec if isinstance(spec, Task) else _named(spec)
    return task if steps is None else replace(task, steps=steps)


def _named(spec: str) -> Task:
    try:
        parsed = _spec.parse(spec)
        task = _own(parsed) if parsed.is_path or parsed.attr is not None else _listed(parsed.target)
        return _changed(task, parsed) if parsed.fixed else task
    except SpecError as error:
        raise UserError(f"task {spec!r}: {error}") from error


def _listed(name: str) -> Task:
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    return TASKS[name]


def _own(parsed: Spec) -> Task:
    """A task of a user's file or package: the one named, else `task`, else the only one."""
    module = _spec.module_of(parsed)
    there = {name: value for name, value in vars(module).items() if isinstance(value, Task)}
    wanted = parsed.attr or ("task" if "task" in there or len(there) != 1 else next(iter(there)))
    if wanted not in there:
        several = f"; it has {', '.join(sorted(there))}" if there else ""
        raise SpecError(f"{parsed.target} has no task named {wanted!r}{several}")
    task = there[wanted]
    if task.name in TASKS and TASKS[task.name] != task:
        raise SpecError(f"the catalogue has a task {task.name}; give this one another name")
    return task


def _changed(task: Task, parsed: Spec) -> Task:
    known = [field.name for field in fields(task) if field.name != "name"]
    if wrong := sorted(set(parsed.fixed) - set(known)):
        raise SpecError(f"there is no field {', '.join(wrong)} to change; there are {', '.join(known)}")
    changes: dict[str, Any] = dict(parsed.fixed)
    try:
        return replace(task, name=f"{task.name}{parsed.brackets}", **changes)
    except TypeError as error:  # a word where a number belongs
        raise SpecError(f"a value in the brackets is not of its field's kind ({error})") from error
