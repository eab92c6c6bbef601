"""The page of a report: what is in it, and that nothing else can run in it."""

import base64
import gzip
import json
import math
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reports
from bench.results import Results
from reports import boards, drawing, page, payload, tables, views
from reports.rows import Row, of_board
from tests.test_reports import METRICS, OPTIMIZERS, odd_runs, record, run


def content(html: str) -> dict[str, Any]:
    """The data of a page."""
    found = re.search(r'id="data">([^<]*)<', html)
    assert found
    packed: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return packed


def render(results: Results, *more: Any) -> str:
    return page.render(results, boards.rows(results, boards.boards(results)), *more)


def rows(results: Results) -> list[Row]:
    return boards.rows(results, boards.boards(results))


def scripts(html: str) -> list[str]:
    return re.findall(r"<script>(.*?)</script>", html, re.DOTALL)


def test_the_page_needs_no_network(tmp_path: Path) -> None:
    html = render(run(tmp_path))
    own = html.replace(scripts(html)[0], "")
    assert not re.search(r"https?://|<link|@import|url\(|<img|<iframe|fetch\(|XMLHttpRequest", own)
    assert "default-src 'none'" in html


def test_only_the_pages_own_scripts_may_run(tmp_path: Path) -> None:
    html = render(run(tmp_path))
    allowed = re.search(r"script-src ([^\"]*)\"", html)
    assert allowed
    assert [f"'sha256-{page.sha256(script)}'" for script in scripts(html)] == allowed[1].split()
    assert len(re.findall(r"<script", html.replace(scripts(html)[0], ""))) == 3  # the library, the page's own, the data


def test_views_say_what_the_boards_say(tmp_path: Path) -> None:
    results = run(tmp_path)
    data = content(render(results))
    last = data["views"][-1]
    assert [board["name"] for board in last["boards"]] == ["optimization", "generalization", "speed", "robustness"]
    for board in last["boards"][:2]:
        own = of_board(rows(results), board["name"])
        assert board["heads"] == list(tables.cells(own[0]))
        assert [row["cells"] for row in board["rows"]] == [list(tables.cells(row).values()) for row in own]
    assert "adam leads" in last["boards"][0]["answer"]
    assert any("Too few tasks (2) for a general verdict" in caution for caution in last["cautions"])
    assert "Scales and centres come from this run's own results" in unescape(render(results))


def test_the_dial_reads_every_evaluation(tmp_path: Path) -> None:
    results = run(tmp_path)
    data = content(render(results))
    assert data["shares"] == pytest.approx([1 / 3, 2 / 3, 1.0], rel=1e-3)
    for share, shown in zip(results.shares, data["views"], strict=True):
        assert shown == payload.plain(views.view(results.at(share)))
    assert data["views"][0]["boards"] != data["views"][-1]["boards"]


def test_a_schedule_over_the_whole_budget_has_no_dial(tmp_path: Path) -> None:
    results = run(tmp_path, protocol={"trials": 4, "schedule": "cosine", "steps": None})
    html = render(results)
    assert content(html)["shares"] == [1.0]
    assert "a run on a cosine schedule cut short is not one of that length" in html


def test_curves_are_those_of_the_records(tmp_path: Path) -> None:
    results = run(tmp_path)
    for task in content(render(results))["tasks"]:
        assert (task["metric"], task["falls"]) == (METRICS[task["name"]], False)
        for o, name in enumerate(OPTIMIZERS):
            cell = results.cell(task["name"], name)
            runs = np.concatenate([unit.final("valid", "test/loss") for unit in cell])
            middle = task["curves"]["valid"]["test/loss"][o][1]
            assert middle == pytest.approx(np.quantile(runs, 0.5, axis=0, method="inverted_cdf"), rel=1e-3)
            assert len(task["trials"][o]["rate"]) == 4 * len(cell)


@pytest.mark.parametrize("falls", [True, False])
def test_a_metric_is_better_where_it_goes_as_loss_falls(tmp_path: Path, falls: bool) -> None:
    results = run(tmp_path, tasks=["prices"])
    for unit in results.units:
        for name in list(unit.arrays):
            if name.endswith("train/r2") and falls:
                unit.arrays[name] = -unit.arrays[name]  # type: ignore[index]  # made up for this test alone
    assert content(render(results))["tasks"][0]["falls"] is falls


@pytest.mark.parametrize("name", [name for name in odd_runs(Path()) if name != "nothing"])
def test_odd_runs_have_a_page(name: str, tmp_path: Path) -> None:
    results = odd_runs(tmp_path)[name]
    data = content(render(results))
    assert [optimizer["name"] for optimizer in data["optimizers"]] == results.optimizers
    assert [task["name"] for task in data["tasks"]] == results.tasks
    assert all(math.isfinite(value) for value in _numbers(data))


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for entry in value.values() for number in _numbers(entry)]
    if isinstance(value, list):
        return [number for entry in value for number in _numbers(entry)]
    return [value] if isinstance(value, float) else []


def test_a_run_of_nothing_has_a_page(tmp_path: Path) -> None:
    assert "Which optimizer leads?" in render(odd_runs(tmp_path)["nothing"])


def test_what_diverged_is_named(tmp_path: Path) -> None:
    assert "adam on flowers" in render(odd_runs(tmp_path)["diverged"])


def test_the_page_lists_what_is_not_there(tmp_path: Path) -> None:
    results = odd_runs(tmp_path)["missing"]
    found = page.problems(Results(tmp_path, results.manifest, results.units, {"x.npz": "not a record"}, {}))
    assert ("failed", "prices--adam--r00", "took longer than 1 s") in found
    assert ("damaged", "x.npz", "not a record") in found
    assert ("missing", "adam on prices", "2 of 3 replicates not run") in found
    assert ("missing", "sgd on flowers", "1 of 3 replicates not run") in found


def test_names_with_markup_are_inert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    evil, task = "</script><script>alert(1)</script>$x_$|", "[red]<b>&\"'$\\frac$"
    results = run(tmp_path, tasks=[task, "prices"], optimizers=[evil, "sgd"], failed={evil: "<img src=x>"})
    html = reports.ensure(results).read_text()
    assert "alert(1)</script>" not in html
    assert "<img src=x" not in html
    assert "<b>&" not in html
    assert content(html)["optimizers"][0]["name"] == evil


def test_every_share_is_a_point_of_every_task(tmp_path: Path) -> None:
    step = np.array([0, 13, 27, 40], np.int32)  # thirds of 40, rounded
    units = [record("flowers", name, r, step=step, budget=40) for name in OPTIMIZERS for r in range(2)]
    data = content(render(run(tmp_path, units, tasks=["flowers"])))
    assert data["tasks"][0]["share"] == [0.0, *data["shares"]]


def test_a_page_needs_nothing_that_draws() -> None:
    code = (
        "import sys, reports.page, reports.boards\n"
        "print(sorted({'matplotlib', 'seaborn', 'jax', 'pandas'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert out.strip() == "[]"
