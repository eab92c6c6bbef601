"""What a command asks for, resolved and checked before anything is computed: nothing fails later for a wrong name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optimizers
from bench import suites, tasks
from bench.errors import UserError
from bench.fingerprint import fingerprint
from bench.protocol import Protocol
from bench.task import Task

Cell = tuple[str, str]  # (task, optimizer)


@dataclass(frozen=True)
class Grid:
    """Tasks times optimizers under a protocol.

    Attributes:
      optimizers: {name in records: spec as the user wrote it}.
    """

    suite: suites.Suite
    protocol: Protocol
    tasks: Sequence[Task]
    optimizers: Mapping[str, str]

    def fingerprints(self) -> dict[Cell, str]:
        """What decides the numbers of each cell."""
        return {
            (task.name, name): fingerprint(task, spec, self.protocol)
            for task in self.tasks
            for name, spec in self.optimizers.items()
        }


def resolve(
    suite: str = "core",
    task_names: Sequence[str] | None = None,
    optimizer_specs: Sequence[str] | None = None,
    **changes: Any,
) -> Grid:
    """The grid of a suite with what is given instead of its own.

    Args:
      suite: name of a suite, whose tasks, optimizers and protocol hold where nothing else is given.
      task_names, optimizer_specs: what to run instead of the suite's.
      changes: fields of `Protocol` to change; None leaves a field alone.

    Raises:
      UserError, OptimizerError: a name or a number is wrong; the message says which.
    """
    chosen = suites.get(suite)
    protocol = replace(chosen.protocol, **{name: value for name, value in changes.items() if value is not None})
    specs = _names("optimizers", optimizer_specs, chosen.optimizers or optimizers.names(), optimizers.names())
    for spec in specs:
        _check(spec)
    picked = [tasks.get(name) for name in _names("tasks", task_names, chosen.tasks, tasks.names())]
    if protocol.steps is not None:
        picked = [replace(task, steps=protocol.steps) for task in picked]
    names = [optimizers.parse(spec).name for spec in specs]
    for what, given in (("task", [task.name for task in picked]), ("optimizer", names)):
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise UserError(f"{what} {twice[0]!r} is named twice")
    return Grid(chosen, protocol, picked, dict(zip(names, specs, strict=True)))


def _names(what: str, given: Sequence[str] | None, default: Sequence[str], every: Sequence[str]) -> list[str]:
    """The names that are meant: the suite's if none are given, all there are for the word 'all'."""
    if given is None:
        return list(default)
    if isinstance(given, str) or not given or not all(isinstance(name, str) for name in given):
        raise UserError(f"{what} must be a list of names, not {given!r}")
    return list(every) if list(given) == ["all"] else list(given)


def _check(spec: str) -> None:
    """Refuses an optimizer that cannot be had; one that is not plainly of the catalogue is imported, and so is JAX."""
    optimizers.source_file(spec)
    parsed = optimizers.parse(spec)
    if parsed.is_path and parsed.name in optimizers.names():
        raise UserError(f"optimizer {spec!r}: the catalogue has an optimizer {parsed.name}; give the file another name")
    if parsed.is_path or parsed.attr or parsed.fixed:
        optimizers.get(spec)
