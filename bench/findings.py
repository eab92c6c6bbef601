"""What a check found, as it is shown and sent from one process to another; no JAX here."""

from typing import NamedTuple

# Checks of how well a rule does: one that breaks them can be run, and a comparison says what comes of it.
OF_QUALITY = frozenset(
    {
        "survives zero, huge and tiny gradients",
        "does not move outwards without a gradient",
        "makes a quadratic smaller with its defaults",
        "takes trees without any array",
        "has its defaults inside its search space",
    }
)


class Finding(NamedTuple):
    """One check's outcome.

    Attributes:
      check: what was asked.
      problem: what was found instead; empty if nothing was.
      reached: whether it could be asked at all: an optimizer that does not run cannot be asked what its runs do.
    """

    check: str
    problem: str
    reached: bool = True
