"""Studies: plans and names, whole commands on a tiny task, what is transferred, resuming, words and page."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import axes, experiment, studied, study, studying
from bench.costs import SAME
from bench.errors import UserError
from bench.layout import unfit_name
from bench.machine import Slot
from bench.pool import Pool, pool
from bench.records import unit_file
from reports import study as report
from reports import study_figures, study_words
from reports.turned import Turned, first_reach, turned
from reports.turned import _times as times_to

ROOT = Path(__file__).parent.parent
SMALL: dict[str, Any] = {"trials": 2, "seeds": 2, "replicates": 3}
TASK = "diabetes(steps=20)"


@pytest.fixture(scope="module")
def width(tmp_path_factory: pytest.TempPathFactory) -> studied.Studied:
    """A study of a tiny network's width, with transfer."""
    out = tmp_path_factory.mktemp("study") / "width"
    planned = study.plan("width", TASK, ["sgd", "adam"], [2, 4, 16], transfer=True, **SMALL)
    return studying.run(planned, out, workers=1)


def test_names_are_those_of_specs_and_fit_files() -> None:
    assert study.named("mnist_5k", "width", 64) == "mnist_5k(width=64)"
    assert study.named("digits(dropout=0.2)", "batch-size", 8) == "digits(dropout=0.2, batch_size=8)"
    assert study.named("digits", "loss", "huber(delta=0.1)") == "digits(loss=huber(delta=0.1))"
    assert study.named("digits", "regularization", 1e-4) == "digits(regularization=0.0001)"
    for name in (study.named("a", "b", "x/y"), study.named("a", "b", (1, 2))):
        assert not unfit_name(name)


def test_typed_values_are_plain_or_words() -> None:
    assert [study.literal(text) for text in ("3", "0.5", "relu", "(1, 2)", "None")] == [3, 0.5, "relu", (1, 2), None]


def test_numbers_come_in_order_and_once() -> None:
    planned = study.plan("width", values=[64, 8, 64, 32])
    assert [setup.value for setup in planned.setups] == [8, 32, 64]
    assert planned.base == 1


def test_each_protocol_has_a_folder() -> None:
    assert list(studying.grids(study.plan("schedule"))) == [
        f"retuned-{s}" for s in ("constant", "cosine", "linear", "wsd")
    ]
    assert list(studying.grids(study.plan("width"))) == ["retuned"]
    rates = studying.grids(study.plan("learning-rate", optimizer_specs=["sgd", "adam"], values=[0.1, 1.0]))
    assert list(rates["retuned"].optimizers) == [
        "sgd(learning_rate=0.1)", "adam(learning_rate=0.1)", "sgd(learning_rate=1.0)", "adam(learning_rate=1.0)",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_task_of_a_file_is_turned_by_its_spec(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from tests.toy import Quadratic\n\ntask = Quadratic(name='mine', steps=8)\n")
    planned = study.plan("budget", f"{file}:task", ["sgd"], [4, 8, 16], **SMALL)
    assert [setup.task.name for setup in planned.setups] == ["mine(steps=4)", "mine", "mine(steps=16)"]
    assert planned.own
    done = studying.run(planned, tmp_path / "out", workers=1)
    assert not done.failed
    assert [len(done.records(point, "sgd")) for point in done.about.points] == [3, 3, 3]
    spec = f"{_own_network(tmp_path)}:task"
    turned = study.plan("augmentation", spec, ["sgd"], ["none", "noise"], **SMALL)
    assert [setup.task.name for setup in turned.setups] == ["net(augmentation=none)", "net(augmentation=noise)"]
    assert not studying.run(turned, tmp_path / "turned", workers=1).failed
    own = tmp_path / "own.py"
    own.write_text((tmp_path / "net.py").read_text() + OWN_STEP)
    with pytest.raises(UserError, match="to what no spec can say"):
        study.plan("augmentation", f"{own}:task", ["sgd"])


OWN_STEP = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Negative:
    def __call__(self, table):
        return table._replace(x=-table.x)


task = replace(task, preprocessing=(Negative(), *task.preprocessing))
"""


def _own_network(folder: Path) -> str:
    file = folder / "net.py"
    file.write_text(
        "from dataclasses import replace\nfrom bench import tasks\n\n"
        "task = replace(tasks.get('diabetes'), name='net', steps=8)\n"
    )
    return str(file)


def test_transfer_needs_something_tuned() -> None:
    with pytest.raises(UserError, match="transfer takes settings that were tuned, and with one trial nothing is"):
        study.plan("learning-rate", transfer=True)


def test_a_plan_is_predicted(tmp_path: Path) -> None:
    small = studying.predict(study.plan("width", values=[8, 16], replicates=1), tmp_path, 2, SAME)
    assert 0 < small < studying.predict(study.plan("width"), tmp_path, 2, SAME)
    assert studying.predict(study.plan("width"), tmp_path, 2, SAME) < studying.predict(
        study.plan("width", transfer=True), tmp_path, 2, SAME
    )


def test_a_study_goes_through_the_same_records(width: studied.Studied) -> None:
    about = width.about
    assert [point.task for point in about.points] == [f"diabetes(steps=20, width={w})" for w in (2, 4, 16)]
    assert (about.base, about.own) == (2, True)
    assert not width.failed
    for point in about.points:
        for name in about.optimizers:
            units = width.records(point, name)
            assert [unit.meta["replicate"] for unit in units] == [0, 1, 2]
            assert all(unit.arrays["search/diverged"].size == 2 for unit in units)


def test_what_is_transferred_is_the_bases_median_setting(width: studied.Studied) -> None:
    about = width.about
    for name in about.optimizers:
        rates = [
            unit.chosen_hparams("valid")["learning_rate"] for unit in width.records(about.points[about.base], name)
        ]
        kept = about.settings[about.base][name]
        assert kept["learning_rate"] == sorted(rates)[1]
        assert about.settled[about.base] == about.transferred[about.base]
        for points, settings in (
            (about.transferred, [about.settings[about.base]] * 3),
            (about.settled, about.settings),
        ):
            for point, own in zip(points, settings, strict=True):
                (unit, *more) = width.records(point, name)
                assert len(more) == 2
                assert unit.meta["defaults"]["learning_rate"] == pytest.approx(own[name]["learning_rate"], rel=1e-5)
                assert unit.arrays["search/diverged"].size == 1


def test_folders_of_a_study_share_their_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[int] = []

    def counted(slots: Sequence[Slot]) -> AbstractContextManager[Pool]:
        gathered.append(len(slots))
        return pool(slots)

    monkeypatch.setattr(experiment, "pool", counted)
    small: dict[str, Any] = {"trials": 1, "seeds": 1, "replicates": 1}
    planned = study.plan("schedule", TASK, ["sgd"], ["constant", "cosine"], **small)
    assert not studying.run(planned, tmp_path, workers=1).failed
    assert gathered == [1]
    studying.run(planned, tmp_path, workers=1)
    assert gathered == [1]  # nothing to do, and nobody is called


def test_a_second_call_computes_nothing(width: studied.Studied) -> None:
    about = width.about
    files = {
        unit_file(width.folder / point.run, unit.name)
        for point in about.all_points
        for name in about.optimizers
        for unit in width.records(point, name)
    }
    before = {path: path.stat().st_mtime_ns for path in files}
    planned = study.plan("width", TASK, ["sgd", "adam"], [2, 4, 16], transfer=True, **SMALL)
    again = studying.run(planned, width.folder, workers=2)
    assert {path: path.stat().st_mtime_ns for path in files} == before
    assert again.about == about
    plain = study.plan("width", TASK, ["sgd", "adam"], [2, 4, 16], **SMALL)
    assert studying.predict(plain, width.folder, 2, SAME) == studying.predict(planned, width.folder, 2, SAME) == 0


def test_the_page_says_what_the_numbers_say(width: studied.Studied) -> None:
    page = report.make(width)
    html = page.read_text()
    assert "What does width do on diabetes(steps=20)?" in html
    assert "default-src 'none'" in html
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    assert not re.search(r"https?://|<link|@import|<img|<iframe", own)
    told = turned(width)
    with (page.parent / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3 * 2 * 3
    first = next(row for row in rows if (row["value"], row["optimizer"], row["replicate"]) == ("4", "adam", "1"))
    assert float(first["test"]) == pytest.approx(told.cells.test[1, 1, 1], rel=1e-5)
    made = {path.name for path in (page.parent / "figures").iterdir()}
    assert made == {f"{name}.{end}" for name in ("study", "ranks", "transfer") for end in ("png", "svg", "pdf")}
    assert any("Run with the setting tuned at 16" in words for words in study_words.answer(told))
    assert any("over 3 replicates" in words for words in study_words.limits(told))


def test_a_description_that_points_elsewhere_is_refused(width: studied.Studied, tmp_path: Path) -> None:
    points = [replace(width.about.points[0], run="../elsewhere"), *width.about.points[1:]]
    studied.write(tmp_path, replace(width.about, points=points))
    with pytest.raises(UserError, match="names runs that are none of its own"):
        studied.load(tmp_path)


@pytest.mark.parametrize(
    ("axis", "task", "changes", "words"),
    [
        ("depth", TASK, {}, "holds another study: width on .*, and this one is depth on "),
        ("width", "diabetes(steps=30)", {}, "and this one is width on diabetes.steps=30.;"),
        ("width", TASK, {"trials": 3}, "holds another study: trials 2, and this one is trials 3; choose another"),
    ],
)
def test_a_folder_of_another_study_is_refused_and_left_as_it_is(
    axis: str, task: str, changes: dict[str, int], words: str, width: studied.Studied, tmp_path: Path
) -> None:
    studied.write(tmp_path, width.about)
    before = (tmp_path / studied.FILE).read_bytes()
    with pytest.raises(UserError, match=words):
        studying.run(study.plan(axis, task, ["sgd", "adam"], [2, 4], **SMALL | changes), tmp_path)
    assert (tmp_path / studied.FILE).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [studied.FILE]


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no study in"):
        studied.load(tmp_path)
    (tmp_path / studied.FILE).write_text("[]")
    with pytest.raises(UserError, match="is damaged; the same `optgrid study` makes it anew"):
        studied.load(tmp_path)
    (tmp_path / studied.FILE).write_text(json.dumps({"schema": 99}))
    with pytest.raises(UserError, match="is of another version of optgrid"):
        studied.load(tmp_path)


# Numbers and words, of made-up results


def made_up(width: studied.Studied, test: np.ndarray) -> Turned:
    """The study with other test metrics, (3, 2, 8)."""
    told = turned(width)
    about = replace(told.studied.about, replicates=test.shape[-1])
    whole: dict[str, Any] = {name: np.ones(test.shape) for name in vars(told.cells)}
    cells = replace(told.cells, **whole | {"test": test, "diverged": np.zeros(test.shape)})
    times = np.full((*test.shape, 1), 5.0)
    return Turned(replace(told.studied, about=about), False, cells, None, None, 0.5, times)


def metrics(means: list[list[float]], noise: float = 0.01, replicates: int = 8) -> np.ndarray:
    rng = np.random.RandomState(0)
    return np.asarray(np.array(means)[..., None] + rng.normal(0, noise, (3, 2, replicates)))


def test_a_crossing_is_told(width: studied.Studied) -> None:
    told = made_up(width, metrics([[0.9, 0.5], [0.7, 0.7], [0.5, 0.9]]))
    assert study_words.crossings(told) == [(0, 1, 0, 2)]
    words = " ".join(study_words.answer(told))
    assert "The order of optimizers depends on the value: sgd is ahead of adam at 2 and behind it at 16" in words
    assert told.equal.tolist() == [[True, False], [True, True], [False, True]]


def test_a_change_of_order_that_is_noise_is_not_told(width: studied.Studied) -> None:
    told = made_up(width, metrics([[0.70, 0.69], [0.7, 0.7], [0.69, 0.70]], noise=0.05))
    assert study_words.crossings(told) == []
    words = " ".join(study_words.answer(told))
    assert "The order of optimizers depends" not in words
    assert "No value is told apart from 16, the task's own value for sgd and adam" in words


def test_equals_are_seldom_told_apart(width: studied.Studied) -> None:
    shown = 0
    for seed in range(60):
        test = np.random.RandomState(seed).normal(0.7, 0.05, (3, 2, 6))
        told = made_up(width, test)
        shown += bool((told.apart <= 0.05).any()) + bool((told.beside_base[1] <= 0.05).any())
    assert shown <= 13  # of 120 at 5 %, which 6 are expected of, and three standard errors


def test_what_keeping_a_setting_costs_is_said_as_its_interval_has_it(width: studied.Studied) -> None:
    told = made_up(width, metrics([[0.7, 0.7], [0.7, 0.7], [0.7, 0.7]]))
    noise = np.random.RandomState(1).normal(0, 0.005, (3, 2, 8))
    test = told.cells.test - np.array([[0.1, 0.0], [0.0, 0.0], [0.0, 0.0]])[..., None] + noise
    kept = replace(told, settled=told.cells, moved=replace(told.cells, test=test))
    mean, low, high, p = kept.regret
    assert mean[0, 0] == pytest.approx(0.1, abs=0.01)
    assert 0.09 < low[0, 0] < mean[0, 0] < high[0, 0] < 0.11  # pairs share what their starts do
    assert p[0, 0] <= 0.05 < np.nanmin(p.ravel()[1:])
    assert np.isnan(p[2]).all()
    (words,) = study_words._transfer(kept)
    assert "test r2 is worse for sgd at 2 by 0.1" in words
    assert "better for" not in words
    (words,) = study_words._transfer(replace(kept, moved=kept.settled, settled=kept.moved))
    assert "test r2 is better for sgd at 2 by 0.1" in words
    assert "which the luck of its search can do" in words


def test_values_of_one_start_are_pairs(width: studied.Studied) -> None:
    test = np.random.RandomState(0).normal(0.7, 0.2, (1, 2, 8)) + np.array([0.01, 0.02, 0.0])[:, None, None]
    test = test + np.random.RandomState(1).normal(0, 0.001, test.shape)
    told = made_up(width, test)
    assert (told.beside_base[1][:2] > 0.5).all()
    points = [replace(point, task="diabetes") for point in told.points]
    paired = replace(told, studied=replace(told.studied, about=replace(told.studied.about, points=points)))
    assert (paired.beside_base[1][:2] < 0.001).all()


def broken(width: studied.Studied, folder: str, ending: str) -> studied.Studied:
    """The study with sgd's final runs at one value diverged."""
    units = []
    for unit in width.runs[folder].units:
        bad = unit.meta["optimizer"].startswith("sgd") and unit.meta["task"].endswith(ending)
        arrays = {k: np.full_like(v, np.nan) if bad and k == "final/valid/loss" else v for k, v in unit.arrays.items()}
        units.append(replace(unit, arrays=arrays))
    return replace(width, runs={**width.runs, folder: replace(width.runs[folder], units=units)})


def test_what_diverged_has_learned_nothing_and_is_told(width: studied.Studied) -> None:
    told = turned(broken(width, "retuned", "width=4)"))
    starts = [unit.final("valid", "test/r2")[:, 0].min() for run in width.runs.values() for unit in run.units]
    assert (told.cells.test[1, 0] <= min(starts)).all()
    assert np.isnan(told.interval[1][1, 0])
    assert np.isfinite(told.interval[1][0]).all()
    assert "Some final runs diverged and count as the worst there is: sgd at 4." in study_words.limits(told)
    assert report._values(told)[1]["cells"][0]["range"] == "diverged"
    assert "diverged" not in " ".join(study_words.limits(turned(width)))


def test_a_kept_setting_that_diverges_is_named(width: studied.Studied) -> None:
    told = turned(broken(width, "transferred", "width=4)"))
    words = " ".join(study_words.limits(told))
    assert "Some final runs with the settings tuned at 16 diverged and count as the worst there is: sgd at 4." in words
    assert np.isnan(told.regret[1][1, 0])
    assert "lost by divergence for sgd at 4" in " ".join(study_words._transfer(told))


def test_choices_are_counted_where_something_is_chosen(width: studied.Studied) -> None:
    own = width.about.points[width.about.base]
    about = replace(width.about, points=[replace(own, text="folds"), own], base=1, transferred=[])
    words = "Of equal searches another setting was chosen than with 16: with folds in 0 of 6."
    assert study_words._choices(turned(replace(width, about=about))) == words
    untuned = [
        replace(unit, arrays={k: v for k, v in unit.arrays.items() if not k.startswith("hparams/")})
        for unit in width.runs["retuned"].units
    ]
    runs = {"retuned": replace(width.runs["retuned"], units=untuned)}
    assert study_words._choices(turned(replace(width, about=about, runs=runs))) == ""


def test_a_metric_that_falls_is_better_where_it_is_lower(width: studied.Studied) -> None:
    test = metrics([[0.9, 0.5], [0.9, 0.5], [0.9, 0.5]])
    told = replace(made_up(width, test), falls=True)
    assert told.ranks.tolist() == [[2, 1]] * 3
    assert replace(told, falls=False).ranks.tolist() == [[1, 2]] * 3


def test_zero_stands_before_the_least_on_a_logarithmic_axis(width: studied.Studied) -> None:
    told = turned(width)
    points = [replace(point, value=v) for point, v in zip(told.points, (0, 0.01, 1.0), strict=True)]
    moved = replace(told, studied=replace(told.studied, about=replace(told.studied.about, points=points)))
    assert moved.positions.tolist() == pytest.approx([-4, -2, 0])


def test_a_target_is_reached_on_the_line_between_readings() -> None:
    curves, at = np.array([[4.0, 2, 1], [4, 4, 3], [1, 5, 5], [np.nan, 2, 1]]), np.array([[0.0, 10, 20]] * 4)
    assert first_reach(curves, at, 2.5).tolist() == [7.5, np.inf, 0, 10]


def test_a_target_that_is_there_at_the_start_takes_one_evaluation(width: studied.Studied) -> None:
    times = times_to(width, -1e9, falls=False)
    assert (times == 1).all()
    told = replace(turned(width), times=times)
    assert study_figures.panels(told).figure.axes[1].get_yscale() == "log"
    assert "sgd 1 (1 to 1) at 2" in study_words._steps(told)


def test_a_gap_that_opens_is_told(width: studied.Studied) -> None:
    told = made_up(width, metrics([[0.7, 0.7]] * 3))
    assert "between training and validation rows is not shown to differ between 2 and 16" in study_words._gap(told)
    train = metrics([[0.7, 0.7], [0.8, 0.7], [0.9, 0.7]], noise=0.02)
    opened = replace(told, cells=replace(told.cells, train=train, valid=np.full(train.shape, 0.7)))
    assert study_words._gap(opened).endswith("is larger at 16 than at 2 for sgd.")


@pytest.mark.parametrize("lost", ["value", "base", "optimizer", "replicates", "all"])
@pytest.mark.parametrize("moved", [False, True])
def test_what_is_missing_leaves_a_page(lost: str, moved: bool, width: studied.Studied) -> None:
    at = {"value": np.s_[1], "base": np.s_[2], "optimizer": np.s_[:, 1], "replicates": np.s_[:, :, 1:], "all": np.s_[:]}
    told = made_up(width, metrics([[0.6, 0.7]] * 3))
    for values in (*vars(told.cells).values(), told.times):
        values[at[lost]] = np.nan
    told = replace(told, **dict.fromkeys(("moved", "settled"), told.cells if moved else None))
    html = report.render(told)
    assert ("Nothing was finished: there is no answer yet." in html) == (lost == "all")
    assert report.to_csv(told).startswith("axis,value,task")
    if lost != "all":
        assert study_figures.pictures(told)


def test_settings_at_the_edge_of_their_space_are_named(width: studied.Studied) -> None:
    run = width.runs["retuned"]
    moved = []
    for unit in run.units:
        arrays = dict(unit.arrays)
        if unit.meta["optimizer"] == "sgd" and unit.meta["task"].endswith("width=4)"):
            arrays["position/learning_rate"] = np.where(
                np.arange(2) == arrays["selected/valid"], 1.0, arrays["position/learning_rate"] / 2
            )
        moved.append(replace(unit, arrays=arrays))
    told = turned(replace(width, runs={**width.runs, "retuned": replace(run, units=moved)}))
    assert "sgd at 4 (upper learning_rate)" in study_words.at_edges(told)
    assert any("may be too narrow there: sgd at 4" in words for words in study_words.limits(told))
    assert "sgd at 4 (upper learning_rate)" not in study_words.at_edges(turned(width))


# The whole command


@pytest.mark.slow
def test_a_command_from_end_to_end(tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "bench", "study", "dropout", "--task", TASK, "--values", "0,0.2,0.5",
        "--optimizers", "sgd", "--trials", "2", "--seeds", "1", "--replicates", "2", "--out", str(tmp_path / "s"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "expected: about" in done.stdout
    page = tmp_path / "s/report/index.html"
    page.unlink()
    again = subprocess.run(
        [*command[:3], "report", tmp_path / "s"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert again.returncode == 0
    assert "What does dropout do on" in again.stdout
    assert page.is_file()
    fewer = subprocess.run([*command, "--values", "0,0.2"], capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert "the page of" in fewer.stderr
    assert "had also 0.5" in fewer.stderr
    listed = subprocess.run([*command[:4], "list"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert {line.split()[0] for line in listed.stdout.splitlines()} == set(axes.AXES)
    refused = subprocess.run([*command[:6], "--values", "0,2"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("axis", ["schedule", "learning-rate", "loss", "missing-values", "batch-size"])
def test_every_kind_of_axis_runs_and_has_a_page(axis: str, tmp_path: Path) -> None:
    task, names = ("digits(steps=30)", ["sgd", "adam"])
    planned = study.plan(axis, task, names, trials=1 if axis == "learning-rate" else 2, seeds=1, replicates=2)
    done = studying.run(planned, tmp_path, workers=2)
    assert not done.failed
    html = report.make(done).read_text()
    assert ("Training loss</h2>" in html) == (axis != "loss")
    assert np.isfinite(turned(done).means).all()
