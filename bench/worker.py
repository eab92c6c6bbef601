"""What runs in a worker process: pure work in, bytes or numbers out. Workers write no results themselves.

The process sets itself up before it imports JAX: pinned to one core, one thread, one shared cache of compiled
programs. It ends when the pipe to its parent closes, so that no orphan outlives a killed run.
"""

import os
import signal
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from filelock import FileLock

from bench import machine, paths
from bench.errors import UserError
from bench.fingerprint import fingerprint, lanes, platform, settings, xla_flags
from bench.protocol import Protocol
from bench.task import Task
from optimizers import OptimizerError

if TYPE_CHECKING:
    from bench.program import Program

BASELINE = "sgd"  # what step times are compared with
CACHE_BYTES = 512 * 1024 * 1024  # of compiled programs, the least recently used go first


class Job(Interface):
    """A piece of work that can be sent to a worker."""

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
    """

    reason: str
    details: str = ""
    repeats: bool = True


@dataclass(frozen=True)
class Swept:
    """Encoded records, and the seconds that compiling, where this worker had not yet, and running took."""

    records: Sequence[bytes]
    setup_s: float
    run_s: float


@dataclass(frozen=True)
class SweepJob:
    """Replicates of one cell, by specs, to encoded records.

    `replicates` are numbers, each with the encoded record of it that lacks final seeds, if there is one.
    """

    task: str | Task
    optimizer: str
    protocol: Protocol
    replicates: Mapping[int, bytes | None]
    fingerprint: str

    def __call__(self) -> "Swept":
        """Compiles the cell where this process has not yet, and runs the replicates."""
        from bench import records, sweep

        begin = time.perf_counter()
        program = _program(self.task, self.optimizer, self.protocol, self.fingerprint, lanes())
        ready = time.perf_counter()
        previous = {r: None if before is None else records.decode(before) for r, before in self.replicates.items()}
        with _device():
            begun = time.perf_counter()
            swept = sweep.sweep(program, previous, self.fingerprint)
        environment = machine.environment()
        encoded = [records.encode(replace(r, meta={**r.meta, "environment": environment})) for r in swept]
        return Swept(encoded, ready - begin, time.perf_counter() - begun)


@dataclass(frozen=True)
class TimingJob:
    """Step times of a task's optimizers, by `settings` {optimizer: hyperparameters}, beside SGD's, one run at a time.

    `fingerprints` are those of the optimizers' cells and the baseline's. An optimizer whose program cannot be had now
    is left out.
    """

    task: str | Task
    settings: Mapping[str, Mapping[str, float]]
    protocol: Protocol
    fingerprints: Mapping[str, str]
    baseline: str = BASELINE

    def __call__(self) -> dict[str, dict[str, Any]]:
        """Compiles what this process has not yet, and measures."""
        from bench import timing

        programs = {}
        for name in self.settings:
            with suppress(UserError, OptimizerError):
                programs[name] = _program(self.task, name, self.protocol, self.fingerprints[name], lanes=1)
        baseline = _program(self.task, self.baseline, self.protocol, self.fingerprints[self.baseline], lanes=1)
        return timing.measure(programs, self.settings, baseline)


@lru_cache(maxsize=128)
def _program(task_spec: str | Task, optimizer: str, protocol: Protocol, expected: str, lanes: int) -> "Program":
    """Compiles a cell, whose code must still be that of the fingerprint `expected`.

    Raises:
      UserError: it is not: a file was edited since the run began.
    """
    from bench import tasks
    from bench.program import compile_program
    from bench.sweep import searched
    from optimizers import _bare

    task, loaded = tasks.get(task_spec, protocol.steps), _bare.get(optimizer)
    if fingerprint(task, optimizer, protocol) != expected:
        raise UserError(f"the code of {loaded.name} on {task.name} was changed while the run went on; run again")
    return compile_program(task, searched(loaded, protocol), protocol, lanes)


@contextmanager
def _device() -> Iterator[None]:
    """One worker's turn on an accelerator: two that compute at once slow each other down more than they gain, while
    others may compile. On a CPU each has a core of its own."""
    if platform() == "cpu":
        yield
    else:
        with FileLock(paths.cache() / "accelerator.lock", poll_interval=0.005):
            yield


def environment(core: int | None) -> dict[str, str]:
    """Variables that must stand before JAX is imported; a pinned worker runs one thread.

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
    except SystemExit as error:
        return Failure(f"its code ended the process: exit({error.code!r})", traceback.format_exc())
    except Exception as error:
        return Failure(f"{type(error).__name__}: {error}".splitlines()[0][:300], traceback.format_exc())
