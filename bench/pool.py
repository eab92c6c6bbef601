"""Worker processes, one to a core: jobs in, outcomes out. A worker that dies or overruns fails its own job only."""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from bench import machine
from bench.errors import UserError
from bench.machine import Slot
from bench.worker import Failure, Job, Ready, own, serve, workplace

Tag = TypeVar("Tag")
Draw = Callable[[int], tuple[Tag, Job] | None]
TICK_S = 0.25
START_S = 120.0  # until a process is ready
OUTSIDE = {-number for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}

_spawn = multiprocessing.get_context("spawn")


@dataclass
class Worker:
    """One process that does one job at a time; restarted when it has died or was stopped, and where it `has` run code
    that is no part of the next job: that may have changed anything, such as the width of JAX's numbers."""

    slot: Slot
    process: BaseProcess = field(init=False)
    pipe: Connection = field(init=False)
    since: float = 0.0
    ready: bool = False
    has: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.ready, self.has = False, frozenset()
        self.pipe, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=serve, args=(theirs, self.slot), daemon=True)
        self.process.start()
        theirs.close()

    def submit(self, job: Job) -> None:
        """Gives an idle worker something to do; one that has died meanwhile is replaced."""
        if not self.has <= own(job):
            self.restart()
        self.has |= own(job)
        self.since = time.monotonic()
        try:
            self.pipe.send(job)
        except (BrokenPipeError, ConnectionResetError):
            self.restart()
            self.has = own(job)
            self.pipe.send(job)

    def outcome(self) -> Any:
        """What the job gave, or READY; a Failure where the process died at it, in which case there is a new one.

        Raises:
          UserError: the process ended by itself before it was ready, as every other would.
        """
        try:
            if not self.pipe.poll():
                raise EOFError  # it has died, and what it started holds its pipe
            told = self.pipe.recv()
        except (EOFError, OSError):
            return self._died()
        except Exception as error:  # somebody's code wrote into the pipe
            self.restart()
            return Failure(f"its code broke the worker's answer ({type(error).__name__})", repeats=False)
        if isinstance(told, Ready):
            self.ready, self.since = True, time.monotonic()  # the start is not the job's
        return told

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return not self.process.is_alive()

    def _died(self) -> Failure:
        self.process.join(timeout=5)
        code, began = self.process.exitcode, self.ready
        if not began and code is not None and code > 0:
            raise UserError(
                f"a worker process could not start (exit status {code}); it says why above. A script must be a "
                'file, and must call bench.run under `if __name__ == "__main__":`'
            )
        self.restart()
        if code is None:
            return Failure("its code closed the worker's pipe", repeats=False)
        if code >= 0:
            return Failure(f"its code ended the worker process (exit status {code})", repeats=False)
        name = signal.Signals(-code).name
        memory = "; too little memory is the usual cause" if -code in (signal.SIGKILL, signal.SIGABRT) else ""
        return Failure(f"its worker process was ended by {name}{memory}", repeats=False, lost=code in OUTSIDE)

    def overrun(self, allowed: float) -> Failure | None:
        """Why the worker must be stopped, if it has taken more seconds than allowed, or more memory."""
        if time.monotonic() - self.since > (allowed if self.ready else max(allowed, START_S)):
            return Failure(f"stopped after {allowed:g} s; --timeout allows more")
        if self.slot.memory is not None and machine.taken(self.process.pid or 0) > self.slot.memory:
            return Failure(f"took more memory than {machine.shown(self.slot.memory)}; --memory allows more")
        return None

    def stop(self) -> None:
        """Ends the process and all that it started, at once."""
        number = self.process.pid or 0
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGKILL)
        self.process.kill()  # it may not lead a group of its own yet
        self.process.join(timeout=10)
        self.pipe.close()
        shutil.rmtree(workplace(number), ignore_errors=True)

    def restart(self) -> None:
        """Ends the process and starts another."""
        self.stop()
        self._start()


@dataclass(frozen=True)
class Ended(Generic[Tag]):
    """A job that has ended: what it was drawn as, what it gave or a Failure, and the seconds it took."""

    tag: Tag
    outcome: Any
    seconds: float


class Team(Protocol):
    """Workers, wherever they are, that draw jobs until there are none."""

    @property
    def numbers(self) -> Collection[int]:
        """The workers that there are now."""
        ...

    @property
    def at_once(self) -> int:
        """How many of them compute at the same time, rather than take turns."""
        ...

    def place(self, file: Path) -> Path:
        """Where the workers have a file of this machine, seen from where they work."""
        ...

    def run(
        self, draw: Draw[Tag], timeout: Callable[[Tag], float], more: Callable[[], bool] = ...
    ) -> Iterator[Ended[Tag] | None]:
        """Yields each job as it ends, and None several times a second in between.

        Args:
          draw: worker's number to its next job and a tag to know it by, or None when there is nothing for it now.
          timeout: a job's tag to the seconds after which it is stopped, even inside compiled code; its outcome is a
            Failure.
          more: whether there may be something for idle workers later. Without, it is over when none has a job.
        """
        ...


class Pool:
    """A team of this machine's own processes."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = workers

    @property
    def numbers(self) -> Sequence[int]:
        """The workers that there are now."""
        return range(len(self._workers))

    @property
    def at_once(self) -> int:
        """How many of them compute at the same time, rather than take turns."""
        return len(self._workers) if machine.pinned() else max(1, len({worker.slot.device for worker in self._workers}))

    def place(self, file: Path) -> Path:
        """Where it is."""
        return file

    def run(
        self, draw: Draw[Tag], timeout: Callable[[Tag], float], more: Callable[[], bool] = lambda: False
    ) -> Iterator[Ended[Tag] | None]:
        """As a `Team` does."""
        tags: dict[int, Tag] = {}
        while True:
            for number, worker in enumerate(self._workers):
                if number not in tags and (drawn := draw(number)) is not None:
                    tags[number], job = drawn
                    worker.submit(job)
            if not tags and not more():
                return
            ready = wait([self._workers[number].pipe for number in tags], timeout=TICK_S)
            for number in list(tags):
                worker = self._workers[number]
                seconds = time.monotonic() - worker.since
                if worker.pipe in ready or worker.dead:
                    outcome = worker.outcome()
                    if isinstance(outcome, Ready):
                        continue
                elif (outcome := worker.overrun(timeout(tags[number]))) is not None:
                    worker.restart()
                else:
                    continue
                yield Ended(tags.pop(number), outcome, seconds)
            yield None


@contextmanager
def pool(slots: Sequence[Slot]) -> Iterator[Pool]:
    """A pool with a worker for each slot; ended on the way out."""
    workers = [Worker(slot) for slot in slots]
    try:
        yield Pool(workers)
    finally:
        for worker in workers:
            worker.stop()
