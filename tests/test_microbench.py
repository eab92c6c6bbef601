"""The microbenchmarks: what they make of measurements, and that everything they name is really measured."""

import json
import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.__main__ import main
from bench.errors import UserError
from bench.microbench import results
from bench.microbench.results import Goal
from bench.microbench.sides import PEERS, Taken, pace
from bench.microbench.turns import Pace, grows, in_turns, note
from bench.timing import UnsoundTiming
from tests.peers import ROOT, environment


class Benchmark(SimpleNamespace):
    """What the suites use of pytest-benchmark's fixture."""

    def __init__(self) -> None:
        super().__init__(extra_info={})

    def pedantic(self, target: Any, setup: Any, rounds: int) -> None:
        """Both in turns."""
        for _ in range(rounds):
            setup()
            target()


def microbench(*arguments: object) -> tuple[results.Microbench, str]:
    """What it kept and what it printed."""
    file = Path(str(arguments[0]))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench",
            "microbench",
            "--json",
            *map(str, arguments),
            "--out",
            str(file.parent / "kept"),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | {"COLUMNS": "120"},
        timeout=500,
    )
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-2000:])
    return results.read(file), done.stdout


def test_a_figure_is_the_median_of_the_ratios_of_the_same_round() -> None:
    own, others = iter((10.0, 100.0, 1000.0)), iter((1.0, 20.0, 500.0))
    benchmark = Benchmark()
    in_turns(
        benchmark,
        lambda: Pace(next(own), 6.0),
        lambda: Pace(next(others), 2.0),
        Goal(at_least=6.0, beyond=9.0),
        rounds=3,
    )
    kept = json.loads(json.dumps(benchmark.extra_info))
    assert (kept["figure"], kept["low"], kept["high"], kept["holds"]) == (5, 2, 10, False)
    assert kept["ratios"]["cpu"] == [3, 3, 3]
    assert (kept["ours"]["rate"], kept["theirs"]["rate"]) == (100, 20)
    by_cpu = Benchmark()
    in_turns(by_cpu, lambda: Pace(1.0, 6.0), lambda: Pace(1.0, 2.0), Goal(at_least=3.0), rounds=1, by_cpu=True)
    assert (by_cpu.extra_info["figure"], by_cpu.extra_info["holds"]) == (3, True)


def test_processes_that_share_the_work_add_up() -> None:
    assert pace([Taken(100, 2.0, 4.0), Taken(100, 1.0, 1.0)]) == Pace(150.0, 40.0)


@pytest.mark.parametrize(
    ("half", "whole", "distance", "words"),
    [
        ([1.0, 1.0, 9.0], [2.0, 2.0, 2.0], 0.0, "did not move"),
        ([1.0, 1.0, 1.0], [1.1, 1.1, 9.0], 1.0, "twice the steps took 1.10 times"),
    ],
)
def test_a_time_that_cannot_be_one_is_refused(
    half: list[float], whole: list[float], distance: float, words: str
) -> None:
    with pytest.raises(UnsoundTiming, match=words):
        grows(cycle(half).__next__, cycle(whole).__next__, distance)


def test_a_time_that_was_disturbed_is_taken_again() -> None:
    disturbed = iter([1.0, 9.0, 9.0, 1.0, 1.0, 9.0])  # the median of three is wrong once, and right the second time
    grows(disturbed.__next__, lambda: 2.0, 1.0)
    assert next(disturbed, None) is None


def saved(folder: Path, **goal: Any) -> Path:
    """A file as pytest-benchmark writes it, with one figure of 0.9 seconds."""
    benchmark = Benchmark()
    note(benchmark, [0.8, 0.9, 1.2], Goal(**goal))
    content = {
        "benchmarks": [{"name": "bench_compile[mnist_5k--adam]", "extra_info": benchmark.extra_info}],
        "machine_info": {"optgrid": {"cpu": "a core"}},
        "datetime": "2026-01-01T00:00:00",
    }
    file = folder / "0001_made_up.json"
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("goal", "verdict"),
    [({"at_most": 0.8}, "short"), ({"at_most": 1.0}, "pass"), ({"at_least": 1.0}, "short"), ({"beyond": 3.0}, "")],
)
def test_results_are_read_back_with_their_verdict(tmp_path: Path, goal: dict[str, float], verdict: str) -> None:
    read = results.read(saved(tmp_path, **goal))
    (figure,) = read.figures
    assert (figure.suite, figure.name, figure.figure, figure.low, figure.high) == (
        *("compile", "mnist_5k--adam"),
        *(0.9, 0.8, 1.2),
    )
    assert figure.verdict == verdict
    assert read.machine == {"cpu": "a core"}
    assert results.newest(tmp_path) == tmp_path / "0001_made_up.json"


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"other\.json holds no results"):
        results.read(tmp_path / "other.json")
    assert results.newest(tmp_path / "none") is None


@pytest.mark.slow
def test_every_side_is_measured(tmp_path: Path) -> None:
    measured, printed = microbench(
        tmp_path / "speed.json", "--peers", environment(), "--rounds", "1", "--only", "cells,peak,startup"
    )
    figures = {(figure.suite, figure.name): figure for figure in measured.figures}
    assert [name for suite, name in figures if suite == "cells"] == [peer.name for peer in PEERS]
    assert all(figure.figure > 0 for figure in measured.figures)
    assert all(name in printed for _, name in figures)
    assert measured.machine["cpu"] in printed


@pytest.mark.slow
def test_without_the_peers_the_rest_is_measured_and_they_are_said_to_be_absent(tmp_path: Path) -> None:
    measured, printed = microbench(
        tmp_path / "speed.json", "--peers", tmp_path / "none", "--rounds", "1", "--only", "cells"
    )
    assert {figure.name for figure in measured.figures} == {peer.name for peer in PEERS if peer.own}
    assert "make peers" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "speed"], "no suite of benchmarks 'speed'"),
        (["--rounds", "0"], "--rounds must be at least 1, not 0"),
        (["--out", "FILE"], "is a file, not a folder"),
        (["--json", "FILE/a.json"], "is a file, not a folder"),
        (["--out", "EMPTY", "--compare"], "to compare with; leave --compare out"),
        (["--compare", "FILE"], "holds no results of optgrid microbench"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_measured(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "FILE").write_text("{}")
    given = [a.replace("FILE", str(tmp_path / "FILE")).replace("EMPTY", str(tmp_path / "none")) for a in arguments]
    assert main(["microbench", *given]) == 2
    said = capsys.readouterr().err
    assert said.startswith("optgrid: ")
    assert said.count("\n") == 1
    assert words in said


@pytest.mark.slow
def test_updates_and_compilation_are_measured_and_compared_with_the_run_before(tmp_path: Path) -> None:
    only = ("--only", "updates,compile", "--rounds", "1", "--match", "yogi-mlp or autoencoder")
    measured, _ = microbench(tmp_path / "speed.json", *only)
    assert {(figure.suite, figure.name) for figure in measured.figures} == {
        ("updates", "yogi-mlp"),
        ("compile", "autoencoder--adam"),
    }
    again, printed = microbench(tmp_path / "again.json", *only, "--compare", tmp_path / "speed.json")
    assert len(again.figures) == len(measured.figures)
    assert all(f"{figure.figure:.2f}{figure.goal.unit}" in printed for figure in (*measured.figures, *again.figures))
    assert not (tmp_path / "kept").exists()  # a part is not what reports show
