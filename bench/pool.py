"""Worker processes, one to a core: jobs in, outcomes out. A worker that dies or overruns fails its own job only."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from bench.worker import Failure, Job, serve

Tag = TypeVar("Tag")
_spawn = multiprocessing.get_context("spawn")


@dataclass
class Worker:
    """One process that does one job at a time; restarted when it has died or was stopped."""

    core: int | None
    process: BaseProcess = field(init=False)
    pipe: Connection = field(init=False)
    since: float = 0.0

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = _spawn.Pipe()
        self.process = _spawn.Process(target=serve, args=(theirs, self.core), daemon=True)
        self.process.start()
        theirs.close()

    def submit(self, job: Job) -> None:
        """Gives an idle worker something to do."""
        self.since = time.monotonic()
        self.pipe.send(job)

    def outcome(self) -> Any:
        """What the job gave; a Failure where the process died at it, in which case a new one stands ready."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(timeout=5)
            code = self.process.exitcode
            self.restart()
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            return Failure(f"the worker process died ({how}); too little memory is the usual cause", repeats=False)

    def stop(self) -> None:
        """Ends the process at once."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

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


class Pool:
    """Workers that draw jobs until there are none."""

    def __init__(self, workers: list[Worker]) -> None:
        self.workers = workers

    def run(
        self, draw: Callable[[int], tuple[Tag, Job] | None], timeout: Callable[[Tag], float], tick: float = 0.25
    ) -> Iterator[Ended[Tag] | None]:
        """Yields each job as it ends, and None at least every `tick` seconds in between.

        Args:
          draw: worker's number to its next job and a tag to know it by, or None when there is nothing for it.
          timeout: a job's tag to the seconds after which it is stopped, even inside compiled code; its outcome is a
            Failure.
        """
        tags: dict[int, Tag] = {}

        def give(number: int) -> None:
            drawn = draw(number)
            if drawn is not None:
                tags[number], job = drawn
                self.workers[number].submit(job)

        for number in range(len(self.workers)):
            give(number)
        while tags:
            ready = wait([self.workers[number].pipe for number in tags], timeout=tick)
            for number in list(tags):
                worker = self.workers[number]
                seconds = time.monotonic() - worker.since
                if worker.pipe in ready:
                    outcome = worker.outcome()
                elif seconds > (allowed := timeout(tags[number])):
                    worker.restart()
                    outcome = Failure(f"stopped after {allowed:g} s; --timeout allows more")
                else:
                    continue
                yield Ended(tags.pop(number), outcome, seconds)
                give(number)
            yield None


@contextmanager
def pool(slots: list[int | None]) -> Iterator[Pool]:
    """A pool with a worker for each entry, pinned to that core where one is named; ended on the way out."""
    workers = [Worker(core) for core in slots]
    try:
        yield Pool(workers)
    finally:
        for worker in workers:
            worker.stop()
