"""Why units gave no record, one file each: written as it happens, and gone once the unit has its record.

RUN/failures/UNIT.txt    the reason in its first line, and the traceback where there is one
"""

from collections.abc import Iterable
from pathlib import Path

from bench.files import write_atomically
from bench.worker import Failure

FOLDER = "failures"


def _file(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.txt"


def save(folder: Path, name: str, failure: Failure) -> None:
    """Writes down why a unit failed."""
    write_atomically(_file(folder, name), f"{failure.reason}\n\n{failure.details}".encode())


def clear(folder: Path, name: str) -> None:
    """Forgets a unit's failure, as it has its record now."""
    _file(folder, name).unlink(missing_ok=True)


def stamps(folder: Path) -> dict[str, int]:
    """When each failure was written, in nanoseconds, by unit: what is there later with another time is new."""
    return {path.stem: path.stat().st_mtime_ns for path in (folder / FOLDER).glob("*.txt")}


def reasons(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The reasons of those of the units that have failed."""
    found = {}
    for name in names:
        try:
            lines = _file(folder, name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            continue
        found[name] = lines[0] if lines else "for a reason that was not written down"
    return found
