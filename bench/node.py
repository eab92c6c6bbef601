"""The other end of a cluster: what runs on the machine of a Dask worker.

A Dask worker keeps a process beside it for each of its slots, which is this module run as a program: it has the
luggage's code, not that of the machine, and works as the runner's own pool does, with one worker of that kind. So units
come out as they would at home, and a unit that hangs, dies or overeats does not take the Dask worker with it.
"""

import contextlib
import io
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from bench import fingerprint, luggage, machine, paths
from bench.files import write_atomically
from bench.machine import Slot
from bench.pool import pool
from bench.worker import Failure, end_with

IDLE_S = 600.0  # after which a process without work ends, should nobody have ended it
CODE = "code"  # folder of the cache where luggage is unpacked
KEPT = 4  # luggages there, the latest


@dataclass(frozen=True)
class Greeting:
    """What a machine says of itself.

    Attributes:
      host: its name.
      versions: of the libraries that decide numbers.
      code: what each file of its project does, as a hash.
      memory: bytes that one of its slots may take.
    """

    host: str
    versions: Mapping[str, str]
    code: Mapping[str, str]
    memory: int


@dataclass(frozen=True)
class Order:
    """A job for a slot.

    Attributes:
      digest: of the luggage.
      slot: number of the slot on its machine.
      job: pickled, a `bench.worker.Job`.
      timeout: seconds.
      memory: bytes.
      settings: variables of the environment that decide numbers.
    """

    digest: str
    slot: int
    job: bytes
    timeout: float
    memory: int
    settings: Mapping[str, str] = field(default_factory=dict)


def greet() -> Greeting:
    """Runs on a Dask worker, which knows how much memory and how many threads it has."""
    from distributed import get_worker

    worker = get_worker()
    memory = (worker.memory_manager.memory_limit or machine.total_memory()) * (1 - machine.SPARED)
    each = max(machine.LEAST, int(memory / worker.state.nthreads))
    return Greeting(socket.gethostname(), fingerprint.versions(), luggage.digests(), each)


def work(order: Order, files: Mapping[str, bytes]) -> bytes:
    """Runs on a Dask worker: does a job in the slot's own process, and gives what came of it, pickled.

    `files` are what the machine lacks: those of the cache by their place in it, and the luggage by its digest.
    """
    for name, content in files.items():
        if name != order.digest and not (paths.cache() / name).exists():
            write_atomically(paths.cache() / name, content)
    folder = paths.cache() / CODE / order.digest
    if not folder.exists():
        _unpack(files[order.digest], folder)
    with contextlib.suppress(OSError):
        os.utime(folder)  # it is in use
    return _process(order, folder).do(order)


def close(digest: str) -> None:
    """Runs on a Dask worker: ends the processes of a luggage."""
    with _lock:
        for key in [key for key in _processes if key[0] == digest]:
            _processes.pop(key).stop()


def _unpack(archive: bytes, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            file.extractall(Path(temporary) / "code")
        with contextlib.suppress(OSError):  # another slot was quicker
            (Path(temporary) / "code").replace(folder)
    for old in sorted(folder.parent.iterdir(), key=_age)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _libraries() -> list[str]:
    """Where this machine may have its libraries, beside where Python looks by itself."""
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _age(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another slot has removed it
        return 0.0


class _Process:
    """A slot's process, seen from the Dask worker."""

    def __init__(self, order: Order, folder: Path) -> None:
        ours, theirs = socket.socketpair()
        slot = Slot(memory=order.memory)
        self._busy = threading.Lock()
        self._has_answered = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.node", str(theirs.fileno())],
            cwd=folder,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **order.settings, "PYTHONPATH": os.pathsep.join([str(folder), *_libraries()])},
            start_new_session=True,
        )
        theirs.close()
        self._pipe = Connection(ours.detach())
        self._pipe.send(slot)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def do(self, order: Order) -> bytes:
        """What came of a job; a Failure where the process is gone.

        Raises:
          RuntimeError: it went before it had done any.
        """
        with self._busy:
            try:
                self._pipe.send((order.job, order.timeout))
                answer = self._pipe.recv_bytes()
                self._has_answered = True
                return answer
            except (EOFError, OSError) as error:
                self.stop()
                if not self._has_answered:  # the machine's fault, most likely, and not the unit's
                    raise RuntimeError("the process for it ended before it had done anything") from error
                return pickle.dumps(Failure("its process on the cluster was ended", repeats=False, lost=True))

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._pipe.close()


_processes: dict[tuple[str, int], _Process] = {}
_lock = threading.Lock()


def _process(order: Order, folder: Path) -> _Process:
    key = order.digest, order.slot
    with _lock:
        if key not in _processes or not _processes[key].alive:
            _processes[key] = _Process(order, folder)
        return _processes[key]


def main(pipe: Connection) -> None:
    """Does jobs from the pipe until it closes, or nothing has come for a while."""
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    with pool([pipe.recv()]) as team:
        while wait([pipe], IDLE_S):
            try:
                job, timeout = pipe.recv()
            except EOFError:
                return
            waiting = [pickle.loads(job)]
            outcomes = team.run(lambda _: ("", waiting.pop()) if waiting else None, lambda _: timeout)  # noqa: B023
            pipe.send_bytes(pickle.dumps(next(ended.outcome for ended in outcomes if ended is not None)))


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
