"""What reports show of diagnostics: those of the run's own cells, as they are, and nothing where there are none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

import reports
from bench import failures, traces
from bench.files import write_atomically
from bench.results import Results
from bench.traces import Landscape, Trace
from bench.worker import Failure
from reports import boards, drawing, figures, page, traced
from tests.test_page import content, render
from tests.test_reports import METRICS, OPTIMIZERS, STEPS, run

POINTS = np.linspace(0, STEPS, 7).astype(np.int64)
PRINTS = {f"{task}--{name}": f"{task} {name}" for task in METRICS for name in OPTIMIZERS}


def trace(task: str, name: str, level: float = 1.0, **about: Any) -> Trace:
    along = {key: level + np.linspace(0, 1, 7) for key in traces.ALONG}
    sharp = {f"sharp/{key}": level + np.linspace(0, 2, 4) for key in traces.SHARP}
    arrays = {
        **along,
        **sharp,
        "evaluations": POINTS,
        "sharp/evaluations": POINTS[::2],
        "layers": level * np.ones((7, 2)),
    }
    meta = {
        **{"task": task, "optimizer": name, "fingerprint": "made up", "cell": PRINTS.get(f"{task}--{name}", "")},
        **{"hparams": {"learning_rate": 0.5}, "layers": ["first", "second"], "full_batch": task == "prices"},
        **{"schedule": "constant", "device": "cpu", **about},
    }
    return Trace(meta, arrays)


def landscape(task: str, level: float = 1.0) -> Landscape:
    x, y = np.linspace(-1, 3, 9), np.linspace(-2, 2, 8)
    path = np.stack([np.linspace(0, 2, 5), np.zeros(5)], axis=1)
    arrays = {
        **{"x": x, "y": y, "loss": level * (1 + x**2 + y[:, None] ** 2)},
        **{"path/0": path, "path/1": path[:, ::-1].copy()},
        **{"between/share": np.linspace(0, 1, 6), "between/loss": level * np.ones(6)},
    }
    cells = [PRINTS[f"{task}--{name}"] for name in ("adam", "sgd")]
    return Landscape({"task": task, "optimizers": ["adam", "sgd"], "fingerprint": "", "cells": cells}, arrays)


def diagnosed(folder: Path, level: float = 1.0, **manifest: Any) -> Results:
    for task in METRICS:
        for name in OPTIMIZERS:
            write_atomically(traces.trace_file(folder, task, name), traces.encode(trace(task, name, level)))
        write_atomically(traces.landscape_file(folder, task), traces.encode(landscape(task, level)))
    return run(folder, fingerprints=PRINTS, **manifest)


def why(results: Results) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = content(render(results))["why"]
    return found


def test_a_run_without_diagnostics_has_no_such_part(tmp_path: Path) -> None:
    html = render(run(tmp_path))
    assert "Why it won" not in html
    assert "panel-why" not in html
    assert content(html)["why"] is None


def test_the_page_shows_what_was_recorded(tmp_path: Path) -> None:
    results = diagnosed(tmp_path)
    html = render(results)
    assert 'id="tab-why"' in html
    assert 'id="panel-why"' in html
    for task, told in zip(results.tasks, content(html)["why"], strict=True):
        for name, shown in zip(results.optimizers, told["traces"], strict=True):
            arrays = trace(task, name).arrays
            assert shown["x"] == POINTS.tolist()
            np.testing.assert_allclose(shown["sharpness"], arrays["sharp/top"], rtol=1e-3)
            np.testing.assert_allclose(shown["path"], arrays["path"], rtol=1e-3)
            assert np.shape(shown["layer_ratios"]) == (2, 7)
            assert shown["edge"] == (4.0 if (task, name) == ("prices", "sgd") else None)
        assert [results.optimizers[o] for o in told["landscape"]["optimizers"]] == ["adam", "sgd"]
        np.testing.assert_allclose(told["landscape"]["loss"], landscape(task).arrays["loss"], rtol=1e-3)


@pytest.mark.parametrize(
    "about",
    [{"schedule": "cosine"}, {"full_batch": False}, {"hparams": {}}, {"optimizer": "momentum"}],
)
def test_only_gradient_descent_has_this_edge(about: Mapping[str, Any]) -> None:
    assert traced.edge(trace("prices", "sgd")) == 4.0
    assert traced.edge(trace("prices", "sgd", **about)) is None


def test_what_other_code_recorded_is_not_shown(tmp_path: Path) -> None:
    diagnosed(tmp_path)
    other = run(tmp_path, fingerprints={**PRINTS, "flowers--adam": "changed since"})
    flowers, prices = why(other)
    adam = OPTIMIZERS.index("adam")
    assert [shown is None for shown in flowers["traces"]] == [index == adam for index in range(len(OPTIMIZERS))]
    assert flowers["landscape"] is None
    assert all(prices["traces"])
    assert prices["landscape"] is not None


def test_at_a_part_of_the_budget_runs_are_shown_up_to_there(tmp_path: Path) -> None:
    results = diagnosed(tmp_path)
    early = results.at(1 / 3)
    found = traces.load(early)
    assert {tuple(one.arrays["evaluations"]) for one in found.traces.values()} == {(0, 10, 20)}
    assert {tuple(one.arrays["sharp/evaluations"]) for one in found.traces.values()} == {(0, 20)}
    assert not found.landscapes


def test_what_is_damaged_or_failed_is_named(tmp_path: Path) -> None:
    results = diagnosed(tmp_path)
    traces.trace_file(tmp_path, "flowers", "sgd").write_bytes(b"nothing")
    traces.landscape_file(tmp_path, "prices").write_bytes(b"")
    failures.save(tmp_path, traces.failure_name("prices", "adam"), Failure("it was too slow"))
    told = page.undiagnosed(results, traces.load(results))
    assert {(kind, which) for kind, which, _ in told} == {
        ("damaged", "diagnostics/flowers--sgd.npz"),
        ("damaged", "landscapes/prices.npz"),
        ("no diagnostics", "adam on prices"),
    }
    html = render(results)
    assert "it was too slow" in html
    assert "landscapes/prices.npz" in html


@pytest.mark.slow
def test_the_figures_are_there_only_then(tmp_path: Path) -> None:
    results = diagnosed(tmp_path / "run")
    both = boards.boards(results)
    drawn = {picture.name: picture for picture in figures.pictures(results, both)}
    assert {"diagnostics", "landscapes"} <= drawn.keys()
    plain = run(tmp_path / "plain")
    assert not {"diagnostics", "landscapes"} & {p.name for p in figures.pictures(plain, boards.boards(plain))}
    for name in ("diagnostics", "landscapes"):
        file = tmp_path / f"{name}.png"
        file.write_bytes(drawing.render(drawn[name])["png"])
        assert matplotlib.image.imread(file).shape[1] == 1800
    lines = [np.asarray(line.get_ydata()) for ax in drawn["diagnostics"].figure.axes for line in ax.lines]
    dashed = [heights[0] for heights in lines if len(heights) == 2 and np.ptp(heights) == 0]
    assert dashed == [4.0]  # of gradient descent on the task of full batches alone


@pytest.mark.parametrize("level", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.slow
def test_runs_that_diverged_are_drawn_as_gaps(tmp_path: Path, level: float) -> None:
    results = diagnosed(tmp_path, level)
    assert all(len(told["traces"]) == len(OPTIMIZERS) for told in why(results))
    for picture in figures.pictures(results, boards.boards(results)):
        if picture.name in ("diagnostics", "landscapes"):
            assert len(drawing.render(picture)["svg"]) > 5_000


@pytest.mark.slow
def test_a_report_is_made_anew_when_diagnostics_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    results = run(tmp_path, fingerprints=PRINTS)
    assert "Why it won" not in reports.ensure(results).read_text()
    diagnosed(tmp_path)
    assert "Why it won" in reports.ensure(results).read_text()
    assert (tmp_path / "report" / "figures" / "landscapes.svg").exists()
