"""Runs that are killed, interrupted and shared: nothing that was computed is lost, and nothing is done twice."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import bench
from bench import claims, records, results
from bench.claims import FOLDER as CLAIMS
from bench.claims import Claims
from bench.errors import UserError

ROOT = Path(__file__).parent.parent
OPTIMIZERS = ("sgd", "adam", "rmsprop", "lion")
ASKED = {"tasks": ["breast_cancer", "diabetes"], "replicates": 4, "trials": 4, "seeds": 2, "steps": 60}
UNITS = len(OPTIMIZERS) * 2 * 4
CODE = "import sys, bench; bench.run('smoke', out=sys.argv[1], optimizers=sys.argv[2:], timed=False, **{asked})"
SLOW = pytest.mark.slow
# Where there is no /proc nothing tells which processes are a run's workers, whose end these tests are about.
FINDS = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers in /proc")


def begun(folder: Path, optimizers: Sequence[str] = OPTIMIZERS) -> subprocess.Popen[bytes]:
    """A run in a process of its own."""
    command = [sys.executable, "-c", CODE.format(asked=ASKED), str(folder), *optimizers]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


def stamps(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (folder / "units").glob("*.npz")}


def wait_for(folder: Path, units: int, process: subprocess.Popen[bytes]) -> None:
    """Until so many units are there."""
    while len(stamps(folder)) < units and process.poll() is None:
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Processes that a process started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(status.parent.name))
    return found


def workers(pid: int) -> list[int]:
    """Those of them that lead a session of their own, as workers do."""
    return [child for child in children(pid) if os.getsid(child) == child]


def same(folder: Path, other: Path) -> None:
    """Fails unless two runs hold the same arrays."""
    ours, theirs = (records.read_all(each)[0] for each in (folder, other))
    assert [unit.name for unit in ours] == [unit.name for unit in theirs]
    for mine, its in zip(ours, theirs, strict=True):
        assert mine.arrays.keys() == its.arrays.keys()
        for name, array in mine.arrays.items():
            np.testing.assert_array_equal(array, its.arrays[name], err_msg=f"{mine.name} {name}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    bench.run("smoke", out=folder, optimizers=OPTIMIZERS, timed=False, **ASKED)
    return folder


@SLOW
@FINDS
def test_a_run_killed_twenty_times_ends_the_same(undisturbed: Path, tmp_path: Path) -> None:
    folder, rng = tmp_path / "run", random.Random(20)
    kept: dict[str, int] = {}
    for _ in range(20):
        process = begun(folder)
        wait_for(folder, min(len(kept) + rng.choice([0, 1, 1, 2]), UNITS), process)
        time.sleep(rng.uniform(0.0, 0.6))
        at_hand = workers(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        now = stamps(folder)
        assert kept.items() <= now.items()  # what was there is neither gone nor made again
        kept = now
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in at_hand) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in at_hand)  # no worker outlives its run
    assert begun(folder).wait() == 0
    assert kept.items() <= stamps(folder).items()
    same(folder, undisturbed)
    assert not (folder / CLAIMS).exists()


@SLOW
@FINDS
def test_workers_that_are_killed_cost_what_they_were_at(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun(folder)
    for units, number in ((3, 0), (8, 1)):
        wait_for(folder, units, process)
        victims = workers(process.pid)
        before = stamps(folder)
        os.kill(victims[min(number, len(victims) - 1)], signal.SIGKILL)
        time.sleep(0.3)
        assert before.items() <= stamps(folder).items()
    assert process.wait() == 0
    assert not results.load(folder).manifest["failed"]
    same(folder, undisturbed)


@SLOW
def test_two_runs_on_one_folder_share_the_work(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    both = [begun(folder), begun(folder)]
    seen: dict[str, set[int]] = {}
    while any(process.poll() is None for process in both):
        for name, stamp in stamps(folder).items():
            seen.setdefault(name, set()).add(stamp)
        time.sleep(0.01)
    assert [process.wait() for process in both] == [0, 0]
    assert all(len(times) == 1 for times in seen.values())  # each unit was written once
    same(folder, undisturbed)
    assert not results.load(folder).manifest["failed"]


@SLOW
def test_a_run_takes_over_what_another_left(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = begun(folder)
    wait_for(folder, 1, first)
    second = begun(folder)
    wait_for(folder, 4, first)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait() == 0
    same(folder, undisturbed)


COMMAND = (*(sys.executable, "-m", "bench", "run", "--suite", "smoke"), *("--optimizers", ",".join(OPTIMIZERS)))
LONG = ("--replicates", "4", "--trials", "40", "--steps", "3000", "--seeds", "2")


class Command:
    """A command at work on units of some seconds, and what it has said so far."""

    def __init__(self, folder: Path) -> None:
        self.run, self._told = folder / "run", [folder / name for name in ("out", "err")]
        with self._told[0].open("wb") as out, self._told[1].open("wb") as err:
            command = [*COMMAND, *LONG, "--out", str(self.run)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, start_new_session=True)

    @property
    def out(self) -> str:
        return self._told[0].read_text()

    @property
    def err(self) -> str:
        return self._told[1].read_text()

    def says(self, words: str) -> None:
        """Waits until it has said so."""
        while words not in self.out:
            assert self.process.poll() is None, self.err
            time.sleep(0.02)

    def ended(self) -> None:
        """Waits for its end, after which it has said how to go on, and left nothing torn."""
        assert self.process.wait(timeout=60) == 130
        assert self.err == "interrupted; what was finished is kept, and the same command goes on from there\n"
        assert not records.read_all(self.run)[1]
        assert not list(self.run.rglob("*.tmp"))
        assert results.read_manifest(self.run) is not None


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """One that has finished a unit and is at others."""
    command = Command(tmp_path)
    command.says("[1/")
    time.sleep(0.5)
    yield command
    command.process.kill()
    command.process.wait()


def test_ctrl_c_finishes_what_is_at_hand(command: Command) -> None:
    os.killpg(command.process.pid, signal.SIGINT)  # as a terminal does it
    command.ended()
    before, after = command.out.split("stopping: nothing new is begun; waiting for ")
    assert after.count("\n[") == int(after.split()[0]) > 0  # what was at hand, and no more
    assert len(stamps(command.run)) == (before + after).count("\n[")


@pytest.mark.slow
def test_ctrl_c_twice_stops_at_once(command: Command) -> None:
    command.process.send_signal(signal.SIGINT)
    command.says("stopping")
    before = stamps(command.run)
    command.process.send_signal(signal.SIGINT)
    command.ended()
    assert stamps(command.run) == before


def test_a_claim_is_held_by_one(tmp_path: Path) -> None:
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take("a")
    assert first.take("a")
    assert not second.take("a")
    assert second.take("b")
    first.release("a")
    assert second.take("a")
    second.close()
    first.close()
    assert not (tmp_path / CLAIMS).exists()


def test_a_claim_is_waited_for_until_it_is_let_go_or_nobody_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "PATIENCE_S", 0.0)
    monkeypatch.setattr(claims, "LOOK_S", 0.0)
    first, second = Claims(tmp_path), Claims(tmp_path)
    assert first.take("a")
    said: list[str] = []
    stops = iter([False, False, False, True])
    assert not second.wait("a", lambda: next(stops), lambda: said.append("waiting"))
    assert said == ["waiting"]

    def let_go() -> bool:
        first.release("a")
        return False

    assert second.wait("a", let_go, lambda: None)
    assert not first.take("a")
    second.close()


def test_a_claim_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match="run"):
        Claims(tmp_path / "run")
