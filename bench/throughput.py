"""How fast the suite trains, beside how others train the same model on the same rows: whole processes, training only.

Every side is up and warm before the first measurement and stays until the last. They take turns, ours, the next, ...,
ours again, so that a machine that slows down slows all of them; one measures while the others sleep. Ours is a worker
process on every core, as in `optgrid run`, each doing whole runs; the others are one process each, the programs of
`bench.peers`. A side whose packages are not installed is absent, and is said to be.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench import fingerprint, machine, tasks
from bench.errors import UserError
from bench.pool import Pool, pool
from bench.protocol import Protocol
from bench.task import Task
from bench.worker import Failure

if TYPE_CHECKING:
    from bench.program import Program

TASK, OPTIMIZER = "mnist_5k", "adam"
OURS = "optgrid"
EPOCHS = 20  # of a peer's training, about the steps of one of ours
MEASURE_S = 1.0  # a measurement goes on until whole trainings have taken this long
SETTLE_S = 0.1  # for the threads of the side before to go to sleep
TIMEOUT_S = 120.0  # for one answer of a peer
SERVE = Path(__file__).parent / "peers" / "serve.py"


@dataclass(frozen=True)
class Peer:
    """A program to be measured against.

    Attributes:
      name: what it is called in tables, unique.
      rival: whom it stands for; only the fastest of a rival's programs is held against the floor.
      program: file of `bench/peers`, without its suffix.
      options: arguments of the program.
      floor: how many times its speed ours should be, at least.
      own: whether it runs on this interpreter instead of the peers'.
    """

    name: str
    rival: str
    program: str
    floor: float
    options: Mapping[str, int] = field(default_factory=dict)
    own: bool = False


PEERS = (
    Peer("Keras", "keras", "keras_fit", 14.0),
    Peer("PyTorch", "torch", "torch_loop", 5.5),
    Peer("PyTorch, 1 thread", "torch", "torch_loop", 5.5, {"threads": 1}),
    Peer("JAX, Python loop", "jax", "jax_loop", 2.7, own=True),
)


class Taken(NamedTuple):
    """What one process did in a measurement: steps, in so many wall and process seconds (of all its threads)."""

    steps: int
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Sample:
    """One measurement of one side, by process."""

    processes: Sequence[Taken]

    @property
    def rate(self) -> float:
        """Run-steps a second, added up over processes, which are all at work for all but the end of the measurement."""
        return sum(taken.steps / taken.wall_s for taken in self.processes)

    @property
    def cpu_rate(self) -> float:
        """Run-steps a second of process time."""
        return sum(taken.steps for taken in self.processes) / sum(taken.cpu_s for taken in self.processes)


@dataclass(frozen=True)
class Side:
    """What was measured of one side, or why it was not.

    Attributes:
      samples: one a round; none if absent.
      peer: what it is; None for ours.
      absent: what is missing, "" if nothing is.
      failed: why it broke, "" if it did not.
    """

    name: str
    samples: Sequence[Sample] = ()
    peer: Peer | None = None
    absent: str = ""
    failed: str = ""

    @property
    def rate(self) -> float:
        """Median run-steps a second."""
        return float(np.median([sample.rate for sample in self.samples]))

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest and the fastest round, run-steps a second."""
        rates = [sample.rate for sample in self.samples]
        return min(rates), max(rates)

    @property
    def cpu_rate(self) -> float:
        """Median run-steps a second of process time."""
        return float(np.median([sample.cpu_rate for sample in self.samples]))


@dataclass(frozen=True)
class Throughput:
    """All sides, ours first, measured in turns."""

    sides: Sequence[Side]
    workers: int

    def ratio(self, side: Side) -> float:
        """Median over rounds of our speed as a multiple of the side's in the same round."""
        pairs = zip(self.sides[0].samples, side.samples, strict=True)
        return float(np.median([ours.rate / theirs.rate for ours, theirs in pairs]))

    def holds(self, side: Side) -> bool | None:
        """Whether the floor is reached; None for ours, where nothing was measured, and where a rival is faster."""
        if side.peer is None or not side.samples:
            return None
        rivals = [s for s in self.sides if s.peer is not None and s.samples and s.peer.rival == side.peer.rival]
        return self.ratio(side) >= side.peer.floor if side.rate == max(s.rate for s in rivals) else None

    def as_json(self) -> dict[str, Any]:
        """Everything, the samples included, and the machine."""
        return {
            "task": TASK,
            "optimizer": OPTIMIZER,
            "workers": self.workers,
            "rounds": len(self.sides[0].samples),
            "machine": machine.environment(),
            "sides": {side.name: self._side_as_json(side) for side in self.sides},
        }

    def _side_as_json(self, side: Side) -> dict[str, Any]:
        content: dict[str, Any] = {"absent": side.absent, "failed": side.failed}
        if side.samples:
            content |= {
                "steps_per_s": side.rate,
                "steps_per_cpu_s": side.cpu_rate,
                "rounds": [[taken._asdict() for taken in sample.processes] for sample in side.samples],
            }
        if side.peer is not None:
            ratio = self.ratio(side) if side.samples else None
            content |= {"ratio": ratio, "floor": side.peer.floor, "holds": self.holds(side)}
        return content


def measure(peers: Path, rounds: int, progress: Callable[[str], None] = lambda _: None) -> Throughput:
    """Measures every side that is there.

    Args:
      peers: folder of the virtual environment with the peers' packages.
      rounds: measurements of each side.
      progress: is told what is being done.

    Raises:
      UserError: `rounds` is not positive, or our own workers fail.
    """
    if rounds < 1:
        raise UserError(f"--rounds must be at least 1, not {rounds}")
    task, protocol = tasks.get(TASK), Protocol()
    with ExitStack() as stack:
        progress("starting every side")
        data = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "train.npz"
        np.savez(data, **task.data().train)
        servers = [_Server(peer, _interpreter(peer, peers), data) for peer in PEERS]
        for server in servers:
            stack.callback(server.stop)
        workers = stack.enter_context(pool(list(machine.cores())))
        _ours(workers, Train(task, OPTIMIZER, protocol, seconds=0.01))
        for server in servers:
            server.start()
        ours: list[Sample] = []
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            time.sleep(SETTLE_S)
            ours.append(_ours(workers, Train(task, OPTIMIZER, protocol, MEASURE_S)))
            for server in servers:
                server.measure()
        return Throughput([Side(OURS, ours), *(server.side for server in servers)], len(workers.workers))


@dataclass(frozen=True)
class Train:
    """Whole training runs by the compiled program, one after another until they have taken `seconds`."""

    task: Task
    optimizer: str
    protocol: Protocol
    seconds: float

    def __call__(self) -> Taken:
        """Compiles where this process has not yet, and trains."""
        program = _program(self.task, self.optimizer, self.protocol)
        start, hparams = program.start(0, "0"), program.optimizer.start
        steps, wall, cpu = 0, time.perf_counter(), time.process_time()
        while (elapsed := time.perf_counter() - wall) < self.seconds or not steps:
            if not program.train(start, hparams).distance(start) > 0:
                raise RuntimeError("the parameters did not move")
            steps += self.task.steps
        return Taken(steps, elapsed, time.process_time() - cpu)


@lru_cache
def _program(task: Task, optimizer: str, protocol: Protocol) -> "Program":
    import optimizers
    from bench.program import compile_program

    return compile_program(task, optimizers.get(optimizer), protocol)


def _ours(workers: Pool, job: Train) -> Sample:
    """One measurement with every worker at work; they end within one run of each other."""
    idle = set(range(len(workers.workers)))

    def draw(number: int) -> tuple[int, Train] | None:
        if number not in idle:
            return None
        idle.remove(number)
        return number, job

    outcomes = [ended.outcome for ended in workers.run(draw, TIMEOUT_S) if ended is not None]
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise UserError(f"a worker failed: {outcome.reason}")
    return Sample(outcomes)


def _interpreter(peer: Peer, peers: Path) -> Path:
    if peer.own:
        return Path(sys.executable)
    return peers / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


class _Server:
    """A peer's process, asked for one measurement a round; what goes wrong with it is kept, not raised."""

    def __init__(self, peer: Peer, python: Path, data: Path) -> None:
        self.peer = peer
        self._samples: list[Sample] = []
        self._absent = self._failed = ""
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by stop()
        self._process: subprocess.Popen[str] | None = None
        if not python.exists():
            self._absent = f"there is no {python}"
            return
        command: list[str | Path] = [python, SERVE, peer.program, data, str(EPOCHS), json.dumps(dict(peer.options))]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "JAX_PLATFORMS": fingerprint.platform()},
        )

    def start(self) -> None:
        """Waits until the process is warm."""
        if self._process is not None and (answer := self._answer()) is not None and "absent" in answer:
            self._absent = f"{answer['absent']} is not installed there"

    def measure(self) -> None:
        """Adds a measurement, if the side is there."""
        if self._process is None or self._absent or self._failed:
            return
        time.sleep(SETTLE_S)
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.write(f"{MEASURE_S}\n")
            self._process.stdin.flush()
        if (answer := self._answer()) is not None:
            self._samples.append(Sample([Taken(**answer)]))

    def _answer(self) -> dict[str, Any] | None:
        """The process's next line; None where it died or said nothing in time, which is then why it failed."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        alarm = threading.Timer(TIMEOUT_S, process.kill)
        alarm.start()
        line = process.stdout.readline()
        alarm.cancel()
        if line:
            return dict(json.loads(line))
        process.wait()
        self._errors.seek(0)
        words = self._errors.read().strip().splitlines()
        self._failed = words[-1] if words else f"exit status {process.returncode}"
        return None

    @property
    def side(self) -> Side:
        """What came of it; the samples of one that failed do not count."""
        return Side(self.peer.name, () if self._failed else tuple(self._samples), self.peer, self._absent, self._failed)

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._errors.close()
