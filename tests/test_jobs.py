"""Jobs: as many lanes as memory allows, and what is refused before it runs."""

import os
from pathlib import Path

import numpy as np
import pytest

from bench import jobs, machine, records, sweep, tasks
from bench.errors import UserError
from bench.fingerprint import fingerprint
from bench.jobs import SweepJob, needs, scratch
from bench.program import Program
from bench.protocol import Protocol
from bench.records import Record
from bench.worker import workplace

PROTOCOL = Protocol(trials=3, seeds=2, steps=30)
TASK = "diabetes"
AGREE = 1e-4  # of a loss, between widths: their products round differently, which 30 steps amplify


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTGRID_LANES", "8")
    monkeypatch.setattr(jobs, "_widths", {})


def job() -> SweepJob:
    return SweepJob(TASK, "momentum", PROTOCOL, {0: None}, fingerprint(tasks.get(TASK, 30), "momentum", PROTOCOL))


def program(lanes: int) -> Program:
    return jobs._program(TASK, "momentum", PROTOCOL, job().fingerprint, lanes)


def swept() -> Record:
    [record] = job()().records
    return records.decode(record)


def close(one: Record, other: Record) -> None:
    for name, array in one.arrays.items():
        np.testing.assert_allclose(other.arrays[name], array, rtol=AGREE, atol=AGREE, err_msg=name)


@pytest.mark.slow
def test_wider_programs_need_more() -> None:
    needed = [needs(program(lanes)) for lanes in (1, 2, 4, 8)]
    assert 0 < needed[0] < needed[1] < needed[2] < needed[3]


def test_as_many_lanes_as_there_is_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = swept()
    assert wide.meta["lanes"] == 8
    monkeypatch.setattr(jobs, "room", lambda: needs(program(2)))
    narrow = swept()
    assert narrow.meta["lanes"] == 2
    close(wide, narrow)
    assert narrow.meta["fingerprint"] == wide.meta["fingerprint"]  # the width that was asked for


def test_what_does_not_fit_alone_is_refused_before_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "room", lambda: 1000.0)
    monkeypatch.setattr(sweep, "sweep", lambda *_: pytest.fail("it ran"))
    with pytest.raises(UserError, match=r"momentum on diabetes needs .*B of memory .* may take 1 kB; --memory allows"):
        swept()


def test_lanes_are_halved_as_long_as_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, real = [], sweep.sweep

    def exhausted(program: Program, *others: object) -> list[Record]:
        tried.append(program.lanes)
        if program.lanes > 2:
            raise RuntimeError("RESOURCE_EXHAUSTED: out of memory while trying to allocate 80 GB")
        return real(program, *others)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(sweep, "sweep", exhausted)
    assert swept().meta["lanes"] == 2
    assert tried == [8, 4, 2]
    swept()
    assert tried == [8, 4, 2, 2]  # it is not tried anew for each replicate


def test_memory_that_does_not_suffice_for_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> list[Record]:
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(sweep, "sweep", exhausted)
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        swept()


def test_other_errors_are_not_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def broken(*_: object) -> list[Record]:
        tried.append(1)
        raise ValueError("no")

    monkeypatch.setattr(sweep, "sweep", broken)
    with pytest.raises(ValueError, match="no"):
        swept()
    assert tried == [1]


def test_somebodys_code_works_in_an_empty_directory_and_leaves_it_so(tmp_path: Path) -> None:
    here = Path.cwd()
    with scratch("mine.py"):
        assert not list(Path.cwd().iterdir())
        assert Path.cwd() != here
    assert Path.cwd() == here
    with (
        pytest.raises(UserError, match=r"the code of mine.py wrote note.txt into its working directory"),
        scratch("mine.py"),
    ):
        Path("note.txt").write_text("hello")
    assert Path.cwd() == here
    assert not (here / "note.txt").exists()


def test_a_directory_that_a_killed_worker_left_is_not_held_against_anybody() -> None:
    folder = workplace(os.getpid())
    folder.mkdir()
    (folder / "old.txt").write_text("of another")
    with scratch("mine.py"):
        assert not list(folder.iterdir())
    assert not folder.exists()


def test_a_job_says_whose_code_it_runs() -> None:
    def own(task: str, optimizer: str) -> set[str]:
        return set(SweepJob(task, optimizer, PROTOCOL, {0: None}, "").own)

    assert own("diabetes", "ema:adam(b1=0.5)") == own("digits(batch_size=4)", "optax:sgd") == set()
    assert own("tasks/mine.py", "lookahead:rules/mine.py") == {"tasks/mine.py", "lookahead:rules/mine.py"}
    assert own("diabetes", "pkg.mod:rule") == {"pkg.mod:rule"}


def test_updates_of_another_kind_than_the_parameters_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "half.py"
    file.write_text(
        "import jax\nimport jax.numpy as jnp\nimport optax\n\n\ndef half(learning_rate=0.1):\n"
        "    cast = lambda u, s, p=None: (jax.tree.map(lambda g: (-learning_rate * g).astype(jnp.float16), u), s)\n"
        "    return optax.GradientTransformation(lambda p: optax.EmptyState(), cast)\n"
    )
    expected = fingerprint(tasks.get(TASK, 30), str(file), PROTOCOL)
    with pytest.raises(UserError, match=r"half: updates\['bias'\] was float32\[2\] and becomes float16\[2\]"):
        SweepJob(TASK, str(file), PROTOCOL, {0: None}, expected)()


def test_a_bound_is_an_allowance() -> None:
    assert machine.allowance() > 0
