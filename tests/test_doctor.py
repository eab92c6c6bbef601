"""`optgrid doctor`: every kind of trouble is named, and nothing is touched."""

import json
import shutil
from pathlib import Path

import pytest

import bench
from bench import records
from bench.__main__ import main
from bench.doctor import examine
from bench.records import Record


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doctor") / "run"
    smallest = {"replicates": 2, "trials": 2, "seeds": 2, "steps": 20}
    bench.run("smoke", optimizers=["sgd", "adam"], out=folder, timed=False, **smallest)
    return folder


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "run"))


def said(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    status = main(["doctor", str(folder)])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    return status, capsys.readouterr().out


def test_a_whole_run_is_sound(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, words = said(folder, capsys)
    assert status == 0
    assert "8 of 8 units are whole and current" in words
    assert "cells without a step time, would be timed: 4" in words
    assert words.endswith("nothing is wrong\n")


def test_every_trouble_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    units = folder / "units"
    cut, gone = (f"breast_cancer--sgd--r0{replicate}" for replicate in range(2))
    (units / f"{cut}.npz").write_bytes((units / f"{cut}.npz").read_bytes()[:-100])
    (units / f"{gone}.npz").unlink()
    old = units / "diabetes--sgd--r00.npz"
    unit = records.read(old)
    old.write_bytes(records.encode(Record({**unit.meta, "fingerprint": "other"}, unit.arrays)))
    fewer = units / "diabetes--adam--r00.npz"
    fewer.write_bytes(records.encode(records.read(fewer).first_seeds(1)))
    moved = units / "diabetes--adam--r07.npz"
    shutil.copy(units / "diabetes--adam--r01.npz", moved)
    (units / "notes.txt").write_text("mine")
    status, words = said(folder, capsys)
    assert status == 1
    assert "4 of 8 units are whole and current" in words
    assert f"  {cut}: not a record" in words
    assert f"not there, would be computed: 1\n  {gone}" in words
    assert "computed again: 1\n  diabetes--sgd--r00" in words
    assert "would be added to: 1\n  diabetes--adam--r00" in words
    assert "  diabetes--adam--r07.npz: holds diabetes--adam--r01\n  notes.txt" in words


def test_what_was_not_asked_for_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, "optimizers": ["adam"]}))
    status, words = said(folder, capsys)
    assert status == 0
    assert "the last command did not ask for, kept: 4" in words


def test_an_optimizer_of_which_only_the_name_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, "optimizers": ["adam", "mine"]}))
    status, words = said(folder, capsys)
    assert status == 1
    assert "not known to be current: 1\n  mine: where its file is was not kept" in words
    assert examine(folder).plan.missing == []


def test_no_run_is_a_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(tmp_path)]) == 2
    assert "there is no run in" in capsys.readouterr().err
