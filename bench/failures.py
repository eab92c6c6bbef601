"""Why units gave no record, one file each: written as it happens, and gone once the unit has its record.

RUN/failures/UNIT.txt    the reason in its first line, and the traceback where there is one
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from bench.files import TEXT, Unreadable, content_of, shown, write_atomically
from bench.worker import Failure

FOLDER = "failures"


def _file(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.txt"


def save(folder: Path, name: str, failure: Failure) -> None:
    """Writes down why a unit failed.

    Raises:
      UserError: it could not be written.
    """
    write_atomically(_file(folder, name), f"{failure.reason}\n\n{failure.details}".encode())


def clear(folder: Path, name: str) -> None:
    """Forgets a unit's failure, as it has its record now."""
    with suppress(OSError):
        _file(folder, name).unlink()


def stamps(folder: Path) -> dict[str, int]:
    """When each failure was written, in nanoseconds, by unit: what is there later with another time is new."""
    return {path.stem: path.lstat().st_mtime_ns for path in (folder / FOLDER).glob("*.txt")}


def reasons(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The reasons of those of the units that have failed."""
    found = {}
    for name in names:
        with suppress(FileNotFoundError):
            try:
                lines = content_of(_file(folder, name), TEXT).decode(errors="replace").splitlines()
                found[name] = shown(lines[0]) if lines else "for a reason that was not written down"
            except Unreadable as error:
                found[name] = f"for a reason that cannot be read: {error}"
    return found
