"""Folders of runs that came from somebody else, from a full disk or from a fuzzer: every file that is not as a run
writes it is refused or made anew, by name and in one line, and nothing of it is run, waited for or believed."""

import json
import os
import re
import shutil
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench import records, results
from bench.__main__ import main
from bench.errors import UserError
from tests import filed
from tests.hostile import DEEP, MANIFESTS, TIMES, TIMINGS, UNITS

SMALL = {"replicates": 2, "trials": 2, "seeds": 2, "steps": 20}
UNIT = "diabetes--sgd--r07"  # of which there is no record but a hostile one
PEAK = 16 * 2**20  # bytes that reading a small file may take


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "run"
    bench.run("smoke", optimizers=["sgd", "adam"], out=folder, timed=False, **SMALL)
    return folder


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "run"))


def put(folder: Path, case: str, unit: str = UNIT) -> Path:
    """Writes a hostile file in place of a unit's, out of a good one's bytes."""
    path = records.unit_file(folder, unit)
    good = records.unit_file(folder, "diabetes--sgd--r00").read_bytes()
    path.unlink(missing_ok=True)
    UNITS[case][0](path, good)
    return path


@pytest.mark.parametrize("case", UNITS)
def test_a_file_that_is_no_record_is_refused_by_name(case: str, folder: Path) -> None:
    """And the others are read; reading it takes neither long nor much, and leaves nothing behind."""
    path = put(folder, case)
    before = sorted(folder.rglob("*"))
    begin = time.process_time()
    tracemalloc.start()
    try:
        whole, damaged = records.read_all(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert list(damaged) == [path.name]
    assert re.search(UNITS[case][1], damaged[path.name])
    assert damaged[path.name].isprintable()
    assert len(whole) == 8
    assert peak < PEAK
    assert time.process_time() - begin < 2
    assert sorted(folder.rglob("*")) == before


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit status, output and errors of a command."""
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_commands_name_every_file_that_is_no_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {case: put(folder, case, f"diabetes--sgd--r{10 + at}").name for at, case in enumerate(UNITS)}
    strange = os.fsencode(folder / "units") + b"/\xff\x1b[2J.npz"
    with open(strange, "wb"):  # noqa: PTH123  # a name that is no text
        pass
    status, out, err = said(capsys, "doctor", folder)
    assert (status, err) == (1, "")
    assert f"files that are no units of the run, left alone: {len(UNITS) + 1}" in out
    for name in names.values():
        assert len(re.findall(rf"^  {name}: .", out, re.MULTILINE)) == 1
    assert r"'\udcff\x1b[2J.npz': not a record" in out
    status, _, err = said(capsys, "report", folder, "--only", "page,tables")
    assert status == 0
    assert len(err.splitlines()) == len(UNITS) + 1
    for name in names.values():
        assert f"damaged: {name}: " in err
    page = (folder / "report" / "index.html").read_text()
    assert all(name in page for name in names.values())


@pytest.mark.slow
def test_what_a_run_lacks_is_computed_again_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a manifest and step times that are damaged too, and a report's stamp that is a folder."""
    broken = ("a pipe", "a link to itself", "a bomb that lies", "a floor that is not a number")
    units = [f"{task}--{name}--r01" for task in ("diabetes", "breast_cancer") for name in ("sgd", "adam")]
    for case, unit in zip(broken, units, strict=True):
        put(folder, case, unit)
    kept = {path: path.read_bytes() for path in (folder / "units").glob("*r00.npz")}
    (folder / "run.json").write_text(DEEP)
    (folder / "timings").mkdir()
    results.timing_file(folder, "diabetes").write_bytes(b"\xff\xfe")
    (folder / "report" / ".made-from").mkdir(parents=True)
    (folder / "failures" / "x.txt").mkdir(parents=True)
    status, out, err = said(capsys, "doctor", folder)
    assert (status, err) == (1, "")
    assert "made anew: 1\n  run.json: not JSON" in out
    assert all(f"  {unit}.npz: " in out for unit in units)
    status, _, err = said(capsys, "report", folder)
    assert status == 2
    assert re.fullmatch(r"optgrid: .*run\.json is damaged \(not JSON\); the same `optgrid run` makes it anew.*\n", err)
    small = [part for name, value in SMALL.items() for part in (f"--{name}", value)]
    (folder / "report" / ".made-from").rmdir()
    status, out, err = said(
        capsys, "run", "--suite", "smoke", "--optimizers", "sgd,adam", *small, "--out", folder, "--workers", 2
    )
    assert (status, err) == (0, "")
    assert "damaged and now made anew: run.json (not JSON)" in out
    assert "damaged and now made anew: timings/diabetes.json (not JSON)" in out
    assert "4 kept from before, 4 damaged and now recomputed" in out
    assert {path: path.read_bytes() for path in kept} == kept
    assert said(capsys, "doctor", folder)[0] == 0
    assert len(results.load(folder).timings) == 4


def test_a_newer_record_and_a_folder_are_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor computed, to be refused in the end."""
    small: dict[str, Any] = {**SMALL, "timed": False}
    for case, words in (("a newer schema", "r01.npz was made by a newer"), ("a folder", "is a folder, not a file")):
        path = put(folder, case, "diabetes--sgd--r01")
        with pytest.raises(UserError, match=words):
            bench.run("smoke", optimizers=["sgd", "adam"], out=folder, **small)
        status, out, _ = said(capsys, "doctor", folder)
        assert status == 1
        assert re.search(rf"not known to be current: 1\n  sgd on diabetes: .*{words}", out)
        assert "6 of 6 units are whole and current" in out
        if path.is_dir():
            path.rmdir()


def test_records_that_do_not_go_together_are_told_apart(tmp_path: Path) -> None:
    """Each is whole by itself, and made by the same code as it says."""
    results.write_manifest(tmp_path, filed.manifest(replicates=9))
    every = [filed.record(replicate=r) for r in range(4)]
    every.append(filed.record(replicate=4, metric="loss"))
    every.append(filed.record(replicate=5, protocol={**filed.PROTOCOL, "schedule": "cosine"}))
    every.append(filed.record({"search/train/more": np.ones((3, 2), np.float32)}, replicate=6))
    for record in every:
        records.save(tmp_path, records.encode(record), record.name)
    loaded = results.load(tmp_path)
    assert [unit.meta["replicate"] for unit in loaded.units] == [0, 1, 2, 3]
    assert {name: why.split()[-2:] for name, why in loaded.damaged.items()} == {
        "t--o--r04.npz": ["other", "records"],
        "t--o--r05.npz": ["than", "run.json"],
        "t--o--r06.npz": ["other", "records"],
    }


# The manifest and step times


@pytest.mark.parametrize("case", MANIFESTS)
def test_a_manifest_that_cannot_be_read_is_named_and_the_units_are_kept(
    case: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = MANIFESTS[case]
    path = folder / "run.json"
    if isinstance(content, dict):
        content = {**json.loads(path.read_text()), **content}
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    status, _, err = said(capsys, "report", folder)
    assert status == 2
    assert re.fullmatch(rf"optgrid: \S+run\.json is damaged \({words}\); .* units are kept\n", err)
    status, out, err = said(capsys, "doctor", folder)
    assert (status, err) == (1, "")
    assert f"made anew: 1\n  run.json: {words}\n" in out
    assert "did not ask for, kept: 8" in out
    assert list(results.before(folder, [])[1]) == ["run.json"]


@pytest.mark.parametrize("name", ["a pipe", "a folder", "a link to itself", "a terabyte"])
def test_a_manifest_that_is_no_file_is_named(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "run.json").unlink()
    UNITS[name][0](folder / "run.json", b"")
    assert said(capsys, "doctor", folder)[0] == 1
    status, _, err = said(capsys, "report", folder)
    assert status == 2
    assert re.fullmatch(r"optgrid: \S+run\.json is damaged .*\n", err)


def test_a_newer_manifest_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**manifest, "schema": 2, "tasks": 5}))
    for verb in ("report", "doctor", "export"):
        more = ["-o", folder / "tables"] if verb == "export" else []
        status, _, err = said(capsys, verb, folder, *more)
        assert status == 2
        assert re.fullmatch(r"optgrid: \S+run\.json was made by a newer optgrid \(schema 2, not 1\); .*\n", err)


def test_no_name_in_a_manifest_makes_the_doctor_run_code(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    for name in ("evil.py", "evil_package.py"):
        (folder / name).write_text(f"open({str(folder / 'ran')!r}, 'w')")
    manifest = json.loads((folder / "run.json").read_text())
    strangers = ["evil.py", "evil_package:x", "lookahead:evil_package:x", "adam(nonsense=1)", "adam((", "optax:nothing"]
    about = {"tasks": ["diabetes", "evil.py", "evil_package:x"], "optimizers": ["adam", *strangers]}
    (folder / "run.json").write_text(json.dumps({**manifest, **about}))
    status, out, err = said(capsys, "doctor", folder)
    assert (status, err) == (1, "")
    assert "2 of 2 units are whole and current" in out
    assert all(f"  {name}: " in out for name in strangers)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("case", TIMINGS)
def test_step_times_that_cannot_be_are_named_and_count_as_not_measured(case: str, tmp_path: Path) -> None:
    results.write_manifest(tmp_path, filed.manifest())
    records.save(tmp_path, records.encode(filed.record()), "t--o--r00")
    file = results.timing_file(tmp_path, "t")
    file.parent.mkdir()
    file.write_text(json.dumps({"o": TIMES}))
    assert results.load(tmp_path).timings
    content = TIMINGS[case]
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    loaded = results.load(tmp_path)
    assert not loaded.timings
    assert list(loaded.damaged) == list(results.before(tmp_path, ["t"])[1]) == ["timings/t.json"]
    assert results.read_timings(tmp_path, "t") == {}
