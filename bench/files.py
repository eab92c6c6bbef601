"""Writing files so that a reader sees all of one or none of it, and a failed write says what to do."""

import contextlib
import errno
import os
import secrets
from pathlib import Path

from bench.errors import UserError


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` to a temporary file beside `path` and renames it; folders are made as needed.

    Raises:
      UserError: the folder cannot be written, or the disk is full; what stood at `path` is untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise UserError(explain(error, path)) from error
        raise


def explain(error: OSError, path: Path) -> str:
    """One line for a user on why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {path} could not be written; free some space and run the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path.parent} is not writable; choose another folder"
    return f"{path} could not be written: {error.strerror or error}"
