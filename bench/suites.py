"""Named, versioned grids. A suite's version moves when its tasks or its default optimizers change."""

from dataclasses import dataclass, field
from difflib import get_close_matches

from bench.errors import UserError
from bench.protocol import Protocol


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


SUITES = {
    suite.name: suite
    for suite in (
        Suite("smoke", 1, ("breast_cancer", "diabetes"), ("sgd", "adam"), Protocol(2, 4, 2, steps=100)),
        Suite("core", 1, ("mnist_5k", "digits", "breast_cancer", "diabetes")),
    )
}


def get(name: str) -> Suite:
    """The suite of that name.

    Raises:
      UserError: there is none.
    """
    if name not in SUITES:
        close = get_close_matches(name, SUITES, n=1)
        raise UserError(
            f"there is no suite {name!r}; "
            + (f"did you mean {close[0]}?" if close else f"there are {', '.join(SUITES)}")
        )
    return SUITES[name]
