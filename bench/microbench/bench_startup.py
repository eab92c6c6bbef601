"""Seconds that a user waits for commands that have nothing to compute."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench import results, runner
from bench.fingerprint import fingerprint
from bench.grid import resolve
from bench.microbench.results import Goal
from bench.microbench.turns import note

RUNS = Path("runs/core")
COMMANDS = {
    "help": (["--help"], Goal(at_most=0.3, unit="s")),
    "list optimizers": (["list", "optimizers"], Goal(at_most=2.0, unit="s")),
    "list tasks": (["list", "tasks"], Goal(at_most=2.0, unit="s")),
    "finished run": (["run", "--out", str(RUNS)], Goal(at_most=5.0, unit="s")),  # only where nothing is missing of it
}


def finished(folder: Path) -> bool:
    """Whether the command would find all of the default grid there, and compute nothing."""
    grid = resolve("core")
    prints = {
        (task.name, name): fingerprint(task, spec, grid.protocol)
        for task in grid.tasks
        for name, spec in grid.optimizers.items()
    }
    manifest = results.read_manifest(folder) or {}
    asked = {"suite": grid.suite.name, "replicates": grid.protocol.replicates, "optimizers": list(grid.optimizers)}
    same = {key: manifest.get(key) for key in asked} == asked
    return same and not manifest["failed"] and not runner.plan(folder, grid, prints).missing


@pytest.mark.parametrize("name", COMMANDS)
def bench_startup(benchmark: Any, rounds: int, name: str) -> None:
    """Of the command as a process, from its start to its end; the first of all fills the system's file cache."""
    arguments, goal = COMMANDS[name]
    if "run" in arguments and not finished(RUNS):
        pytest.skip(f"{RUNS} is not the whole default grid, by this code; `make bench` makes it")
    taken = []

    def measure() -> None:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "bench", *arguments], check=True, capture_output=True)
        taken.append(time.perf_counter() - begin)

    benchmark.pedantic(measure, rounds=rounds, warmup_rounds=1)
    note(benchmark, taken[1:], goal)
