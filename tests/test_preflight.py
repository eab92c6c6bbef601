"""What is looked at before a run begins: nothing fails half way that could be said before."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest

import bench
from bench import files, machine, preflight, records, runner
from bench.errors import UserError
from bench.experiment import Watcher
from bench.grid import resolve
from bench.machine import Slot
from bench.runner import Plan

SMALL = {"tasks": ["diabetes"], "replicates": 2, "trials": 2, "seeds": 1, "steps": 20, "timed": False}


GOOD = "import optax\n\n\ndef mine(learning_rate=0.1):\n    return optax.sgd(learning_rate)\n"


SLOW = partial(pytest.param, marks=pytest.mark.slow)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_that_is_too_small_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6 - 5000, 5000))
    with pytest.raises(UserError, match=r"needs about .* for 4 units, and its disk has 5 kB; free some, or choose"):
        bench.run("smoke", optimizers=["sgd", "adam"], out=tmp_path / "not/yet/there", **SMALL)
    assert not (tmp_path / "not").exists()


def test_what_is_asked_of_the_disk_is_what_records_take(tmp_path: Path) -> None:
    bench.run("smoke", optimizers=["sgd"], out=tmp_path / "run", **SMALL)
    grid = resolve("smoke", ["diabetes"], ["sgd"], trials=2, seeds=1, steps=20)
    taken = sum(path.stat().st_size for path in (tmp_path / "run/units").iterdir())
    asked: list[int] = []

    def usage(path: Path) -> Usage:
        asked.append(1)
        return Usage(10**9, 0, taken // 4)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", usage)
        with pytest.raises(UserError):
            preflight.check_disk(tmp_path / "run", grid, 2)
        patch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, taken * 4))
        preflight.check_disk(tmp_path / "run", grid, 2)
    assert asked


def test_cells_that_may_not_fit_are_named() -> None:
    grid = resolve("smoke")
    plan = runner.plan(
        Path("nowhere"), grid, dict.fromkeys([(t.name, o) for t in grid.tasks for o in grid.optimizers], "")
    )
    told: list[str] = []
    preflight.foresee(plan, grid, [Slot(memory=10**8)], told.append)
    assert len(told) == len(grid.tasks) * len(grid.optimizers)
    assert "sgd on breast_cancer is expected to take" in told[0]
    assert "of which a worker has 100 MB; --memory allows more" in told[0]
    told.clear()
    preflight.foresee(plan, grid, machine.slots(1), told.append)
    preflight.foresee(Plan(plan.wanted, [], [], {}), grid, [Slot(memory=1)], told.append)
    assert not told


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("while True: pass", "optimizer 'mine.py': when imported, stopped after 3 s; --timeout allows more"),
        SLOW("import os; os._exit(4)", "optimizer 'mine.py': when imported, its code ended the worker process"),
        SLOW("raise SystemExit(5)", "optimizer 'mine.py': mine.py does not import: SystemExit: 5"),
        (f"open('here.txt', 'w')\n{GOOD}", "the code of mine.py wrote here.txt into its working directory"),
        SLOW("import nothing_of_that_name", "mine.py does not import: ModuleNotFoundError"),
        SLOW("x = (", "mine.py, line 1 is not Python"),
        SLOW("", "mine.py has neither an Optimizer nor a function 'mine'"),
    ],
)
def test_own_code_that_cannot_be_had_is_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(code)
    begin = time.monotonic()
    with pytest.raises((UserError, ValueError)) as said:
        bench.run("smoke", optimizers=["mine.py"], out="run", timeout=3, **SMALL)
    assert words in str(said.value)
    assert time.monotonic() - begin < 30
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"mine.py", "run", "__pycache__"}  # Python itself keeps bytecode beside what is imported


# A user's own folders are never closed to them for long: it takes two users to test it.
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody who may not write")
@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as temporary:  # which others may look into, unlike that of pytest
        Path(temporary).chmod(0o755)
        monkeypatch.setenv("OPTGRID_CACHE", f"{temporary}/cache")
        folder = Path(temporary) / "run"
        bench.run("smoke", optimizers=["sgd"], out=folder, **SMALL)
        assert as_nobody(folder, ["sgd"]) == ""
        assert f"{folder} is not writable; choose another folder" in as_nobody(folder, ["sgd", "adam"])
        folder.chmod(0o700)
        assert f"{folder} cannot be looked into: Permission denied" in as_nobody(folder, ["sgd"])


def as_nobody(folder: Path, optimizers: list[str]) -> str:
    """The last line of what a run says of a folder that it may read only."""
    code = (
        f"import os, bench; folder, small = {str(folder)!r}, {SMALL}\n"
        "bench.run('smoke', optimizers=['sgd'], out=folder, **small)\n"  # as root, who may import what it needs
        "os.setegid(65534); os.seteuid(65534)\n"
        f"bench.run('smoke', optimizers={optimizers}, out=folder, **small)"
    )
    command, root = [sys.executable, "-c", code], Path(bench.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    return done.stderr.splitlines()[-1] if done.returncode else ""


def test_what_a_killed_command_was_writing_goes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "units").mkdir(parents=True)
    old, new = (folder / "units" / f".x.npz.{name}.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * files.ABANDONED_S,) * 2)
    bench.run("smoke", optimizers=["sgd"], out=folder, watcher=Watcher(), **SMALL)
    assert not old.exists()
    assert new.exists()  # another command may be writing it now
    assert len(records.read_all(folder)[0]) == 2
