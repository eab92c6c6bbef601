"""The script of docs/recompute.md makes a report's tables from the exported ones alone."""

import csv
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import frames
from bench.records import Record
from bench.results import Results
from reports import boards, measures, standings
from reports.rows import to_csv
from tests.test_reports import diverge, run

ROOT = Path(__file__).parent.parent
NOT_TOLD = {"edges", "edge_of"}


def script() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "recompute.md").read_text(), re.DOTALL)
    return str(code)


def recomputed(results: Results, folder: Path) -> Path:
    """The folder of what the script makes of the results' tables."""
    frames.export(results, folder / "tables")
    (folder / "recompute.py").write_text(script())
    out = folder / "recomputed"
    out.mkdir()
    command = [sys.executable, "-W", "error", str(folder / "recompute.py"), str(folder / "tables"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    assert not done.returncode, done.stderr
    return out


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def compare(made: Sequence[dict[str, str]], reported: Sequence[dict[str, str]], columns: set[str]) -> None:
    assert len(made) == len(reported)
    for one, other in zip(made, reported, strict=True):
        for name in columns:
            try:
                assert float(one[name] or "nan") == pytest.approx(float(other[name] or "nan"), rel=1e-6, nan_ok=True), (
                    name
                )
            except ValueError:
                assert one[name] == other[name], name


@pytest.mark.parametrize("kind", ["whole", "some missing", "diverged"])
def test_the_documented_script_makes_the_boards(kind: str, tmp_path: Path) -> None:
    full = run(tmp_path, tasks=["prices", "flowers"])  # not in the order of the alphabet
    units: list[Record] = {
        "whole": list(full.units),
        "some missing": [u for u in full.units if u.cell != ("prices", "adam") and u.name != "flowers--sgd--r01"],
        "diverged": [diverge(unit, 0.5) if unit.cell[1] == "adam" else unit for unit in full.units],
    }[kind]
    results = run(tmp_path, units, tasks=["prices", "flowers"])
    out = recomputed(results, tmp_path)
    leaderboard = table(to_csv(boards.rows(results, boards.boards(results))))
    made = table((out / "leaderboard.csv").read_text())
    assert set(leaderboard[0]) - set(made[0]) == NOT_TOLD
    compare(made, leaderboard, set(leaderboard[0]) - NOT_TOLD)
    speed = table(standings.to_csv(standings.speed(measures.speed(results))))
    made = table((out / "speed.csv").read_text())
    compare(made, speed, {"tier", "optimizer", "left", "low", "high", "p"})
    for one, other in zip(made, speed, strict=True):
        there = {name for name, value in one.items() if name.endswith(("/ert", "/reached")) and value}
        compare([one], [other], there)
        assert len(there) == (4 if one["optimizer"] != "adam" or kind != "some missing" else 2)
