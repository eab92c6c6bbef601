"""Parts of a report, and reports of a run read at a shorter budget."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import reports
from reports import drawing
from reports.rows import read_csv
from tests.test_reports import run


def test_a_part_of_a_report_is_never_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    results, folder = run(tmp_path), tmp_path / "report"
    reports.ensure(results, rebuild=True, parts=["tables"])
    assert {path.name for path in folder.iterdir()} == {
        *("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "speed.csv", "robustness.csv")
    }
    reports.ensure(results, parts=["page"])
    assert not (folder / "figures").exists()
    reports.ensure(results)
    assert (folder / "figures" / "leaderboard.svg").exists()


def test_the_report_of_a_shorter_budget_stands_beside_that_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    results = run(tmp_path)
    reports.ensure(results, parts=["tables"])
    shorter = results.at(0.7)  # two of three evaluations
    page_at = reports.ensure(shorter)
    assert page_at == tmp_path / "report-66.6667" / "index.html"
    made = {path.relative_to(page_at.parent).as_posix() for path in page_at.parent.rglob("*.*")}
    assert {"leaderboard.csv", "speed.csv", "robustness.csv", "index.html", "figures/final.svg"} <= made
    whole, read = (read_csv(folder / "leaderboard.csv") for folder in (tmp_path / "report", page_at.parent))
    losses = [r.final("train", "train/loss")[:, 2].astype(float) for r in results.cell("prices", "sgd")]
    sgd, before = (next(row for row in of if row.optimizer == "sgd") for of in (read, whole))
    assert sgd.losses["prices"].mean == pytest.approx(np.exp(np.mean(np.log(losses))))
    assert sgd.losses["prices"].mean > before.losses["prices"].mean
    assert sgd.end_to_end_s - 1 == pytest.approx((before.end_to_end_s - 1) * 2 / 3)
    console = Console(width=120, file=io.StringIO(), record=True)
    reports.print_boards(shorter, console)
    told = console.export_text()
    assert told.startswith("Read at 66.6667 % of the budget, with the settings that were tuned for all of it.")
    assert "report-66.6667" in told
    assert (page_at.parent / "leaderboard.md").read_text().startswith("Read at 66.6667 % of the budget")
    for name in ("leaderboard.tex", "figures/column/captions.md"):
        assert "Read at 66.6667" in (page_at.parent / name).read_text()
    assert (tmp_path / "report" / "leaderboard.md").read_text().startswith("# Leaderboards")
