"""Workers: what they are given comes back, and one that fails, dies or hangs costs its own job only."""

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench import fingerprint, machine, tasks, worker
from bench.errors import UserError
from bench.machine import Slot
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
class Hoard:
    """Takes memory until there is none; what is taken is touched, a little at a time or all at once."""

    chunk: int

    def __call__(self) -> int:
        held = []
        while True:
            held.append(bytearray(self.chunk))


@dataclass(frozen=True)
class Breed:
    """Starts a process that would outlive it, and dies or waits."""

    file: Path
    then: Job

    def __call__(self) -> Any:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        self.file.write_text(str(child.pid))
        return self.then()


@dataclass(frozen=True)
class Cores:
    def __call__(self) -> set[int]:
        return os.sched_getaffinity(0)


@dataclass(frozen=True)
class Odd:
    """Raises what no program should."""

    kind: str

    def __call__(self) -> None:
        class Unsaid(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise {"interrupt": KeyboardInterrupt, "unsaid": Unsaid, "none": UserError, "exit": GeneratorExit}[self.kind]()


@dataclass(frozen=True)
class Long:
    def __call__(self) -> None:
        raise ValueError("x" * 10**7)


@dataclass(frozen=True)
class Fork:
    """Makes a copy of the worker, which waits or goes on as the worker does; then the worker goes on or leaves."""

    waits: bool
    leaves: bool

    def __call__(self) -> int:
        if os.fork() == 0 and self.waits:
            time.sleep(60)
        if self.leaves:
            os._exit(4)
        return os.getpid()


@dataclass(frozen=True)
class Scribble:
    """Writes into whatever is open, the worker's pipe too, or closes it."""

    closes: bool

    def __call__(self) -> None:
        for number in range(3, 64):
            with suppress(OSError):
                if self.closes:
                    os.close(number)
                elif stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, b"\x00\x00\x00\x05abcde")
        time.sleep(60 if not self.closes else 0)


@dataclass(frozen=True)
class Mine:
    """Somebody's code, which leaves its mark on the process."""

    own: frozenset[str]

    def __call__(self) -> str:
        before = os.environ.get("MARK", "")
        os.environ["MARK"] = before + "".join(sorted(self.own))
        return before


def outcomes(jobs: list[Job], workers: int = 1, timeout: float = 30.0) -> list[Any]:
    waiting = list(enumerate(jobs))
    with pool([Slot()] * workers) as team:
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
    assert killed.reason == "its worker process was ended by SIGKILL; too little memory is the usual cause"
    assert killed.lost
    assert left.reason == "its code ended the worker process (exit status 3)"
    assert not left.lost
    assert told == Failure("yours")


def test_whatever_a_job_raises_is_a_reason_of_a_line() -> None:
    *odd, long = outcomes([*map(Odd, ("interrupt", "unsaid", "none", "exit")), Long()])
    assert [failure.reason for failure in odd] == [
        "KeyboardInterrupt",
        "Unsaid, which cannot be put into words",
        "for no reason that it gave",
        "GeneratorExit",
    ]
    assert len(long.reason) == worker.LONGEST
    assert len(long.details) == worker.DETAILS


# What is tested is a job that forks, which a job cannot do there.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_job_that_forks_answers_once() -> None:
    forked, after, left, last = outcomes([Fork(False, False), Answer(7), Fork(True, True), Answer(8)], timeout=20)
    assert isinstance(forked, int)
    assert (after, last) == (7, 8)
    assert left.reason == "its code ended the worker process (exit status 4)"


def test_a_job_that_breaks_the_pipe_costs_itself_only() -> None:
    written, after, _, last = outcomes([Scribble(False), Answer(9), Scribble(True), Answer(10)], timeout=20)
    assert "broke the worker's answer" in written.reason
    assert (after, last) == (9, 10)


def test_somebodys_code_leaves_nothing_to_others() -> None:
    mine, both, none = (Mine(frozenset(names)) for names in ("a", "ab", ""))
    assert outcomes([none, mine, mine, both, none, none]) == ["", "", "a", "aa", "", ""]


def test_a_job_that_hangs_is_stopped_in_time() -> None:
    begin = time.monotonic()
    hung, after = outcomes([Hang(), Answer(3)], timeout=2)
    assert hung.reason == "stopped after 2 s; --timeout allows more"
    assert after == 3
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("chunk", [10**6, 10**9])
def test_memory_is_bounded(chunk: int) -> None:
    waiting: list[Job] = [Hoard(chunk), Answer(4)]
    with pool([Slot(memory=machine.LEAST)]) as team:
        drawn = team.run(lambda worker: ("", waiting.pop(0)) if waiting else None, lambda _: 60.0)
        hoarded, after = [ended.outcome for ended in drawn if ended is not None]
    assert "--memory allows more" in hoarded.reason
    assert not hoarded.lost
    assert after == 4


@pytest.mark.parametrize("how", ["-", "script.py"])
def test_workers_that_cannot_start_are_said_once(tmp_path: Path, how: str) -> None:
    code = "import bench\nbench.run('smoke', out='run', replicates=50, timed=False)\n"
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, how],
        cwd=tmp_path,
        input=code,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 1
    assert "UserError: a worker process could not start (exit status 1)" in done.stderr
    assert done.stderr.count("a worker process could not start") == 1
    assert not (tmp_path / "run" / "failures").exists()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# Elsewhere the process's end cannot be seen, as it is nobody's child by then.
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("then", [Hang(), Leave()])
def test_what_a_job_started_ends_with_its_worker(tmp_path: Path, then: Job) -> None:
    outcomes([Breed(tmp_path / "pid", then)], timeout=2)
    end = time.monotonic() + 5  # for the system to do it
    while alive(int((tmp_path / "pid").read_text())) and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_worker_that_died_idle_is_replaced() -> None:
    with pool([Slot()]) as team:
        [member] = team._workers
        os.kill(member.process.pid or 0, signal.SIGKILL)
        member.process.join()
        waiting: list[Job] = [Answer(5)]
        drawn = team.run(lambda worker: ("", waiting.pop(0)) if waiting else None, lambda _: 30.0)
        assert [ended.outcome for ended in drawn if ended is not None] == [5]


def test_idle_workers_are_asked_again_while_there_may_be_more() -> None:
    asked = iter([None, None, ("late", Answer(6))])
    state = {"more": True}

    def draw(worker: int) -> tuple[str, Job] | None:
        del worker
        drawn = next(asked, None)
        state["more"] = state["more"] and drawn is None
        return drawn

    with pool([Slot()]) as team:
        ended = [e for e in team.run(draw, lambda _: 30.0, lambda: state["more"]) if e is not None]
    assert [e.outcome for e in ended] == [6]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system cannot pin processes")
def test_a_worker_keeps_to_its_core() -> None:
    core = min(os.sched_getaffinity(0))
    waiting = [("", Cores())]
    with pool([Slot(core)]) as team:
        ended = [
            e
            for e in team.run(lambda worker: waiting.pop() if waiting else None, lambda _: 30.0)
            if isinstance(e, Ended)
        ]
    assert ended[0].outcome == {core}


def test_workers_are_pinned_on_a_cpu_and_share_each_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = machine.cores()
    assert [slot.core for slot in machine.slots()] == cores
    assert [slot.core for slot in machine.slots(1)] == cores[:1]
    assert [slot.core for slot in machine.slots(len(cores) + 1)] == [None] * (len(cores) + 1)
    assert {slot.device for slot in machine.slots()} == {None}
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 5")
    monkeypatch.setattr(machine, "cores", lambda: list(range(16)))
    assert [slot.device for slot in machine.slots()] == ["2", "5"] * machine.SHARERS
    assert {slot.core for slot in machine.slots()} == {None}
    assert [slot.device for slot in machine.slots(3)] == ["2", "5", "2"]
    assert worker.environment(machine.slots(2)[1])["CUDA_VISIBLE_DEVICES"] == "5"
    with pytest.raises(UserError, match="--workers must be at least 1"):
        machine.slots(0)


def test_memory_is_shared_equally_unless_it_is_given() -> None:
    assert [slot.memory for slot in machine.slots(2, 2 * 10**9)] == [2 * 10**9] * 2
    each = machine.slots(2)[0].memory
    assert each is not None
    assert machine.LEAST <= each <= max(machine.LEAST, machine.total_memory() / 2)
    with pytest.raises(UserError, match=r"--memory must be at least 1\.07 GB, which any worker needs, not 2 kB"):
        machine.slots(2, 2000)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2000000000", 2 * 10**9), ("4GB", 4 * 10**9), ("512 MiB", 2**29), ("1.5g", 1.5e9), (" 2TiB ", 2**41)],
)
def test_sizes_are_read_as_they_are_written(text: str, size: int) -> None:
    assert machine.size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "4 apples", "1e9", "nan"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(UserError, match=f"a size is a number and a unit, as in 4GB or 512MiB, not '{text}'"):
        machine.size(text)


def test_an_accelerator_has_wide_programs_and_flags_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    assert fingerprint.lanes() == fingerprint.WIDE > 1
    assert worker.environment(Slot())["JAX_DEFAULT_MATMUL_PRECISION"] == "float32"
    flags = worker.environment(Slot())["XLA_FLAGS"]
    assert flags == f"{fingerprint.FLAGS['cuda']} --xla_dump_to=here"
    monkeypatch.setenv("XLA_FLAGS", flags)  # as a worker's own children see it
    assert worker.environment(Slot())["XLA_FLAGS"] == flags


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
def test_a_worker_has_the_fingerprint_that_its_parent_asked_for(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", platform)
    asked = fingerprint.fingerprint(tasks.get("diabetes"), "sgd", Protocol())
    for name, value in worker.environment(Slot()).items():
        monkeypatch.setenv(name, value)
    assert fingerprint.fingerprint(tasks.get("diabetes"), "sgd", Protocol()) == asked


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "99999"])
def test_lanes_are_a_number(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("OPTGRID_LANES", text)
    with pytest.raises(UserError, match=f"OPTGRID_LANES must be a whole number .* not '{text}'"):
        fingerprint.lanes()
