"""What a check found, as it is shown and sent from one process to another; no JAX here."""

from typing import NamedTuple


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
