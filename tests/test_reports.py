"""Reports of small made-up runs: whole ones, odd ones, hostile ones."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

import reports
from bench.constants import RULES
from bench.errors import UserError
from bench.microbench import results as microbench
from bench.records import Record
from bench.results import Results, Timing
from reports import boards, drawing, figures, goals, marks, speed, tables, words
from reports.rows import Row, of_board, read_csv, to_csv

METRICS = {"flowers": "accuracy", "prices": "r2"}
OPTIMIZERS = ("sgd", "adam", "momentum")
TRIALS, SEEDS, STEPS = 4, 2, 60
FLOOR = 1e-4
PICTURES = {
    "leaderboard", "convergence_steps", "convergence_seconds", "final", "critical_difference", "targets",
    "steps_to_target", "tunability", "defaults", "learning_rate", "step_time", "speed", "roofline",
}  # fmt: skip


def record(task: str, optimizer: str, replicate: int, level: float = 0.0, **changes: Any) -> Record:
    """A unit whose losses fall from about 2 to about exp(level - 2); `changes` go into its arrays or metadata."""
    rng = np.random.default_rng([len(task), *map(ord, optimizer), replicate])
    step = np.linspace(0, STEPS, 4).astype(np.int32)
    rates = np.array([0.1, 0.001, 0.03, 3.0])

    def curves(*shape: int) -> np.ndarray:
        end = level - 2 + rng.normal(0, 0.3, size=(*shape, 1))
        return np.exp(np.log(2.0) + (end - np.log(2.0)) * step / STEPS).astype(np.float32)

    arrays: dict[str, np.ndarray] = {
        "step": step,
        "hparams/learning_rate": rates,
        "chosen": np.array([0, 2], np.int32),
        "selected/train": np.array(2, np.int32),
        "selected/valid": np.array(0, np.int32),
    }
    for stage, shape in (("search", (TRIALS,)), ("final", (2, SEEDS))):
        for split in ("train", "valid", "test"):
            arrays[f"{stage}/{split}/loss"] = curves(*shape)
            arrays[f"{stage}/{split}/{METRICS.get(task, 'accuracy')}"] = 1 - curves(*shape) / 3
        arrays[f"{stage}/grad_evals"] = np.broadcast_to(step, (*shape, len(step)))
        arrays[f"{stage}/diverged"] = np.full(shape, -1, np.int32)
        arrays[f"{stage}/distance"] = np.ones(shape, np.float32)
    meta = {
        "task": task, "optimizer": optimizer, "replicate": replicate, "fingerprint": "f", "budget": STEPS,
        "floor": FLOOR, "metric": METRICS.get(task, "accuracy"), "paper": "arXiv:1", "defaults": {"learning_rate": 0.1},
        "space": {"learning_rate": "log-uniform"}, "param_bytes": 100, "state_bytes": 200, "device": "cpu",
        "trace_s": 0.25, "compile_s": 0.75, "compile_cached": replicate > 0,
    }  # fmt: skip
    known = {name: value for name, value in changes.items() if name in meta}
    return Record(meta | known, arrays | {name: value for name, value in changes.items() if name not in meta})


def diverge(unit: Record, share: float = 1.0) -> Record:
    """The same with the last runs of the search and of the finals ended by NaN."""
    arrays = dict(unit.arrays)
    for name, array in arrays.items():
        if name.endswith(("loss", "accuracy", "r2")):
            runs = array.reshape(-1, array.shape[-1]).copy()
            runs[round(len(runs) * (1 - share)) :, 1:] = np.nan
            arrays[name] = runs.reshape(array.shape)
    return Record(unit.meta, arrays)


def timing(ratio: float) -> Timing:
    sgd = np.full(3, 1e-5)
    return Timing(ratio * sgd, ratio * sgd, sgd, sgd, 2.0, 1.0, STEPS, "cpu")


def run(
    folder: Path,
    units: Sequence[Record] | None = None,
    tasks: Sequence[str] = tuple(METRICS),
    optimizers: Sequence[str] = OPTIMIZERS,
    replicates: int = 3,
    timed: bool = True,
    **manifest: Any,
) -> Results:
    """Results as if read from a folder."""
    levels = dict(zip(optimizers, (0.0, -2.0, 1.0), strict=False))
    if units is None:
        cells = [(task, optimizer) for task in tasks for optimizer in optimizers]
        units = [record(task, name, r, levels.get(name, 0.0)) for task, name in cells for r in range(replicates)]
    times = {record.cell: timing(1 + len(record.cell[1]) / 10) for record in units} if timed else {}
    plan = {
        "suite": "made-up", "suite_version": 1, "protocol": {"trials": TRIALS, "schedule": "constant", "steps": None},
        "tasks": list(tasks), "optimizers": list(optimizers), "replicates": replicates, "seeds": SEEDS, "failed": {},
        "environment": {"python": "3.x"}, "wall": {"sweep_s": 1.0},
    }  # fmt: skip
    return Results(folder, {**plan, **manifest}, units, {}, times)


def rows(results: Results) -> list[Row]:
    return boards.rows(results, boards.boards(results))


def measured(folder: Path) -> Path:
    """Microbenchmarks as they are kept: some of every suite, one of them short of its goal."""
    faster = {"at_least": 3.0, "beyond": 4.3}
    figures = {
        "cells[JAX, Python loop]": (3.5, faster),
        "cells[Keras fit]": (26.0, faster),
        "compile[prices--adam]": (0.9, {"at_most": 0.8, "unit": "s"}),
        **{
            f"updates[{rule}-{kind}]": (4.0, faster)
            for rule in ("adam", "lion")
            for kind in ("mlp", "leaves", "matrix")
        },
    }
    figures["peak[mnist_5k]"] = (0.5, {"at_least": 0.7, "unit": ""})
    figures |= {f"parts[{name}]": (20.0, {"unit": " us"}) for name in ("gather", "forward", "copy")}
    more = {"operations": 2e6, "moved": 1e5, "theirs": {"cpu_rate": 2e11}}
    entries = [
        {
            "name": f"bench_{name}",
            "extra_info": {
                "figure": value,
                "low": 0.9 * value,
                "high": 1.2 * value,
                "goal": goal,
                "holds": True,
                **more,
            },
        }
        for name, (value, goal) in figures.items()
    ]
    folder.mkdir()
    about = {"optgrid": {"cpu": "a <fast> core", "cores": 2}}
    file = folder / "0001_made_up.json"
    file.write_text(json.dumps({"benchmarks": entries, "machine_info": about, "datetime": "2026-01-01T00:00:00"}))
    return file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("whole")
    measured(folder / "microbench")
    results = run(folder / "core")
    reports.ensure(results)
    return results


# A whole run


def test_a_report_has_every_file(whole: Results) -> None:
    folder = whole.folder / "report"
    names = {path.stem for path in (folder / "figures").iterdir() if path.is_file()}
    assert names == PICTURES
    for name in names:
        for ending in drawing.FORMATS:
            assert (folder / "figures" / f"{name}.{ending}").stat().st_size > 5_000
        image = matplotlib.image.imread(folder / "figures" / f"{name}.png")
        assert image.shape[1] == 1800
        assert image[..., :3].std() > 0.05  # something is drawn
    assert "| adam |" in (folder / "leaderboard.md").read_text()


def test_every_number_of_the_csv_comes_from_the_records(whole: Results) -> None:
    for row in csv.DictReader(io.StringIO((whole.folder / "report" / "leaderboard.csv").read_text())):
        selected_by, split = RULES[row["board"]]
        for task, metric in METRICS.items():
            cell = whole.cell(task, row["optimizer"])
            loss = [np.log(r.final(selected_by, f"{split}/loss")[:, -1].astype(float)).mean() for r in cell]
            own = [r.final(selected_by, f"{split}/{metric}")[:, -1].astype(float).mean() for r in cell]
            assert float(row[f"{task}/loss"]) == pytest.approx(np.exp(np.mean(loss)))
            assert float(row[f"{task}/loss_high"]) == pytest.approx(np.exp(np.max(loss)))
            assert float(row[f"{task}/{metric}"]) == pytest.approx(np.mean(own))
            assert float(row[f"{task}/{metric}_low"]) == pytest.approx(np.min(own))
        assert float(row["step_ratio"]) == pytest.approx(1 + len(row["optimizer"]) / 10)
        assert (float(row["compile_s"]), float(row["state_ratio"])) == (0.75, 2.0)
        trained = [
            r.meta["budget"] * whole.timings[r.cell].seconds_per_step
            for r in whole.units
            if r.meta["optimizer"] == row["optimizer"] and not r.meta["compile_cached"]
        ]
        assert float(row["end_to_end_s"]) == pytest.approx(1.0 + np.median(trained))
        assert (row["runs"], row["diverged"], row["missing"], row["replicates"]) == ("12", "0", "0", "3")


def test_the_board_is_in_the_order_of_the_results(whole: Results) -> None:
    for name in tables.SUBJECTS:
        own = of_board(rows(whole), name)
        assert [row.optimizer for row in own] == ["adam", "sgd", "momentum"]
        assert own[0].tier == 1
        assert all(row.low <= row.score <= row.high for row in own)


def test_csv_and_back(whole: Results) -> None:
    path = whole.folder / "report" / "leaderboard.csv"
    assert to_csv(read_csv(path)) == path.read_text() == to_csv(rows(whole))


def test_a_report_is_made_anew_only_when_something_changed(whole: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    monkeypatch.setattr(reports, "make", lambda results, folder, measured, parts: made.append(results))
    reports.ensure(whole)
    assert not made
    reports.ensure(whole, rebuild=True)
    changed = run(whole.folder, failed={"flowers--sgd--r09": "a reason"})
    reports.ensure(changed)
    assert made == [whole, changed]


def test_the_suites_own_speed_is_shown_beside_its_goals(whole: Results) -> None:
    html = (whole.folder / "report" / "index.html").read_text()
    assert "a &lt;fast&gt; core, 2 cores" in html
    told = goals.table(microbench.read(whole.folder.parent / "microbench" / "0001_made_up.json"))
    assert told == [
        ("cells JAX, Python loop", "3.50x", ">= 3x (4.3x)", "pass"),
        ("cells Keras fit", "26.00x", ">= 3x (4.3x)", "pass"),
        *(
            (f"updates {kind}", "median 4.00x, worst 4.00x (adam-" + kind + ")", ">= 3x (4.3x)", "2 of 2 pass")
            for kind in ("mlp", "leaves", "matrix")
        ),
        ("compile", "0.90s", "<= 0.8s", "short"),
        ("peak mnist_5k", "0.50", ">= 0.7", "short"),
    ]


@pytest.mark.slow
def test_newer_microbenchmarks_make_a_report_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    results = run(tmp_path / "core")
    reports.ensure(results)
    assert not (tmp_path / "core/report/figures/speed.svg").exists()
    measured(tmp_path / "microbench")
    reports.ensure(results)
    assert (tmp_path / "core/report/figures/speed.svg").exists()


def test_microbenchmarks_that_cannot_be_read_are_told_and_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    (tmp_path / "microbench").mkdir()
    (tmp_path / "microbench" / "0002_cut_short.json").write_text('{"benchmarks": [')
    reports.ensure(run(tmp_path / "core"))
    html = (tmp_path / "core/report/index.html").read_text()
    assert "0002_cut_short.json holds no results" in html
    assert "How fast the suite is" not in html


def test_there_is_no_roofline_of_parts_without_arithmetic(tmp_path: Path) -> None:
    whole = microbench.read(measured(tmp_path / "microbench"))
    part = [figure for figure in whole.figures if figure.name in ("copy", "mnist_5k")]
    assert speed.roofline(microbench.Microbench(part, whole.machine, whole.when)) is None
    assert speed.roofline(microbench.Microbench([], whole.machine, whole.when)) is None


def test_a_report_is_the_same_twice(whole: Results) -> None:
    both = boards.boards(whole)
    first, second = (drawing.render(next(figures.pictures(whole, both)))["svg"] for _ in range(2))
    assert first == second


def test_printing_needs_nothing_heavy(whole: Results) -> None:
    code = (
        "import sys, pathlib, reports, rich.console; from bench.results import Results\n"
        f"results = Results(pathlib.Path({str(whole.folder)!r}), {{}}, [], {{}}, {{}})\n"
        "reports.print_boards(results, rich.console.Console(width=200))\n"
        "print(sorted({'jax', 'scipy', 'pandas', 'seaborn', 'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    root = Path(__file__).parent.parent
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert out.strip().endswith("[]")
    assert "prices" in out
    assert "adam leads" in out


@pytest.mark.parametrize("width", [60, 80, 100, 140, 240])
def test_the_terminal_board_fits(whole: Results, width: int) -> None:
    console = Console(width=width, file=io.StringIO(), record=True)
    for name in tables.SUBJECTS:
        console.print(tables.terminal_table(of_board(rows(whole), name), width))
    shown = console.export_text()
    assert "…" not in shown
    assert all(name in shown for name in OPTIMIZERS)
    assert ("r2" in shown) == (width > 180)


# Words


def test_a_design_that_cannot_tell_says_so(tmp_path: Path) -> None:
    results = run(tmp_path, tasks=["flowers"], replicates=2)
    cautions = words.cautions(of_board(rows(results), "optimization"))
    assert "Too few tasks (1) and replicates (2)" in cautions[0]
    assert "cannot tell any two" in cautions[1]


# Odd runs


def odd_runs(folder: Path) -> Mapping[str, Results]:
    full = run(folder)
    some = [unit for unit in full.units if not (unit.cell == ("prices", "adam") or unit.name == "flowers--sgd--r01")]
    bare = {name: value for name, value in record("flowers", "sgd", 0).arrays.items() if not name.startswith("hparams")}
    return {
        "one optimizer": run(folder, optimizers=["sgd"]),
        "one task": run(folder, tasks=["flowers"]),
        "one unit": run(folder, tasks=["flowers"], optimizers=["sgd"], replicates=1),
        "missing": run(folder, some, failed={"prices--adam--r00": "took longer than 1 s"}),
        "diverged": run(folder, [diverge(unit) if unit.cell[1] == "adam" else unit for unit in full.units]),
        "partly diverged": run(folder, [diverge(unit, 0.5) for unit in full.units]),
        "all diverged": run(folder, [diverge(unit) for unit in full.units]),
        "no timings": run(folder, timed=False),
        "all cached": run(folder, [record(t, o, 1) for t in METRICS for o in OPTIMIZERS], timed=False),
        "nothing searched": run(folder, [Record(record("flowers", "sgd", 0).meta, bare)]),
        "at the floor": run(folder, [record(t, o, r, -30.0) for t in METRICS for o in OPTIMIZERS for r in range(2)]),
        "nothing": run(folder, []),
    }


OFTEN = ("one task", "one unit", "missing", "diverged", "all diverged", "nothing")  # of the odd runs: the oddest


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in odd_runs(Path())]
)
def test_odd_runs_have_a_report(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    results = odd_runs(tmp_path)[name]
    reports.ensure(results)
    reports.print_boards(results, Console(width=120, file=io.StringIO()))
    folder = tmp_path / "report"
    assert (folder / "index.html").stat().st_size > 5_000
    drawn = {path.stem for path in (folder / "figures").glob("*.svg")}
    expected = set() if name == "nothing" else PICTURES - {"speed", "roofline"}
    expected -= {"convergence_seconds"} if not results.timings else set()
    expected -= {"step_time"} if name == "all cached" else set()
    expected -= {"learning_rate"} if name == "nothing searched" else set()
    expected -= {"critical_difference"} if name in ("one optimizer", "one unit", "nothing searched") else set()
    assert drawn == expected


def test_an_optimizer_without_every_task_is_shown_but_not_ranked(tmp_path: Path) -> None:
    own = of_board(rows(odd_runs(tmp_path)["missing"]), "optimization")
    last = own[-1]
    assert (last.optimizer, last.tier, last.tasks, last.all_tasks, last.missing) == ("adam", 0, 1, 2, 3)
    assert np.isnan(last.losses["prices"].mean)
    assert tables.cells(last)["tier"] == "–"
    assert tables.cells(last)["diverged"] == "0/6, on 1/2 tasks"
    assert "1 missing" in {tables.cells(row)["diverged"].partition(", ")[2] for row in own}
    assert own[0].missing + own[1].missing == 1


def test_what_diverged_counts_and_is_named(tmp_path: Path) -> None:
    results = odd_runs(tmp_path)["diverged"]
    own = of_board(rows(results), "generalization")
    last = own[-1]
    assert (last.optimizer, last.diverged, last.runs, last.score) == ("adam", 12, 12, 3.0)
    assert last.losses["flowers"].mean == np.inf
    marked = {board.name: marks.marks(board) for board in boards.boards(results)}
    assert "diverged" in tables.to_markdown(own, marked)


def test_names_with_markup_are_only_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg",))
    evil, task = "<script>alert(1)</script>$x_$|", "[red]<b>&\"'$\\frac$"
    results = run(tmp_path, tasks=[task, "prices"], optimizers=[evil, "sgd"])
    reports.ensure(results)
    console = Console(width=250, file=io.StringIO(), record=True)
    reports.print_boards(results, console)
    printed = console.export_text()
    assert "[red]<b>" in printed
    assert evil in printed
    assert evil not in (tmp_path / "report" / "leaderboard.md").read_text()


def test_a_folder_that_cannot_be_written_is_the_users_to_mend(whole: Results, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file where the folder should be")
    with pytest.raises(UserError):
        reports.make(whole, tmp_path / "report")
