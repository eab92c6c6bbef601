"""Which units this command is at, so that another one on the same folder leaves them alone.

A claim is a lock that the system lets go when its process ends, however it ends, so that none outlives a killed run.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import UserError
from bench.files import explain

FOLDER = ".claims"
LOOK_S = 0.2  # seconds between looks at whether a claim was let go
PATIENCE_S = 5.0  # after which what is waited for is said


class Claims:
    """The claims of this command on units of a folder.

    Raises:
      UserError: the folder cannot be written, or its file system has no locks.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._held: dict[str, FileLock] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(explain(error, folder / FOLDER)) from error

    def take(self, name: str) -> bool:
        """Whether the unit is this command's now; it is not where another is at it."""
        if name in self._held:
            return True
        path = self._folder / f"{name}.lock"
        lock = FileLock(path, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        except NotImplementedError as error:  # so filelock says that the file system has none
            raise UserError(f"{self._folder} is on a file system without locks; choose another with --out") from error
        except OSError as error:
            raise UserError(explain(error, path)) from error
        self._held[name] = lock
        return True

    def wait(self, name: str, stop: Callable[[], bool], say: Callable[[], None]) -> bool:
        """Takes a claim as soon as it can be had; False if `stop` has it give up before. Where that takes a while,
        `say` is called, once."""
        begin, said = time.monotonic(), False
        while not self.take(name):
            if stop():
                return False
            if not said and time.monotonic() - begin > PATIENCE_S:
                said = True
                say()
            time.sleep(LOOK_S)
        return True

    def release(self, name: str) -> None:
        """Lets a unit go. Whoever takes it next looks first whether it is done, so its file may go as well."""
        lock = self._held.pop(name)
        with suppress(OSError):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()

    def close(self) -> None:
        """Lets all units go."""
        for name in list(self._held):
            self.release(name)
        with suppress(OSError):
            self._folder.rmdir()  # if nobody else has claims
