"""The changes to an update rule that no test should notice, and why: what `python -m tests.mutants` reads."""

from tests.mutating import Key

SURVIVORS: dict[Key, str] = {}
