"""Workers: what they are given comes back, and one that fails, dies or hangs costs its own job only."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import pytest

from bench import fingerprint, machine, tasks, worker
from bench.errors import UserError
from bench.pool import Ended, pool
from bench.protocol import Protocol
from bench.worker import Failure, Job


@dataclass(frozen=True)
class Answer:
    value: int

    def __call__(self) -> int:
        return self.value


@dataclass(frozen=True)
class Raise:
    error: Exception

    def __call__(self) -> None:
        raise self.error


@dataclass(frozen=True)
class Die:
    how: int

    def __call__(self) -> None:
        os.kill(os.getpid(), self.how)


@dataclass(frozen=True)
class Leave:
    def __call__(self) -> None:
        os._exit(3)


@dataclass(frozen=True)
class Hang:
    def __call__(self) -> None:
        time.sleep(60)


@dataclass(frozen=True)
class Cores:
    def __call__(self) -> set[int]:
        return os.sched_getaffinity(0)


def outcomes(jobs: list[Job], workers: int = 1, timeout: float = 30.0) -> list[Any]:
    waiting = list(enumerate(jobs))
    with pool([None] * workers) as team:
        ended = [
            e for e in team.run(lambda worker: waiting.pop(0) if waiting else None, lambda _: timeout) if e is not None
        ]
    return [end.outcome for end in sorted(ended, key=lambda end: end.tag)]


def test_faults_cost_their_own_job_only() -> None:
    good: Job = Answer(1)
    jobs = [
        good,
        Raise(ValueError("broken\nand more")),
        Die(signal.SIGKILL),
        Leave(),
        Raise(UserError("yours")),
        Answer(2),
    ]
    first, raised, killed, left, told, last = outcomes(jobs, workers=2)
    assert (first, last) == (1, 2)
    assert raised.reason == "ValueError: broken"
    assert "Traceback" in raised.details
    assert "died (signal 9)" in killed.reason
    assert "died (exit status 3)" in left.reason
    assert told == Failure("yours")


def test_a_job_that_hangs_is_stopped_in_time() -> None:
    begin = time.monotonic()
    hung, after = outcomes([Hang(), Answer(3)], timeout=6)  # starting anew counts, and takes a second or two
    assert hung.reason == "stopped after 6 s; --timeout allows more"
    assert after == 3
    assert time.monotonic() - begin < 30


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_worker_keeps_to_its_core() -> None:
    core = min(os.sched_getaffinity(0))
    waiting = [("", Cores())]
    with pool([core]) as team:
        ended = [
            e
            for e in team.run(lambda worker: waiting.pop() if waiting else None, lambda _: 30.0)
            if isinstance(e, Ended)
        ]
    assert ended[0].outcome == {core}


def test_workers_are_pinned_on_a_cpu_and_share_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = machine.cores()
    assert machine.slots() == cores
    assert machine.slots(1) == cores[:1]
    assert machine.slots(len(cores) + 1) == [None] * (len(cores) + 1)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert machine.slots() == [None] * min(machine.SHARERS, len(cores))
    assert machine.slots(2) == [None] * 2
    with pytest.raises(UserError, match="--workers must be at least 1"):
        machine.slots(0)


def test_an_accelerator_has_wide_programs_and_flags_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    assert fingerprint.lanes() == fingerprint.WIDE > 1
    assert worker.environment(None)["JAX_DEFAULT_MATMUL_PRECISION"] == "float32"
    flags = worker.environment(None)["XLA_FLAGS"]
    assert flags == f"{fingerprint.FLAGS['cuda']} --xla_dump_to=here"
    monkeypatch.setenv("XLA_FLAGS", flags)  # as a worker's own children see it
    assert worker.environment(None)["XLA_FLAGS"] == flags


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_a_worker_has_the_fingerprint_that_its_parent_asked_for(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", platform)
    asked = fingerprint.fingerprint(tasks.get("diabetes"), "sgd", Protocol())
    for name, value in worker.environment(None).items():
        monkeypatch.setenv(name, value)
    assert fingerprint.fingerprint(tasks.get("diabetes"), "sgd", Protocol()) == asked


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "99999"])
def test_lanes_are_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("OPTGRID_LANES", text)
    with pytest.raises(UserError, match=f"OPTGRID_LANES must be a whole number .* not '{text}'"):
        fingerprint.lanes()
