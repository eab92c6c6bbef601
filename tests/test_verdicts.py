"""Verdicts on pairs: known answers, corrections, and how often equals are told apart."""

import numpy as np
import pytest

from bench import stats
from reports.boards import Board
from reports.verdicts import BETTER, NONE, WORSE, duels

TASKS, REPLICATES = 7, 8


def board(*shifts: float, noise: float = 0.1, seed: int = 0, lost: int = 0) -> Board:
    """A board of optimizers whose log losses are normal around a shift; the first `lost` runs of the first diverged."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(0, noise, (TASKS, len(shifts), REPLICATES)) + np.array(shifts)[:, None]
    scores[:, 0, :lost] = np.inf
    names = [chr(ord("a") + index) for index in range(len(shifts))]
    tasks = [f"task{t}" for t in range(TASKS)]
    one = np.ones(TASKS)
    return Board("optimization", tasks, names, scores, scores, one, 0 * one, [], tasks)


def test_a_large_difference_is_named_with_its_size() -> None:
    (duel,) = duels(board(-0.5, 0.0), [("a", "b")])
    assert duel.here.said == duel.there.said == BETTER
    assert {verdict.said for verdict in duel.tasks.values()} == {BETTER}
    assert duel.here.effect == pytest.approx(-0.5, abs=0.05)
    assert duel.here.low < -0.5 < duel.here.high
    assert duel.median == pytest.approx(np.exp(-0.5), abs=0.05)
    (back,) = duels(board(-0.5, 0.0), [("b", "a")])
    assert back.here.said == WORSE
    assert back.here.effect == -duel.here.effect
    assert (back.here.p, back.there.p) == (duel.here.p, duel.there.p)


def test_equals_are_not_told_apart_and_it_says_what_would_have_been() -> None:
    (duel,) = duels(board(0.0, 0.0, seed=3), [("a", "b")])
    assert duel.here.said == NONE
    assert 0.02 < duel.here.seen < 0.1  # 2.8 standard errors of 0.1 sqrt(2 / 8 / 7)
    assert all(0.1 < verdict.seen < 0.6 for verdict in duel.tasks.values())


def test_several_pairs_are_corrected_for_together() -> None:
    three = board(-0.06, 0.0, 0.0, seed=1)
    (alone,) = duels(three, [("a", "b")])
    together = duels(three, [("a", "b"), ("a", "c")])
    expected = stats.holm([duels(three, [pair])[0].here.p for pair in (("a", "b"), ("a", "c"))])
    assert [duel.here.p for duel in together] == pytest.approx(expected.tolist())
    assert together[0].here.p >= alone.here.p
    assert together[0].family == 2
    singles = [list(duels(three, [pair])[0].tasks.values()) for pair in (("a", "b"), ("a", "c"))]
    assert min(v.p for v in together[0].tasks.values()) >= min(v.p for v in singles[0])


def test_what_diverged_is_worse_without_a_size() -> None:
    (duel,) = duels(board(0.0, 0.0, lost=REPLICATES), [("a", "b")])
    assert duel.here.said == WORSE
    assert {verdict.said for verdict in duel.tasks.values()} == {WORSE}
    assert duel.median == np.inf
    assert np.isnan(next(iter(duel.tasks.values())).low)


def test_too_few_data_sets_can_show_nothing_for_tasks_like_these() -> None:
    few = board(-0.5, 0.0)
    few.data[:] = ["one"] * TASKS  # type: ignore[index]  # a list, as this file makes it
    (duel,) = duels(few, [("a", "b")])
    assert (duel.there.said, duel.there.seen) == (NONE, np.inf)
    assert duel.here.said == BETTER


def test_a_missing_task_is_left_out() -> None:
    lacking = board(-0.5, 0.0)
    lacking.scores[0, 0] = np.nan
    (duel,) = duels(lacking, [("a", "b")])
    assert duel.tasks["task0"].said == NONE
    assert duel.here.said == BETTER
    assert np.isfinite(duel.median)


def test_equals_are_told_apart_one_time_in_twenty() -> None:
    said = [duels(board(0.0, 0.0, seed=seed), [("a", "b")])[0] for seed in range(200)]
    here = sum(duel.here.said != NONE for duel in said)
    single = sum(any(verdict.said != NONE for verdict in duel.tasks.values()) for duel in said)
    assert stats.clopper_pearson(here, 200)[0] <= stats.LEVEL
    assert stats.clopper_pearson(single, 200)[0] <= stats.LEVEL
    assert here > 0  # no verdict that could never be given


def test_welchs_interval_and_test_agree() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        a, b = rng.normal(size=8), rng.normal(0.8, 2, size=6)
        low, high = stats.welch_interval(a, b)
        assert (stats.welch(a, b) <= 0.05) == (low > 0 or high < 0)
    assert np.isnan(stats.welch_interval(a[:1], b)).all()
    assert stats.welch_interval(np.ones(3), np.zeros(3)) == (1.0, 1.0)
