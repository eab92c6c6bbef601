"""Scores and intervals against worked examples, SciPy where it has the same, and what must hold whatever the data."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array
from tests.simulated import INF, NAN, array, ragged, same, seeds, shapes, simulated, standard

# Scales and scores


def test_scale_of_a_task_by_hand() -> None:
    scores = array([[0.0, 0.2], [1.0, 1.2], [2.0, 2.2], [3.0, 3.2]])
    # means .1 1.1 2.1 3.1: quartiles .85 and 2.35; every cell has variance .02
    assert stats.noise(scores) == pytest.approx([np.sqrt(0.02)])
    assert stats.scales(scores) == pytest.approx([np.sqrt(1.5**2 + 9 * 0.02)])


def test_scaled_scores_by_hand() -> None:
    scores = array([[0.0, 0.2], [1.0, 1.2], [9.0, INF]])
    z = stats.scaled(scores, array(0.5))
    assert z == pytest.approx(array([[-2.2, -1.8], [-0.2, 0.2], [3.0, 3.0]]))  # the median of .1, 1.1 and 9 is 1.1
    assert stats.means(z) == pytest.approx([-2.0, 0.0, 3.0])


def test_diverged_and_missing_replicates_do_not_move_a_scale() -> None:
    scores = simulated(0)
    grown = np.concatenate([scores, np.full((4, 5, 1), NAN)], axis=2)
    assert stats.scales(grown) == pytest.approx(stats.scales(scores))
    grown[..., -1] = INF
    assert stats.scales(grown) == pytest.approx(stats.scales(scores))


@pytest.mark.parametrize(
    ("scores", "score"),
    [
        (array([[1.0, 2.0, 3.0]]), [0.0]),  # one optimizer: its own median
        (array([[1.0], [2.0]]), [-1.0, 1.0]),  # one replicate: an IQR of a half and no noise
        (array([[INF, INF], [INF, INF]]), [3.0, 3.0]),
        (array([[1.0, 1.0], [1.0, 1.0]]), [0.0, 0.0]),  # no spread at all
        (array([[1.0, 1.0], [NAN, NAN]]), [0.0, NAN]),
        (array([[INF, 1.0], [1.0, 1.0]]), [1.5, 0.0]),
    ],
)
def test_corner_cases_have_a_defined_score(scores: Array, score: list[float]) -> None:
    assert (stats.scales(scores) > 0).all()
    assert stats.means(standard(scores)) == pytest.approx(score, nan_ok=True)


def test_an_optimizer_without_every_task_is_not_complete() -> None:
    z = array([[[0.0, NAN], [0.0, 0.0]]], [[[0.0, 0.0], [NAN, NAN]]])[:, 0]
    assert stats.complete(z).tolist() == [True, False]


def test_centre_of_a_task_by_hand() -> None:
    # means .1, 1.1 and, of what is finite, 9; nothing finite on the second task
    scores = array([[0.0, 0.2], [1.0, 1.2], [9.0, INF]], [[NAN, NAN], [INF, INF], [NAN, INF]])
    assert stats.centres(scores) == pytest.approx([1.1, 0.0])
    z = stats.scaled(scores, array(0.5, 1.0), array(0.1, 7.0))
    assert z[0] == pytest.approx(array([-0.2, 0.2], [1.8, 2.2], [3.0, 3.0]))
    assert z[1] == pytest.approx(array([NAN, NAN], [3.0, 3.0], [NAN, 3.0]), nan_ok=True)


def test_without_a_centre_it_is_these_scores_own() -> None:
    scores = simulated(2)
    scale = stats.scales(scores)
    assert (stats.scaled(scores, scale) == stats.scaled(scores, scale, stats.centres(scores))).all()


@settings(max_examples=40, deadline=None)
@given(seeds, shapes, st.floats(-50, 50))
def test_with_frozen_units_another_optimizer_changes_nobodys_score(
    seed: int, shape: tuple[int, int, int], newcomer: float
) -> None:
    scores = ragged(seed, shape)
    scale, centre = stats.scales(scores), stats.centres(scores)
    grown = np.concatenate([scores, np.full((shape[0], 1, shape[2]), newcomer)], axis=1)
    before, after = stats.scaled(scores, scale, centre), stats.scaled(grown, scale, centre)
    assert np.array_equal(after[:, :-1], before, equal_nan=True)
    for aggregate in (stats.means, stats.iqm):
        assert np.array_equal(aggregate(after)[:-1], aggregate(before), equal_nan=True)
    for old, new in zip(stats.bootstrap(before, 50), stats.bootstrap(after, 50), strict=True):
        assert np.array_equal(new[:-1], old, equal_nan=True)


def test_without_frozen_units_it_does() -> None:
    scores = simulated(2)
    grown = np.concatenate([scores, scores[:, :1] + 5], axis=1)
    assert not same(standard(grown)[:, :-1], standard(scores))


@settings(max_examples=40, deadline=None)
@given(seeds, shapes, st.floats(1e-6, 1e6))
def test_a_tasks_losses_in_another_unit_are_the_same_scores(
    seed: int, shape: tuple[int, int, int], unit: float
) -> None:
    scores = ragged(seed, shape)
    losses = np.exp(scores)
    losses[0] *= unit
    moved = np.log(losses)
    assert same(stats.scales(moved), stats.scales(scores))
    assert same(stats.scaled(moved, stats.scales(moved), stats.centres(moved)), standard(scores))


# The interquartile mean


def test_iqm_by_hand() -> None:
    z = array([[0.0, 1.0], [3.0, 3.0]], [[2.0, -9.0], [3.0, 3.0]])  # first: -9 0 1 2 without its ends
    assert stats.iqm(z) == pytest.approx([0.5, 3.0])
    z[0, 0, 1] = NAN  # -9 0 2: a quarter of three is none
    assert stats.iqm(z) == pytest.approx([-7 / 3, 3.0])


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 4), (3, 2, 3), (7, 3, 5)])
def test_iqm_is_scipys_trimmed_mean(shape: tuple[int, int, int]) -> None:
    z = np.random.default_rng(0).normal(size=shape)
    z[np.random.default_rng(1).random(shape) < 0.2] = NAN
    theirs = [scipy.stats.trim_mean(runs[~np.isnan(runs)], 0.25) for runs in np.moveaxis(z, 1, 0)]
    assert stats.iqm(z) == pytest.approx(theirs)


def test_iqm_of_nothing_is_not_known() -> None:
    z = array([[NAN, NAN], [1.0, NAN]])
    assert stats.iqm(z) == pytest.approx([NAN, 1.0], nan_ok=True)
    assert stats.iqm(np.zeros((0, 2, 3))) == pytest.approx([NAN, NAN], nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(seeds, shapes)
def test_order_does_not_matter_to_an_aggregate(seed: int, shape: tuple[int, int, int]) -> None:
    z, rng = standard(ragged(seed, shape)), np.random.default_rng(seed)
    tasks, optimizers, replicates = (rng.permutation(size) for size in shape)
    for aggregate in (stats.means, stats.iqm):
        assert same(aggregate(z[tasks][:, :, replicates]), aggregate(z))
        assert same(aggregate(z[:, optimizers]), aggregate(z)[optimizers])


def test_a_disaster_on_fewer_than_a_quarter_of_the_tasks_moves_a_mean_only() -> None:
    z = np.zeros((5, 2, 3))
    z[0, 1] = 3.0
    assert stats.means(z) == pytest.approx([0.0, 0.6])
    assert stats.iqm(z).tolist() == [0.0, 0.0]


# Intervals


def test_bootstrap_is_as_wide_as_theory_says() -> None:
    z = np.random.default_rng(0).normal(size=(200, 1, 10))
    low, high = stats.bootstrap(z)
    tasks = z.mean(-1)[:, 0]
    # variance over tasks, and once more that of the replicates within them: conservative, as it is meant to be
    error = np.sqrt(tasks.var() / 200 + z.var(axis=-1).mean() / 10 / 200)
    assert (high - low) == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert (low + high) / 2 == pytest.approx([z.mean()], abs=0.2 * error)


def test_there_is_no_interval_over_tasks_or_replicates_alone() -> None:
    z = np.random.default_rng(0).normal(size=(4, 2, 5))
    assert (np.subtract(*stats.bootstrap(z)) < 0).all()
    for lacking in (z[:1], z[:, :, :1], z[:1, :, :1]):
        assert np.isnan(stats.bootstrap(lacking)).all()


def test_bootstrap_of_an_optimizer_is_its_own_affair() -> None:
    z = standard(simulated(1))
    low, high = stats.bootstrap(z)
    assert (low[2], high[2]) == tuple(float(end[0]) for end in stats.bootstrap(z[:, [2]]))
    z[:, 2, -1] = NAN  # a missing replicate is as if it had never been asked for
    assert [end[2] for end in stats.bootstrap(z)] != [low[2], high[2]]
    assert np.isfinite(stats.bootstrap(z)).all()


def test_t_interval_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5))
    mean, low, high = stats.t_interval(values)
    theirs = scipy.stats.ttest_1samp(values, 0, axis=-1).confidence_interval(0.95)
    assert low == pytest.approx(theirs.low)
    assert high == pytest.approx(theirs.high)
    assert mean == pytest.approx(values.mean(-1))
    assert np.isnan(stats.t_interval(array([1.0, NAN]))[1]).all()
    assert np.isnan(stats.t_interval(array([NAN, NAN]))).all()


def test_bootstrap_of_two_by_two_by_hand() -> None:
    # All 64 draws are equally likely. Task one twice and then 0 0 0 0 has 1/64, below 2.5 %; 0 0 0 1 in any order
    # another 4/64, and so at the other end.
    z = array([[0.0, 1.0]], [[10.0, 12.0]])
    assert [end[0] for end in stats.bootstrap(z)] == pytest.approx([0.25, 11.5])
    # Without the lowest and the highest of four, both are 0 and so is their sum of 5/64.
    assert [end[0] for end in stats.bootstrap(z, aggregate=stats.iqm)] == pytest.approx([0.0, 12.0])


def test_bootstrap_with_missing_replicates_leaves_them_out() -> None:
    z = array([[0.0, NAN, 1.0]], [[10.0, 12.0, NAN]])
    assert [end[0] for end in stats.bootstrap(z)] == pytest.approx([0.25, 11.5])


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_the_bootstrap_of_means_is_that_of_any_aggregate(missing: float) -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(5, 6, 4))
    z[rng.random(z.shape) < missing] = np.nan
    fast, slow = (
        stats.bootstrap(z, draws=300),
        stats.bootstrap(z, draws=300, aggregate=lambda drawn: stats.means(drawn)),
    )
    for one, other in zip(fast, slow, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    alone = stats.bootstrap(z[:, 2:3], draws=300)
    np.testing.assert_allclose([end[2] for end in fast], [end[0] for end in alone], rtol=1e-12, atol=1e-12)


def test_ranks_of_those_far_apart_are_sure() -> None:
    z = np.arange(3.0)[None, :, None] + np.zeros((4, 3, 5))
    low, high = stats.rank_intervals(z)
    assert low.tolist() == high.tolist() == [1, 2, 3]


def test_ties_share_the_better_rank() -> None:
    low, high = stats.rank_intervals(np.zeros((4, 3, 5)))
    assert low.tolist() == high.tolist() == [1, 1, 1]


def test_ranks_of_equals_span_both_places_and_the_incomplete_have_none() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 3, 4))
    z[0, 2] = np.nan
    low, high = stats.rank_intervals(z)
    assert low[:2].tolist() == [1, 1]
    assert high[:2].tolist() == [2, 2]
    assert np.isnan([low[2], high[2]]).all()
    assert np.isnan(stats.rank_intervals(z[:1])[0]).all()  # of one task nothing can be drawn


def test_a_rank_follows_who_takes_part_and_a_score_does_not() -> None:
    z = np.random.default_rng(1).normal(size=(6, 3, 4))
    better = np.concatenate([z, np.full((6, 1, 4), -9.0)], axis=1)
    assert np.array_equal(stats.rank_intervals(better)[0][:3], stats.rank_intervals(z)[0] + 1)
    assert np.array_equal(stats.bootstrap(better)[0][:3], stats.bootstrap(z)[0])
