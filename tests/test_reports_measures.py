"""The boards of speed and of robustness: every number by hand on made-up records, their sentences, odd runs."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import constants, stats
from bench.records import Record
from bench.results import Results
from reports import drawing, measures, standings, targets, tuning
from reports.boards import boards
from reports.standings import Line
from tests.test_reports import STEPS, diverge, odd_runs, record, run

STEP = [0.0, 20.0, 40.0, 60.0]


def unit(optimizer: str, replicate: int = 0, changes: Mapping[str, Any] | None = None) -> Record:
    return record("flowers", optimizer, replicate, **(changes or {}))


def finals(*curves: list[float]) -> np.ndarray:
    """Final training losses of trial 2, which training loss selects, (2, seeds, points); trial 0's reach nothing."""
    return np.array([np.full((len(curves), 4), 9.0), curves], np.float32)


def falls(at: int) -> list[float]:
    """A curve that is down at 1 after so many of the 60 steps, linear in log loss, and stays there; 0 for never."""
    return [9.0 if not at or step < at else 1.0 for step in STEP]


def timed_to(results: Results, optimizer: str, target: float = 1.0) -> np.ndarray:
    found = measures.speed(results)
    assert found.targets[0] == pytest.approx(target)
    return found.times[0, found.optimizers.index(optimizer)]


def frozen(monkeypatch: pytest.MonkeyPatch, target: float = 1.0) -> None:
    known = constants.Measure(0.0, 1.0, target, 0.1, {})
    monkeypatch.setattr(constants, "measure", lambda *_: known)


def raced(folder: Path, monkeypatch: pytest.MonkeyPatch, timed: bool = True) -> Results:
    """Two optimizers on one task, two replicates of two seeds: a is down at 20, 40, 40 and never, b never but once."""
    frozen(monkeypatch)
    ends = {"a": ((20, 40), (40, 0)), "b": ((0, 0), (0, 60))}
    units = [
        unit(name, r, {"final/train/loss": finals(*map(falls, seeds))})
        for name, of in ends.items()
        for r, seeds in enumerate(of)
    ]
    return run(folder, units, tasks=["flowers"], optimizers=["a", "b"], replicates=2, timed=timed)


# Speed


def test_times_to_a_target_are_evaluations_linear_in_log_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch, 3.0)  # halfway in log loss from 9 to 1
    results = run(tmp_path, [unit("a", 0, {"final/train/loss": finals(falls(40), falls(0))})], ["flowers"], ["a"], 1)
    np.testing.assert_allclose(timed_to(results, "a", 3.0), [[30.0, np.inf]], rtol=1e-6)


def test_times_count_the_evaluations_that_were_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch)
    spent = np.broadcast_to(np.array([0, 24, 48, 72], np.int32), (2, 2, 4))
    changes = {"final/train/loss": finals(falls(20), falls(60)), "final/grad_evals": spent}
    results = run(tmp_path, [unit("a", 0, changes)], ["flowers"], ["a"], 1)
    assert timed_to(results, "a").tolist() == [[24.0, 72.0]]
    found = measures.speed(results)
    assert found.left.ravel() == pytest.approx([(1 - 24 / 60) / 2])  # the other is beyond the budget
    assert found.ert.ravel() == pytest.approx([24 + 60])
    assert found.reached[0].item() == 1


def test_the_speed_board_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = measures.speed(raced(tmp_path, monkeypatch))
    np.testing.assert_allclose(found.left[0, 0], [(2 / 3 + 1 / 3) / 2, (1 / 3 + 0) / 2])
    np.testing.assert_allclose(found.left[0, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.score, [1 / 3, 0.0], atol=1e-12)
    assert standings.speed(found).lines[1].cells["budget left"] == "0 %"
    np.testing.assert_allclose(found.ert, [[(20 + 40 + 40 + 60) / 3, 240.0]])
    assert [counts.tolist() for counts in found.reached] == [[[3, 1]], [[4, 4]]]
    np.testing.assert_allclose(measures.beside_best(found.ert), [[1.0, 240 / (160 / 3)]])
    np.testing.assert_allclose(found.seconds, found.ert * 1.1e-5)
    assert found.own == []
    low, high = (end[0] for end in found.ert_interval)
    assert low == pytest.approx([30.0, 120.0])  # the first replicate alone; the second alone
    assert high == pytest.approx([100.0, np.inf])


def test_speed_is_told_with_its_tiers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = standings.speed(measures.speed(raced(tmp_path, monkeypatch)))
    first, second = board.lines
    assert board.answer == (
        "a reaches the targets first: it leaves 33 % of the budget on average; b is not told apart from it."
    )
    assert first.cells == {
        "tier": "1", "optimizer": "a", "budget left": "33 %", "95 % interval": "–", "p": "–", "reached": "3/4",
        "evaluations / best": "1.00×", "seconds / best": "1.00×",
    }  # fmt: skip
    assert (second.cells["reached"], second.cells["evaluations / best"]) == ("1/4", "4.50×")
    assert first.tasks["flowers"] == ("53", "3/4, 5.9e-4 s")
    few = board.notes[1:]
    assert few[0].startswith("Too few tasks (1)")
    assert few[1].startswith("So few replicates cannot tell")


def leaving(shares: dict[str, float], tasks: int = 8) -> measures.Speed:
    """Speed of optimizers that leave about that much of the budget on each of so many tasks, in three replicates."""
    times = np.array([[[[100 * (1 - share) + r] for r in range(3)] for share in shares.values()]] * tasks)
    names = [f"t{t}" for t in range(tasks)]
    none = np.full(times.shape[:2], np.nan)
    return measures.Speed(names, list(shares), np.ones(tasks), [], np.full(tasks, 100.0), times, none)


def test_who_is_slower_is_named() -> None:
    found = leaving({"c": 0.2, "a": 0.6, "b": 0.6})
    assert standings.speed_answer(found) == (
        "a reaches the targets first: it leaves 59 % of the budget on average; b is not told apart from it; "
        "c is slower."
    )
    assert standings.speed_answer(leaving({"a": 0.6, "c": 0.2})).endswith("on average; c is slower.")
    assert standings.speed_answer(leaving({"a": 0.6})).endswith("on average; there is nothing to compare it with.")
    assert standings.speed_answer(leaving({"a": -1.0})) == (
        "No ranked optimizer reaches a target with any of its budget left."
    )
    low, high = (end[1] for end in found.interval)
    assert low <= found.score[1] <= high
    assert found.score[1] == pytest.approx(0.59)


def test_without_constants_targets_are_the_runs_own(tmp_path: Path) -> None:
    results = run(tmp_path)
    found = measures.speed(results)
    assert found.own == results.tasks
    assert found.targets[0] == constants.target(results, results.tasks[0], "train", "train")[0]
    assert "all targets are this run's own" in standings.speed(found).notes[1]
    assert "60 % of the optimizers" in standings.own_targets(found)
    assert "the targets of prices are" in standings.own_targets(
        measures.Speed(
            found.tasks, found.optimizers, found.targets, ["prices"], found.budgets, found.times, found.step_s
        )
    )


def test_a_task_whose_frozen_target_is_none_has_the_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch, np.nan)
    results = run(tmp_path)
    found = measures.speed(results)
    assert found.own == results.tasks
    assert found.targets[0] == constants.target(results, results.tasks[0], "train", "train")[0]


# Robustness


def test_the_curve_of_tuning_is_that_of_each_number_of_trials_alone(tmp_path: Path) -> None:
    found = measures.robustness(run(tmp_path))
    for board, values in found.tuning.items():
        mean, low, high = found.curve(board)
        for k in range(values.shape[-1]):
            ends = stats.bootstrap(values[..., k], draws=measures.DRAWS)
            each = np.exp([stats.means(values[..., k]), *ends])
            np.testing.assert_allclose([mean[:, k], low[:, k], high[:, k]], each, rtol=1e-12)


def searched(start: float, ends: list[float], rates: list[float] | None = None) -> dict[str, np.ndarray]:
    """A search's curves on both splits; validation losses are twice the training losses."""
    curve = np.linspace([start] * len(ends), ends, 4, axis=1)
    found = {"search/train/loss": curve, "search/valid/loss": 2 * curve}
    return found | ({} if rates is None else {"hparams/learning_rate": np.array(rates)})


def tried(folder: Path) -> measures.Robustness:
    """One optimizer on one task, two searches of four trials; of the first, one diverges and one ends too high."""
    first = searched(8.0, [4.0, 1.0, np.nan, 16.0], [0.1, 0.01, 10.0, 1.0])
    second = searched(8.0, [2.0, 2.0, 1.0, 4.0], [0.1, 0.1, 0.02, 1.0])
    units = [unit("a", r, changes) for r, changes in enumerate((first, second))]
    return measures.robustness(run(folder, units, ["flowers"], ["a"], 2))


def test_the_robustness_board_by_hand(tmp_path: Path) -> None:
    found = tried(tmp_path)
    assert found.failed.tolist() == [[[2.0, 0.0]]]
    assert found.trials.tolist() == [[[4.0, 4.0]]]
    assert found.failures[0].tolist() == [0.25]
    np.testing.assert_allclose(np.exp(found.cost[0, 0]), [4.0, 2.0])
    assert found.costs[0] == pytest.approx([np.sqrt(8)])
    # Good are 0.01 to 0.02, and from there as far towards 0.1, at 2, as log loss has risen by log 1.1.
    width = np.log10(2) + np.log(1.1) / np.log(2) * np.log10(0.1 / 0.02)
    assert found.basin.item() == pytest.approx(width)


@pytest.mark.parametrize("board", list(constants.RULES))
def test_the_expected_best_of_trials_by_hand(tmp_path: Path, board: str) -> None:
    curve, low, high = tried(tmp_path).curve(board)
    logs = [np.log([4, 1, 8, 8]), np.log([2, 2, 1, 4])]  # a failed trial counts as its start
    pairs = [[min(x[i], x[j]) for i in range(4) for j in range(i)] for x in logs]
    expected = [np.mean(logs), np.mean(pairs), None, 0.0]
    for k in (0, 1, 3):
        assert np.log(curve[0, k]) == pytest.approx(expected[k], abs=1e-9)
    assert np.isnan(low).all()
    assert np.isnan(high).all()  # of one task there is no interval


def test_tuning_is_beside_the_best_of_all_searches(tmp_path: Path) -> None:
    units = [unit("a", r, searched(8.0, [4.0, best, 4.0, 4.0])) for r, best in enumerate((1.0, 2.0))]
    found = measures.robustness(run(tmp_path, units, ["flowers"], ["a"], 2))
    assert found.curve("optimization")[0][0, 3] == pytest.approx(np.sqrt(2))
    np.testing.assert_allclose(np.exp(found.cost[0, 0]), [4.0, 2.0])  # the defaults' cost is beside their own search


def test_losses_below_the_floor_are_equals(tmp_path: Path) -> None:
    found = measures.robustness(
        run(tmp_path, [unit("a", 0, searched(8.0, [1e-9, 1e-6, 1.0, 1.0]))], ["flowers"], ["a"])
    )
    assert found.cost.ravel().tolist() == [0.0]


def test_robustness_is_told(tmp_path: Path) -> None:
    found = tried(tmp_path)
    board = standings.robustness(found)
    assert board.answer == (
        "Untuned defaults cost least with a, 2.83× the loss of the best trial on average; good learning rates span "
        f"most decades with a ({found.basin.item():.2f}); a fails least, in 25.0 % of the trials."
    )
    (line,) = board.lines
    assert line.cells["failed"] == "2/8, 25 %"
    assert line.cells["defaults cost"] == "2.83×"
    assert line.cells["best of 4"] == "1.00×"
    assert line.tasks["flowers"] == ("2.83×", f"2/8, {found.basin.item():.2f}")


def test_equals_are_named_together(tmp_path: Path) -> None:
    search: Mapping[str, Any] = searched(8.0, [4.0, 1.0, 2.0, 2.0], [0.1, 0.01, 10.0, 1.0])
    units = [record(task, name, r, **search) for name in "ab" for r in range(2) for task in ("flowers", "prices")]
    answer = standings.robustness_answer(measures.robustness(run(tmp_path, units, optimizers=["a", "b"], replicates=2)))
    assert "cost least with a and b, 4.00×" in answer
    assert "a and b fail least, in 0.0 %" in answer


def test_a_search_that_failed_altogether_is_no_cheap_default(tmp_path: Path) -> None:
    full = run(tmp_path)
    units = [diverge(u) if u.cell == ("prices", "adam") else u for u in full.units]
    found = measures.robustness(run(tmp_path, units))
    o = found.optimizers.index("adam")
    assert np.isnan(found.cost[found.tasks.index("prices"), o]).all()
    assert found.order[-1] == o
    assert "adam" not in standings.robustness_answer(found)
    last = standings.robustness(found).lines[-1]
    assert last.cells["optimizer"] == "adam (on 1/2 tasks)"
    assert not last.ranked
    assert last.values["failed"] == 12
    assert last.values["prices/failed"] == 12


def test_no_failures_have_no_interval(tmp_path: Path) -> None:
    mean, low, high = measures.robustness(run(tmp_path)).failures
    assert mean.tolist() == [0.0] * 3
    assert np.isnan([low, high]).all()


# Files, page and pictures


def test_the_files_hold_what_is_shown(tmp_path: Path) -> None:
    results = run(tmp_path)
    for board in standings.standings(results):
        rows = list(csv.DictReader(io.StringIO(standings.to_csv(board))))
        assert [row["optimizer"] for row in rows] == [line.optimizer for line in board.lines]
        assert set(rows[0]) == set(board.lines[0].values)
    speed, robust = (list(csv.DictReader(io.StringIO(standings.to_csv(b)))) for b in standings.standings(results))
    assert float(speed[0]["left"]) == pytest.approx(max(measures.speed(results).score))
    assert float(robust[0]["defaults_cost"]) == pytest.approx(min(measures.robustness(results).costs[0]))
    assert float(robust[0]["best_of_4_low"]) <= float(robust[0]["best_of_4"]) <= float(robust[0]["best_of_4_high"])


def test_the_markdown_says_both(tmp_path: Path) -> None:
    both = standings.standings(run(tmp_path))
    markdown = standings.to_markdown(both)
    for board in both:
        assert f"## {board.name.capitalize()}" in markdown
        for head in board.lines[0].cells:
            assert head in markdown


@pytest.mark.parametrize("name", list(odd_runs(Path())))
def test_odd_runs_have_both_boards(name: str, tmp_path: Path) -> None:
    results = odd_runs(tmp_path)[name]
    both = standings.standings(results)
    assert len(both) == (0 if name == "nothing" else 2)
    for board in both:
        assert {line.optimizer for line in board.lines} == set(results.optimizers)
        assert board.answer.endswith(".")
        assert "nan" not in board.answer
        assert all("nan" not in cell for line in board.lines for cell in shown(line))


def shown(line: Line) -> list[str]:
    return [*line.cells.values(), *(part for pair in line.tasks.values() for part in pair)]


def test_a_cell_that_is_not_there_is_not_ranked_on_speed(tmp_path: Path) -> None:
    found = measures.speed(odd_runs(tmp_path)["missing"])
    board = standings.speed(found)
    assert board.lines[-1].optimizer == "adam"
    assert board.lines[-1].cells["tier"] == "–"
    assert board.lines[-1].cells["reached"].endswith(", on 1/2 tasks")
    assert board.lines[-1].tasks["prices"] == ("–", "")


def test_what_diverged_reaches_nothing(tmp_path: Path) -> None:
    found = measures.speed(odd_runs(tmp_path)["all diverged"])
    assert np.isnan(found.targets).all()
    assert np.isinf(found.times).all()
    assert found.score.tolist() == [0.0] * 3
    assert "No ranked optimizer reaches a target" in standings.speed_answer(found)
    assert standings.robustness_answer(measures.robustness(odd_runs(tmp_path)["all diverged"])).startswith(
        "No optimizer"
    )


def test_targets_at_the_start_cost_one_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(monkeypatch, 100.0)
    results = run(tmp_path)
    found = measures.speed(results)
    assert (found.ert == 1).all()
    assert (found.left == 1).all()
    with drawing.theme():
        assert targets.targets(found, boards(results)).figure.axes


def test_pictures_say_whose_targets_and_what_bars_are(tmp_path: Path) -> None:
    results = run(tmp_path)
    both = boards(results)
    with drawing.theme():
        pictures = [f(measures.speed(results), both) for f in (targets.targets, targets.steps_to_target)]
        more = [f(measures.robustness(results), both) for f in (tuning.tunability, tuning.defaults)]
    assert all("this run's own" in picture.caption for picture in pictures)
    assert all("95 %" in picture.caption for picture in [*pictures, *more])


def test_a_budget_is_in_evaluations() -> None:
    assert STEP[-1] == STEPS
