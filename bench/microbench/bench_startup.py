"""Seconds that a user waits for commands that have nothing to compute."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench.microbench.results import Goal
from bench.microbench.turns import note

ROUNDS = 5
RUNS = Path("runs/core")
COMMANDS = {
    "help": (["--help"], Goal(at_most=0.3, unit="s")),
    "list optimizers": (["list", "optimizers"], Goal(at_most=2.0, unit="s")),
    "list tasks": (["list", "tasks"], Goal(at_most=2.0, unit="s")),
    "finished run": (["run", "--out", str(RUNS)], Goal(at_most=5.0, unit="s")),
}


@pytest.mark.parametrize("name", COMMANDS)
def bench_startup(benchmark: Any, name: str) -> None:
    """Of the command as a process, from its start to its end; the first of all fills the system's file cache."""
    arguments, goal = COMMANDS[name]
    if "run" in arguments and not (RUNS / "report").exists():
        pytest.skip(f"there is no finished run in {RUNS}; `make bench` makes it")
    taken = []

    def measure() -> None:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bench", *arguments], check=True, capture_output=True)
        taken.append(time.perf_counter() - begin)

    benchmark.pedantic(measure, rounds=ROUNDS, warmup_rounds=1)
    note(benchmark, taken[1:], goal)
