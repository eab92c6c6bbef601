"""The exceptions that are shown as a single line, never a traceback: what is the user's to mend, and damaged files."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Bad input, or a machine that cannot do what was asked; the message names it, and what to do. Exit status 2."""


class DamagedRecord(Exception):
    """A file that is not a whole record of this schema; the message says what is wrong with it."""


class NewerRecord(DamagedRecord):
    """A record of a later schema than this version knows, and so not one to be written over."""


class Unavailable(UserError):
    """Data that this machine does not have and cannot fetch now; the message says why, and the remedy.

    What needs it is skipped and named, and the rest goes on.
    """


def unknown(what: str, name: str, known: Iterable[str]) -> UserError:
    """The error that there is no `what` called `name`: with the close matches among the `known`, or all of them."""
    names = list(known)
    close = get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names)}"
    return UserError(f"there is no {what} {name!r}; {hint}")
