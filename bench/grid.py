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
    specs = list(optimizer_specs or chosen.optimizers or optimizers.names())
    for spec in specs:
        optimizers.source_file(spec)
        if optimizers.parse(spec).fixed:
            optimizers.get(spec)  # imports JAX, which only a check of hyperparameters needs here
    picked = [tasks.get(name) for name in task_names or chosen.tasks]
    if protocol.steps is not None:
        picked = [replace(task, steps=protocol.steps) for task in picked]
    names = [optimizers.parse(spec).name for spec in specs]
    for what, given in (("task", [task.name for task in picked]), ("optimizer", names)):
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise UserError(f"{what} {twice[0]!r} is named twice")
    return Grid(chosen, protocol, picked, dict(zip(names, specs, strict=True)))
