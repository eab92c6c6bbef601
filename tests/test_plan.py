"""`optgrid plan`, as a user types it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import optimizers
from bench import experiment, suites
from bench.__main__ import main
from bench.costs import SAME
from bench.forecast import Forecast, forecast, nothing_done
from bench.grid import resolve

ROOT = Path(__file__).parent.parent
SMALL = ("--suite", "smoke", "--steps", "10", "--trials", "2", "--seeds", "1")
FIELDS = set(Forecast.__dataclass_fields__)

Command = Callable[..., subprocess.CompletedProcess[str]]


def optgrid(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "plan", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, env={**os.environ})
    assert done.returncode == expect, (done.stdout[-2000:], done.stderr[-2000:])
    return done


def plan(*arguments: str | Path) -> dict[str, Any]:
    return json.loads(optgrid(*arguments, "--speed", "1", "--json").stdout)


def test_a_plan_says_what_a_run_will_take() -> None:
    shown = optgrid("--suite", "full", "--workers", "512", "--price", "0.04", "--speed", "1").stdout
    suite = suites.get("full")
    cells = len(suite.tasks) * len(optimizers.names())
    assert f"full: {cells:,} cells, {3 * cells:,} units" in shown
    lines = [line.split()[0] for line in shown.splitlines()[1:] if not line.startswith(" ")]
    assert lines[:6] == ["work", "time", "memory", "disk", "cost", "from"]
    words = " ".join(shown.split())
    for part in ("on 512 workers: the sweep", "at 0.04 a core-hour", "a table measured on", "nothing compiled before"):
        assert part in words


def test_a_plan_for_programs_holds_the_same() -> None:
    told = plan("--price", "2", "--workers", "3")
    assert set(told) >= FIELDS | {"suite", "price", "cost", "from", "notes"}
    assert (told["suite"], told["cells"], told["units"], told["workers"]) == ("core", 120, 360, 3)
    assert 360 * (10 + 3) < told["runs"] < 360 * (10 + 6)
    assert told["cost"] == pytest.approx(2 * told["held_s"] / 3600, abs=1e-3)
    assert told["held_s"] == pytest.approx(3 * told["sweep_s"] + told["timing_s"])
    assert told["sweep_s"] >= told["longest_s"]
    assert told["from"]["speed"] == {"training": 1.0, "compiling": 1.0}
    assert told["notes"] == []
    assert "cost" not in plan("--workers", "3")


def test_more_workers_are_never_slower_on_the_grids_that_are_shipped() -> None:
    for suite in ("smoke", "core"):
        grid = resolve(suite)
        walls = [forecast(grid, nothing_done(grid), {}, 2**n, SAME).sweep_s for n in range(1, 10)]
        assert walls == sorted(walls, reverse=True)


def test_twice_as_fast_is_half_as_long() -> None:
    once, twice = plan("--workers", "2"), json.loads(optgrid("--workers", "2", "--speed", "2", "--json").stdout)
    assert twice["sweep_s"] == pytest.approx(once["sweep_s"] / 2, rel=0.1)
    assert twice["worker_mib"] == pytest.approx(once["worker_mib"], rel=0.1)


@pytest.mark.slow
def test_what_a_folder_holds_is_not_counted(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    experiment.run("smoke", out=folder, workers=1, timed=False, trials=2, seeds=1, steps=10)
    told = plan(*SMALL, "--out", folder)
    assert (told["cells"], told["units"], told["runs"], told["sweep_s"]) == (0, 0, 0, 0.0)
    assert told["timing_s"] > 0
    (folder / "units" / "diabetes--adam--r01.npz").unlink()
    assert plan(*SMALL, "--out", folder)["units"] == 1
    more = plan("--suite", "smoke", "--steps", "10", "--trials", "2", "--seeds", "4", "--out", folder)
    whole = plan("--suite", "smoke", "--steps", "10", "--trials", "2", "--seeds", "4")
    assert more["units"] == whole["units"] == 8
    assert more["runs"] < whole["runs"]
    assert "7 of 8 units are kept" in " ".join(optgrid(*SMALL, "--out", folder, "--speed", "1").stdout.split())
    refused = optgrid("--suite", "smoke", "--steps", "11", "--trials", "2", "--out", folder, "--speed", "1", expect=2)
    assert "another protocol" in refused.stderr
    fresh = tmp_path / "nothing"
    assert plan(*SMALL, "--out", fresh)["units"] == 8
    assert not fresh.exists()


OPTIMIZER = """
import optax


def mine(learning_rate=0.1):
    return optax.sgd(learning_rate)
"""
TASK = """
import jax.numpy as jnp
from bench.tasks import Custom

task = Custom(name="bowl", init=lambda key: jnp.ones(8), loss=lambda w, batch, key: (w**2).sum())
"""


def test_an_own_optimizer_and_an_own_task_are_taken_as_the_median_and_it_is_said(tmp_path: Path) -> None:
    optimizer, task = tmp_path / "mine.py", tmp_path / "bowl.py"
    optimizer.write_text(OPTIMIZER)
    task.write_text(TASK)
    own = ("--tasks", f"{task},digits(batch_size=16)", "--optimizers", f"{optimizer},adam(b2=0.5)")
    told = plan(*own)
    assert (told["cells"], told["units"]) == (4, 12)
    assert told["sweep_s"] > 0
    assert len(told["notes"]) == 2
    assert "mine" in told["notes"][0]
    assert "adam" not in told["notes"][0]
    assert told["notes"][1].endswith(": bowl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--workers", "0"), "--workers must be at least 1, not 0"),
        (("--price", "-1"), "--price must be a price of at least 0"),
        (("--price", "nan"), "--price must be a price of at least 0"),
        (("--workers", "100000000"), "--workers must be at most 1,000,000, not 100000000"),
        (("--replicates", "1000000000"), "units are too many for one run, which has at most 1,000,000"),
        (("--speed", "0"), "--speed must be a number from 1e-06 to 1e+06"),
        (("--speed", "1e-320"), "--speed must be a number from 1e-06 to 1e+06"),
        (("--speed", "inf"), "--speed must be a number from 1e-06 to 1e+06"),
        (("--suite", "ful"), "there is no suite 'ful'; did you mean full?"),
        (("--optimizers", "adm"), "did you mean adam"),
        (("--tasks", "diggits"), "did you mean digits"),
        (("--trials", "0"), "trials must be a whole number of at least 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    done = optgrid(*arguments, expect=2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_another_user_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(_: object) -> int:
        raise PermissionError(13, "Permission denied", "run/units")

    monkeypatch.setattr("bench.commands.plan.main", closed)
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == "optgrid: run/units is not open to this user (Permission denied)\n"


def test_a_gpu_is_not_predicted_from_a_cpus_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    assert "plans are for CPUs" in optgrid(expect=2).stderr
