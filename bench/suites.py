"""Named, versioned grids. A suite's version moves when its tasks or its default optimizers change."""

from dataclasses import dataclass, field

from bench.errors import unknown
from bench.protocol import Protocol
from bench.tasks import core, extra


@dataclass(frozen=True)
class Suite:
    """Tasks and optimizers that are compared together, and the protocol they are held to.

    Attributes:
      optimizers: the optimizers of the grid; None means every one of the catalogue.
    """

    name: str
    version: int
    tasks: tuple[str, ...]
    optimizers: tuple[str, ...] | None = None
    protocol: Protocol = field(default_factory=Protocol)


# The seven that a course teaches, and of the later rules the three of the lowest mean rank over the core tasks,
# training and test loss together. They stand for ideas of their own: an average in the place of a schedule, Adam in
# an eigenbasis, and Nesterov's step with the difference of gradients.
DEFAULT = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "schedule_free_adamw", "soap", "adan")

SUITES = {
    suite.name: suite
    for suite in (
        Suite("smoke", 1, ("breast_cancer", "diabetes"), ("sgd", "adam"), Protocol(2, 4, 2, steps=100)),
        Suite("core", 2, tuple(task.name for task in core.TASKS), DEFAULT),
        Suite(
            "full", 2, tuple(task.name for task in (*core.TASKS, *extra.TASKS)), None, Protocol(trials=40, wide=True)
        ),
    )
}


def get(name: str) -> Suite:
    """The suite of that name.

    Raises:
      UserError: there is none.
    """
    if name not in SUITES:
        raise unknown("suite", name, SUITES)
    return SUITES[name]
