"""A worker process: jobs in from a pipe, what came of them out. Workers write no results themselves.

The process sets itself up before it imports JAX: pinned to one core, one thread, bounded in memory, one shared cache of
compiled programs. It is ended with all that it started, and ends itself when its parent is gone, so that no orphan
outlives a killed run.
"""

import os
import signal
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import threadpoolctl

from bench import machine, paths
from bench.errors import UserError
from bench.fingerprint import platform, settings, xla_flags
from bench.machine import Slot
from optimizers import OptimizerError

CACHE_BYTES = 512 * 1024 * 1024  # of compiled programs, the least recently used go first
WATCH_S = 0.5  # seconds between looks at whether the parent is there
ONE_THREAD = {"PJRT_NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


LONGEST = 300  # characters of a reason
DETAILS = 100_000  # and of a traceback, from its end


class Job(Protocol):
    """A piece of work that can be sent to a worker.

    One that runs somebody's code says whose, as `own`: a worker that has had it is for no job without it.
    """

    def __call__(self) -> Any:
        """Does it and returns what the parent asked for."""
        ...


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result.

    Attributes:
      reason: one line for the user.
      details: the traceback, where there is one.
      repeats: whether the same would happen to the rest of the cell, as far as one can tell.
      lost: whether the worker was ended from outside, so that another may well succeed.
      unfit: whether the worker's machine was to blame and is used no more, so that the try does not count.
    """

    reason: str
    details: str = ""
    repeats: bool = True
    lost: bool = False
    unfit: bool = False


@dataclass(frozen=True)
class Ready:
    """What a worker says before its first job: that it has started."""


def environment(slot: Slot) -> dict[str, str]:
    """Variables that must stand before JAX is imported; on a CPU a worker runs one thread.

    Workers that share an accelerator each take the memory that they need, and not all of it.
    """
    compiled = paths.cache() / "programs"
    return {
        **settings(),
        "JAX_PLATFORMS": platform(),
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(CACHE_BYTES),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": xla_flags(),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "XLA_PYTHON_CLIENT_PREALLOCATE": os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "false"),
        **({} if slot.device is None else {"CUDA_VISIBLE_DEVICES": slot.device}),
        **(ONE_THREAD if platform() == "cpu" else {}),
    }


def serve(pipe: Connection, slot: Slot) -> None:
    """The main function of a worker: does jobs from the pipe until it closes, within its slot."""
    os.setsid()  # Ctrl-C is for the parent alone, which then decides
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    os.environ.update(environment(slot))
    if slot.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {slot.core})
    if slot.memory is not None and slot.device is None:  # a GPU's driver reserves far more than it uses
        machine.bound(slot.memory)
    threadpoolctl.threadpool_limits(1)  # of BLAS, which is here already; a thread of it that waits keeps a core busy
    number = os.getpid()
    with suppress(EOFError, OSError):
        pipe.send(Ready())
        while True:
            outcome = attempt(pipe.recv())
            if os.getpid() != number:  # a copy of this process that a job has made; one answer is enough
                os._exit(0)
            pipe.send(outcome)


def end_with(parent: int) -> None:
    """Ends this process, and all that it started, once its parent is another: the one that began it has died."""
    while os.getppid() == parent:
        time.sleep(WATCH_S)
    os.killpg(0, signal.SIGKILL)


def workplace(pid: int) -> Path:
    """The working directory of somebody's code in the worker `pid`, while there is such code at work."""
    return Path(tempfile.gettempdir()) / f"optgrid-{pid}"


def own(job: Job) -> frozenset[str]:
    """Whose code a job runs beside the project's."""
    return getattr(job, "own", frozenset())


def attempt(job: Job) -> Any:
    """The job's result, or a Failure; nothing a job raises stops the worker."""
    try:
        return job()
    except (UserError, OptimizerError) as error:
        return Failure(_line(str(error)))
    except SystemExit as error:
        return Failure(_line(f"its code ended the process: exit({error.code!r})"), _details())
    except MemoryError:
        return Failure("there was not enough memory for it; --memory allows more", _details())
    except BaseException as error:  # somebody's code may raise anything, KeyboardInterrupt too
        return Failure(_line(_named(error)), _details())


def _named(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}".removesuffix(": ")
    except BaseException:  # its own code made the words
        return f"{type(error).__name__}, which cannot be put into words"


def _line(words: str) -> str:
    """The first line of what somebody's code may have written."""
    return (words.strip().splitlines() or ["for no reason that it gave"])[0][:LONGEST]


def _details() -> str:
    try:
        return traceback.format_exc()[-DETAILS:]
    except BaseException:  # as above
        return ""
