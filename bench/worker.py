"""What runs in a worker process: pure work in, bytes or numbers out. Workers write no results themselves.

The process sets itself up before it imports JAX: pinned to one core, one thread, one shared cache of compiled
programs. It ends when the pipe to its parent closes, so that no orphan outlives a killed run.
"""

import os
import signal
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from bench import paths
from bench.errors import UserError
from bench.fingerprint import platform, xla_flags
from bench.protocol import Protocol
from bench.task import Task
from optimizers import OptimizerError

if TYPE_CHECKING:
    from bench.program import Program

CACHE_BYTES = 512 * 1024 * 1024  # of compiled programs, the least recently used go first


class Job(Interface):
    """A piece of work that can be sent to a worker."""

    def __call__(self) -> Any:
        """Does it and returns what the parent asked for."""
        ...


@dataclass(frozen=True)
class Failure:
    """Why a job gave no result: one line for the user, and the traceback where the fault may be ours."""

    reason: str
    details: str = ""


@dataclass(frozen=True)
class Swept:
    """An encoded record, and the seconds that compiling, where this worker had not yet, and running took."""

    record: bytes
    setup_s: float
    run_s: float


@dataclass(frozen=True)
class SweepJob:
    """One replicate of one cell, to an encoded record; `previous` is a record of it that lacks final seeds."""

    task: Task
    optimizer: str
    protocol: Protocol
    replicate: int
    fingerprint: str
    previous: bytes | None = None

    def __call__(self) -> "Swept":
        """Compiles the cell where this process has not yet, and runs the replicate."""
        from bench import records, sweep

        begin = time.perf_counter()
        program = _program(self.task, self.optimizer, self.protocol)
        ready = time.perf_counter()
        previous = None if self.previous is None else records.decode(self.previous)
        content = records.encode(sweep.sweep(program, self.replicate, self.fingerprint, previous))
        return Swept(content, ready - begin, time.perf_counter() - ready)


@dataclass(frozen=True)
class TimingJob:
    """Step times of a task's optimizers, by `settings` {optimizer: hyperparameters}, beside SGD's."""

    task: Task
    settings: Mapping[str, Mapping[str, float]]
    protocol: Protocol
    baseline: str = "sgd"

    def __call__(self) -> dict[str, dict[str, Any]]:
        """Compiles what this process has not yet, and measures."""
        from bench import timing

        programs = {name: _program(self.task, name, self.protocol) for name in self.settings}
        return timing.measure(programs, self.settings, _program(self.task, self.baseline, self.protocol))


@lru_cache(maxsize=128)
def _program(task: Task, optimizer: str, protocol: Protocol) -> "Program":
    import optimizers
    from bench.program import compile_program

    return compile_program(task, optimizers.get(optimizer), protocol)


def environment(core: int | None) -> dict[str, str]:
    """Variables that must stand before JAX is imported; a pinned worker runs one thread."""
    compiled = paths.cache() / "programs"
    return {
        "JAX_PLATFORMS": platform(),
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(CACHE_BYTES),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": xla_flags(),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        **({} if core is None else {"PJRT_NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}),
    }


def serve(pipe: Connection, core: int | None) -> None:
    """The main function of a worker: does jobs from the pipe until it closes, on `core` if one is given."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    os.environ.update(environment(core))
    if core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    while True:
        try:
            job = pipe.recv()
            pipe.send(attempt(job))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def attempt(job: Job) -> Any:
    """The job's result, or a Failure; nothing a job raises stops the worker."""
    try:
        return job()
    except (UserError, OptimizerError) as error:
        return Failure(str(error))
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}".splitlines()[0][:300], traceback.format_exc())
