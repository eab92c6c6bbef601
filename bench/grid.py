"""What a command asks for, resolved and checked before anything is computed: nothing fails later for a wrong name."""

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import optimizers
from bench import suites, tasks
from bench.errors import UserError
from bench.fingerprint import fingerprint
from bench.layout import unfit_name
from bench.order import Cell as Cell
from bench.protocol import Protocol
from bench.records import unit_name
from bench.task import Task
from optimizers._own import is_listed

UNIT = 235  # bytes of a unit's name: a file's has 255 at most, and a temporary one is a little longer
UNITS = 10**6  # of a run: a file each
Item = TypeVar("Item")


@dataclass(frozen=True)
class Grid:
    """Tasks times optimizers under a protocol.

    Attributes:
      specs: {name of a task: spec as the user wrote it, or the task itself}.
      optimizers: {name in records: spec as the user wrote it}.
      skipped: {name of a task that was asked for: why it is not among the tasks}.
    """

    suite: suites.Suite
    protocol: Protocol
    tasks: Sequence[Task]
    specs: Mapping[str, str | Task]
    optimizers: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)

    def fingerprints(self) -> dict[Cell, str]:
        """What decides the numbers of each cell."""
        return {
            (task.name, name): fingerprint(task, spec, self.protocol)
            for task in self.tasks
            for name, spec in self.optimizers.items()
        }

    def without(self, skipped: Mapping[str, str]) -> "Grid":
        """The grid without tasks that cannot be had now, by name with the reason.

        Raises:
          UserError: none is left.
        """
        left = [task for task in self.tasks if task.name not in skipped]
        if not left:
            raise UserError(f"nothing to run: {'; '.join(f'{name} skipped: {why}' for name, why in skipped.items())}")
        return replace(self, tasks=left, skipped=skipped)


def resolve(
    suite: str = "core",
    task_specs: Sequence[str | Task] | None = None,
    optimizer_specs: Sequence[str] | None = None,
    **changes: Any,
) -> Grid:
    """The grid of a suite with what is given instead of its own.

    Args:
      suite: name of a suite, whose tasks, optimizers and protocol hold where nothing else is given.
      task_specs, optimizer_specs: what to run instead of the suite's.
      changes: fields of `Protocol` to change; None leaves a field alone.

    Raises:
      UserError, OptimizerError: a name or a number is wrong; the message says which.
    """
    chosen = suites.get(suite)
    protocol = replace(chosen.protocol, **{name: value for name, value in changes.items() if value is not None})
    specs = _listed("optimizers", str, optimizer_specs, chosen.optimizers or optimizers.names(), optimizers.names())
    for spec in specs:
        _check_optimizer(spec)
    wanted = _listed("tasks", (str, Task), task_specs, chosen.tasks, tasks.names())
    picked = [tasks.get(item, protocol.steps) for item in wanted]
    for task, item in zip(picked, wanted, strict=True):
        _check_task(task, item)
        if protocol.folds:
            task.folded(0, protocol.folds)
    names = [optimizers.parse(spec).name for spec in specs]
    for what, given in (("task", [task.name for task in picked]), ("optimizer", names)):
        twice = sorted({name for name in given if given.count(name) > 1})
        if twice:
            raise UserError(f"{what} {twice[0]!r} is named twice")
        for name in given:
            if why := unfit_name(name):
                raise UserError(f"{what} {name!r} cannot have this name, which is a part of file names: {why}")
    if (count := len(picked) * len(names) * protocol.replicates) > UNITS:
        raise UserError(f"{count:,} units are too many for one run, which has at most {UNITS:,}; ask for less")
    longest = unit_name(max((task.name for task in picked), key=_bytes), max(names, key=_bytes), protocol.replicates)
    if _bytes(longest) > UNIT:
        raise UserError(f"{longest} is {_bytes(longest)} bytes, too long a name of a file; fix less in brackets")
    given_as = {task.name: item for task, item in zip(picked, wanted, strict=True)}
    return Grid(chosen, protocol, picked, given_as, dict(zip(names, specs, strict=True)))


def _bytes(name: str) -> int:
    return len(name.encode())


def _listed(
    what: str, kinds: Any, given: Sequence[Item] | None, default: Sequence[Any], every: Sequence[Any]
) -> list[Item]:
    """What is meant: the suite's if nothing is given, all there are for the word 'all'."""
    if given is None:
        return list(default)
    if isinstance(given, str) or not given or not all(isinstance(item, kinds) for item in given):
        raise UserError(f"{what} must be a list of names, not {given!r}")
    return list(every) if list(given) == ["all"] else list(given)


def _check_optimizer(spec: str) -> None:
    """Refuses an optimizer that cannot be had, as far as can be told without running anybody's code; what is not
    plainly of the catalogue is imported, and so is JAX."""
    optimizers.source_files(spec)
    parsed = optimizers.parse(spec)
    if parsed.is_path and parsed.name in optimizers.names():
        raise UserError(f"optimizer {spec!r}: the catalogue has an optimizer {parsed.name}; give the file another name")
    if (parsed.attr or parsed.fixed) and not is_own(spec):
        from optimizers import _bare

        _bare.get(spec)


def is_own(spec: str) -> bool:
    """Whether an optimizer is somebody's code: neither the catalogue's nor optax's."""
    return not is_listed(spec) and optimizers.layers(spec)[1].split(":")[0].split(".")[0] != "optax"


def _check_task(task: Task, spec: str | Task) -> None:
    """Refuses a task that cannot be built or sent to a worker; one of the catalogue is known to, without JAX."""
    if isinstance(spec, Task):
        try:
            pickle.dumps(spec)
        except Exception as error:  # pickle raises whatever an object's own code does
            raise UserError(
                f"task {task.name} cannot be sent to workers ({error}); put it in a file and give path/to/file.py"
            ) from error
    elif spec in tasks.TASKS:
        return
    task.build()
