"""Specs of somebody's files, as they read from elsewhere: another working directory, another machine."""

from collections.abc import Callable
from pathlib import Path

import optimizers
from bench.task import Task
from optimizers import _spec

Place = Callable[[Path], Path]  # where a file of this machine is


def optimizer_from(spec: str, place: Place) -> str:
    """The spec of an optimizer with its file, if it has one, where `place` says."""
    return _from(spec, optimizers.parse(optimizers.layers(spec)[1]), place)


def task_from(spec: str | Task, place: Place) -> str | Task:
    """The spec of a task with its file, if it has one, where `place` says."""
    return spec if isinstance(spec, Task) else _from(spec, _spec.parse(spec), place)


def _from(spec: str, parsed: _spec.Spec, place: Place) -> str:
    return spec.replace(parsed.target, str(place(Path(parsed.target))), 1) if parsed.is_path else spec
