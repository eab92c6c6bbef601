"""Writing files so that a reader sees all of one or none of it, and reading them whoever wrote them.

A failed write says what to do. A read neither waits for a pipe nor takes more than it was told to.
"""

import contextlib
import errno
import json
import os
import secrets
import stat
import time
from pathlib import Path
from typing import Any

from bench.errors import UserError

TEXT = 2**24  # bytes of a JSON file at most; a manifest of a thousand cells has a hundredth of it


ABANDONED_S = 600.0  # after which a file that is being written is not any more


class Unreadable(Exception):
    """A file whose content cannot be had, or is no JSON; the message says why, without its path."""


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


def clear_abandoned(folder: Path) -> None:
    """Removes what killed commands were writing in a folder."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > ABANDONED_S:
                path.unlink()


def content_of(path: Path, most: int) -> bytes:
    """The bytes of a plain file, or of what a link leads to.

    Raises:
      FileNotFoundError: there is nothing at `path`.
      Unreadable: it is no plain file, has more than `most` bytes, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("a folder, not a file" if stat.S_ISDIR(found.st_mode) else "not a plain file")
        # What is there may have been changed since: to open a pipe would wait for its writer.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:  # noqa: PTH123
            content = file.read(found.st_size + 1) if found.st_size <= most else b""
    except FileNotFoundError:
        if path.is_symlink():
            raise Unreadable("a link to nothing") from None
        raise
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror or error}") from error
    if max(found.st_size, len(content)) > most:
        raise Unreadable(f"{found.st_size} bytes, where {most} are the most that is read")
    return content


def json_of(path: Path) -> Any:
    """What a JSON file says.

    Raises:
      FileNotFoundError: there is nothing at `path`.
      Unreadable: as `content_of`, or it is not JSON.
    """
    return parsed(content_of(path, TEXT))


def parsed(text: str | bytes) -> Any:
    """JSON of unknown origin.

    Raises:
      Unreadable: it is not JSON, or nested so deeply that it is not ours.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # text in no known encoding and too long a number are ValueErrors
        raise Unreadable("not JSON") from error


def shown(text: str) -> str:
    """A name of unknown origin, on one line and in characters that can be written."""
    return text if text.isprintable() else ascii(text)


def explain(error: OSError, path: Path) -> str:
    """One line for a user on why `path` could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full: {path} could not be written; free some space and run the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path.parent} is not writable; choose another folder"
    if error.errno == errno.EISDIR:
        return f"{path} is a folder, where a file is to be; move it away and run the same command again"
    return f"{path} could not be written: {error.strerror or error}"
