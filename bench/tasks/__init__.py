"""The tasks by name. A task is an entry of a module of this package; see `bench.task` for what it is."""

from difflib import get_close_matches

from bench.errors import UserError
from bench.task import Task
from bench.tasks import core

TASKS: dict[str, Task] = {task.name: task for task in core.TASKS}


def names() -> list[str]:
    """All tasks, in the order of their modules' entries."""
    return list(TASKS)


def get(name: str) -> Task:
    """The task of that name.

    Raises:
      UserError: there is none.
    """
    if name not in TASKS:
        close = get_close_matches(name, TASKS, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(TASKS)}"
        raise UserError(f"there is no task {name!r}; {hint}")
    return TASKS[name]
