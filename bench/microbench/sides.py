"""Whole cells trained by this suite and by others: the same model on the same rows, training only, whole processes.

Every side is up and warm before the first measurement and stays until the last; one measures while the others sleep.
Ours is a worker process on every core, as in `optgrid run`, each doing whole runs; on an accelerator, where workers
take turns, it is one. The others are the programs of `bench.microbench.peers`, as their users run them, in one process,
or packed: one pinned, single-threaded process on every core. A side whose packages are not installed is absent, and
says so.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from bench import fingerprint, machine, tasks
from bench.errors import UserError
from bench.microbench.results import Goal
from bench.microbench.turns import Pace, grows
from bench.pool import pool
from bench.protocol import Protocol
from bench.task import Task
from bench.worker import Failure

if TYPE_CHECKING:
    from bench.program import Program

TASK, OPTIMIZER = "mnist_5k", "adam"
RUNS = 10  # calls of ours in one measurement, by each worker
EPOCHS = 20  # of a peer's training, about twice the steps of one of our runs
MEASURE_S = 1.0  # a peer's measurement goes on until whole trainings have taken this long
SETTLE_S = 0.1  # for the threads of the side before to go to sleep
TIMEOUT_S = 120.0  # for one answer of a process
SERVE = Path(__file__).parent / "peers" / "serve.py"
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC"), "1"),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
}


NO_GOAL = Goal()


@dataclass(frozen=True)
class Peer:
    """A program to be measured against.

    Attributes:
      name: what it is called in tables, unique.
      program: file of `bench/microbench/peers`, without its suffix.
      goal: how many times its speed ours should be, on a CPU.
      accelerated: the same on an accelerator.
      options: arguments of the program.
      own: whether it runs on this interpreter instead of the peers'.
      packed: whether it is a pinned process on each core; ours is then held against it by process time.
    """

    name: str
    program: str
    goal: Goal
    options: Mapping[str, int] = field(default_factory=dict)
    own: bool = False
    packed: bool = False
    accelerated: Goal = NO_GOAL


PEERS = (
    Peer("Keras fit", "keras_fit", Goal(16.0, beyond=22.0)),
    Peer("PyTorch", "torch_loop", Goal(6.0, beyond=8.6)),
    Peer("PyTorch, 1 thread", "torch_loop", Goal(6.0, beyond=8.6), {"threads": 1}),
    Peer("JAX, Python loop", "jax_loop", Goal(3.0, beyond=4.3), own=True, accelerated=Goal(100.0)),
    Peer("Keras fit, packed", "keras_fit", Goal(beyond=10.2), packed=True),
    Peer("PyTorch, packed", "torch_loop", Goal(beyond=4.4), {"threads": 1}, packed=True),
    Peer("JAX loop, packed", "jax_loop", Goal(beyond=2.3), own=True, packed=True),
)


class Absent(Exception):
    """A peer that cannot be measured here; the message says what is missing."""


class Taken(NamedTuple):
    """What one process did in a measurement: steps, in so many wall and process seconds (of all its threads)."""

    steps: int
    wall_s: float
    cpu_s: float


def pace(processes: list[Taken]) -> Pace:
    """Run-steps a second, added up over processes, which are all at work for all but the end of the measurement."""
    rate = sum(taken.steps / taken.wall_s for taken in processes)
    return Pace(rate, sum(taken.steps for taken in processes) / sum(taken.cpu_s for taken in processes))


class Sides:
    """Ours and every peer that has been asked for, warm."""

    def __init__(self, peers: Path) -> None:
        self._folder = peers
        self._stack = ExitStack()
        self._task, self._protocol = tasks.get(TASK), Protocol()
        self._servers: dict[str, list[_Server]] = {}

    def __enter__(self) -> Self:
        self._data = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "train.npz"
        np.savez(self._data, **self._task.data().train)
        self._workers = self._stack.enter_context(pool(machine.slots(None if fingerprint.platform() == "cpu" else 1)))
        self.ours(runs=1)
        self._check_growth()
        return self

    def _check_growth(self) -> None:
        """As the peers do of themselves.

        Raises:
          UnsoundTiming: twice the runs did not take about twice as long.
        """

        def seconds(runs: int) -> float:
            return runs / self.ours(runs).cpu_rate

        grows(lambda: seconds(RUNS // 2), lambda: seconds(RUNS), distance=1.0)  # each job looks at its own parameters

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def ours(self, runs: int = RUNS) -> Pace:
        """One measurement with every worker at work; they end within one run of each other.

        Raises:
          UserError: a worker failed.
        """
        time.sleep(SETTLE_S)
        job, idle = Train(self._task, OPTIMIZER, self._protocol, runs), set(self._workers.numbers)

        def draw(number: int) -> tuple[int, Train] | None:
            if number not in idle:
                return None
            idle.remove(number)
            return number, job

        outcomes = [ended.outcome for ended in self._workers.run(draw, lambda _: TIMEOUT_S) if ended is not None]
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                raise UserError(f"a worker failed: {outcome.reason}")
        return pace(outcomes)

    def start(self, peer: Peer) -> None:
        """Starts a peer, and waits until it is warm.

        Raises:
          Absent: what it needs is not installed.
          UserError: it broke.
        """
        python = Path(sys.executable) if peer.own else self._folder / _interpreter()
        if not python.exists():
            raise Absent(f"there is no {python}; `make peers` sets it up")
        cores = machine.cores() if peer.packed else [None]
        self._servers[peer.name] = [_Server(peer, python, self._data, core) for core in cores]
        for server in self._servers[peer.name]:
            self._stack.callback(server.stop)
        for server in self._servers[peer.name]:
            server.wait()

    def theirs(self, peer: Peer) -> Pace:
        """One measurement of a peer that was started."""
        time.sleep(SETTLE_S)
        servers = self._servers[peer.name]
        for server in servers:
            server.ask()
        return pace([server.taken() for server in servers])


@dataclass(frozen=True)
class Train:
    """Calls of the compiled program, one after another, each a whole training run in every lane."""

    task: Task
    optimizer: str
    protocol: Protocol
    runs: int

    def __call__(self) -> Taken:
        """Compiles where this process has not yet, and trains."""
        from bench.train import distance

        program = _program(self.task, self.optimizer, self.protocol, fingerprint.lanes())
        start = program.start(0, "0")
        arguments = program.abreast([(start, program.optimizer.start)] * program.lanes)
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(self.runs):
            trajectory = program.train(*arguments)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if not all(distance(start, params) > 0 for params in program.apart(trajectory.params)):
            raise RuntimeError("the parameters did not move")
        return Taken(self.runs * program.lanes * self.task.steps, wall, cpu)


@lru_cache
def _program(task: Task, optimizer: str, protocol: Protocol, lanes: int) -> "Program":
    import optimizers
    from bench.program import compile_program

    return compile_program(task, optimizers.get(optimizer), protocol, lanes)


def _interpreter() -> str:
    return "Scripts/python.exe" if os.name == "nt" else "bin/python"


class _Server:
    """A peer's process, asked for one measurement at a time."""

    def __init__(self, peer: Peer, python: Path, data: Path, core: int | None) -> None:
        self._name = peer.name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by stop()
        command: list[str | Path] = [python, SERVE, peer.program, data, str(EPOCHS), json.dumps(dict(peer.options))]
        threads = {} if core is None else ONE_THREAD
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**_environment(), "JAX_PLATFORMS": fingerprint.platform(), **threads},
        )
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, {core})

    def wait(self) -> None:
        """Until the process is warm."""
        answer = self._answer()
        if "absent" in answer:
            raise Absent(f"{answer['absent']} is not installed there; `make peers` sets it up")

    def ask(self) -> None:
        """Lets it measure."""
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.write(f"{MEASURE_S}\n")
            self._process.stdin.flush()

    def taken(self) -> Taken:
        """What it measured."""
        return Taken(**self._answer())

    def _answer(self) -> dict[str, Any]:
        """The process's next line.

        Raises:
          UserError: it died, or said nothing in time.
        """
        assert self._process.stdout is not None
        alarm = threading.Timer(TIMEOUT_S, self._process.kill)
        alarm.start()
        line = self._process.stdout.readline()
        alarm.cancel()
        if line:
            return dict(json.loads(line))
        self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        raise UserError(f"{self._name} broke: {words[-1] if words else f'exit status {self._process.returncode}'}")

    def stop(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()


def _environment() -> dict[str, str]:
    """The user's environment, without what the suite sets for itself."""
    ours = {*ONE_THREAD, "XLA_FLAGS", *(name for name in os.environ if name.startswith("JAX_COMPILATION_CACHE"))}
    return {name: value for name, value in os.environ.items() if name not in ours}
