"""Statistics against worked examples, SciPy where it has the same test, and what must hold whatever the data."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array

NAN, INF = np.nan, np.inf


def array(*values: object) -> Array:
    return np.array(values, dtype=float)


def simulated(seed: int, tasks: int = 4, optimizers: int = 5, replicates: int = 3, spread: float = 0.0) -> Array:
    """Log losses whose optimizers differ by `spread` times a normal draw; tasks differ in level and noise."""
    rng = np.random.default_rng(seed)
    level, noise = rng.normal(size=(tasks, 1, 1)) * 3, rng.uniform(0.1, 1.0, size=(tasks, 1, 1))
    better = spread * rng.normal(size=(1, optimizers, 1))
    return level + noise * (better + rng.normal(size=(tasks, optimizers, replicates)))


def standard(scores: Array) -> Array:
    return stats.scaled(scores, stats.scales(scores))


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


# Tests


def test_permutation_by_hand() -> None:
    # One task, 2 v 2: of six labellings the observed and its mirror are the most extreme.
    assert stats.permutation_test(array([0.0, 1.0]), array([2.0, 3.0])) == pytest.approx(2 / 6)
    # Two tasks of 1 v 1: four labellings, sums -3, 1, -1, 3.
    assert stats.permutation_test(array([0.0], [0.0]), array([1.0], [2.0])) == pytest.approx(2 / 4)
    assert stats.permutation_test(array([0.0], [0.0]), array([2.0], [-1.0])) == 1.0


@pytest.mark.parametrize("sizes", [(3, 3), (4, 6), (2, 5)])
def test_permutation_of_one_task_is_scipys(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    a, b = rng.normal(size=sizes[0]), rng.normal(0.7, size=sizes[1])
    theirs = scipy.stats.permutation_test(
        (a, b), lambda x, y, axis: np.abs(x.mean(axis) - y.mean(axis)), vectorized=True, alternative="greater"
    )
    assert stats.permutation_test(a[None], b[None]) == pytest.approx(theirs.pvalue)


def test_random_relabellings_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    z = standard(simulated(3, tasks=3, replicates=3, spread=0.8))
    exact = [stats.permutation_test(z[:, 0], z[:, other]) for other in range(1, 5)]
    monkeypatch.setattr(stats, "EXACT_LIMIT", 100)  # listed within a task, drawn across tasks
    assert [stats.permutation_test(z[:, 0], z[:, o]) for o in range(1, 5)] == pytest.approx(exact, abs=0.015)
    monkeypatch.setattr(stats, "EXACT_LIMIT", 1)  # drawn within a task too
    assert [stats.permutation_test(z[:, 0], z[:, o]) for o in range(1, 5)] == pytest.approx(exact, abs=0.015)


def test_permutation_without_a_common_task_knows_nothing() -> None:
    assert stats.permutation_test(array([0.0, 0.0], [NAN, NAN]), array([NAN, NAN], [9.0, 9.0])) == 1.0


def test_smallest_p_is_attained() -> None:
    apart = array([0.0, 0.1, 0.2], [0.0, 0.1, 0.2])
    assert stats.permutation_test(apart, apart + 5) == pytest.approx(stats.smallest_p(2, 3)) == pytest.approx(2 / 400)
    assert stats.smallest_p(1, 3) == pytest.approx(0.1)
    assert stats.smallest_p(12, 8) == pytest.approx(1 / 20_001)


def test_holm_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.01, 0.04], family=5) == pytest.approx([0.05, 0.16])
    assert stats.holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert stats.holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.data())
def test_holm_on_a_part_rejects_no_more_than_on_all(p: list[float], data: st.DataObject) -> None:
    part = data.draw(st.lists(st.sampled_from(range(len(p))), unique=True))
    whole, some = stats.holm(p), stats.holm([p[index] for index in part], family=len(p))
    assert all(whole[index] <= 0.05 for index, value in zip(part, some, strict=True) if value <= 0.05)


# Tiers


def test_tiers_of_a_clear_case() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, size=(4, 4, 3))
    z = noise + array(2.0, -1.0, -1.0, 0.5)[None, :, None]
    tier, p = stats.tiers(z)
    assert tier.tolist() == [3, 1, 1, 2]
    assert sorted(p.tolist())[0] <= 0.05
    assert np.isnan(p).sum() == 1  # the leader's


def test_tiers_leave_out_the_incomplete() -> None:
    z = np.zeros((2, 3, 3))
    z[1, 0] = NAN
    tier, p = stats.tiers(z)
    assert tier.tolist() == [0, 1, 1]
    assert np.isnan(p[0])
    assert stats.tiers(z[:, :1])[0].tolist() == [0]


def test_one_optimizer_is_a_tier() -> None:
    tier, p = stats.tiers(np.zeros((2, 1, 3)))
    assert tier.tolist() == [1]
    assert np.isnan(p).all()


def test_equals_are_told_apart_no_more_often_than_promised() -> None:
    boards = 200
    told = [(stats.tiers(standard(simulated(seed, tasks=3, optimizers=5)))[0] > 1).any() for seed in range(boards)]
    assert sum(told) <= scipy.stats.binom.ppf(0.999, boards, 0.05)


def test_a_pair_of_equals_is_told_apart_at_the_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    p = [stats.permutation_test(*rng.normal(size=(2, 3, 3))) for _ in range(400)]
    assert (
        scipy.stats.binom.ppf(0.001, 400, 0.05)
        <= np.sum(np.array(p) <= 0.05)
        <= scipy.stats.binom.ppf(0.999, 400, 0.05)
    )


def test_real_differences_are_told_apart() -> None:
    found = [(stats.tiers(standard(simulated(seed, spread=3.0)))[0] > 1).any() for seed in range(20)]
    assert np.mean(found) > 0.8


# Whatever the data

seeds = st.integers(0, 10_000)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))


def ragged(seed: int, shape: tuple[int, int, int]) -> Array:
    """Scores with missing and diverged replicates among them."""
    scores = simulated(seed, *shape, spread=1.0)
    fate = np.random.default_rng(seed).random(scores.shape)
    return np.where(fate < 0.1, NAN, np.where(fate > 0.9, INF, scores))


def verdict(scores: Array) -> tuple[Array, Array, Array, Array]:
    z = standard(scores)
    tier, p = stats.tiers(z)
    return stats.scales(scores), stats.means(z), tier.astype(float), p


def same(a: Array, b: Array) -> bool:
    return np.allclose(a, b, rtol=1e-7, atol=1e-7, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(seeds, shapes)
def test_order_does_not_matter(seed: int, shape: tuple[int, int, int]) -> None:
    scores, rng = ragged(seed, shape), np.random.default_rng(seed)
    scale, score, tier, p = verdict(scores)
    tasks, optimizers, replicates = (rng.permutation(size) for size in shape)
    other = verdict(scores[tasks][:, :, replicates])
    assert same(other[0], scale[tasks])
    assert same(other[1], score)
    if len(np.unique(np.round(score, 9))) == len(score):  # of exact equals the first leads
        assert same(other[2], tier)
        assert same(other[3], p)
        other = verdict(scores[:, optimizers])
        assert same(other[1], score[optimizers])
        assert same(other[2], tier[optimizers])
        assert same(other[3], p[optimizers])


@settings(max_examples=40, deadline=None)
@given(seeds, shapes, st.floats(-20, 20))
def test_units_of_a_loss_do_not_matter(seed: int, shape: tuple[int, int, int], shift: float) -> None:
    scores = ragged(seed, shape)
    moved = scores + shift * np.arange(1, shape[0] + 1)[:, None, None]
    assert all(same(a, b) for a, b in zip(verdict(scores), verdict(moved), strict=True))


@settings(max_examples=40, deadline=None)
@given(seeds, shapes)
def test_answers_are_within_their_bounds(seed: int, shape: tuple[int, int, int]) -> None:
    z = standard(ragged(seed, shape))
    score, (low, high), (tier, p) = stats.means(z), stats.bootstrap(z, draws=200), stats.tiers(z)
    known = ~np.isnan(score)
    assert (np.abs(score[known]) <= stats.LIMIT).all()
    assert (low[~np.isnan(low)] <= high[~np.isnan(high)]).all()
    assert ((tier > 0) == stats.complete(z)).all()
    assert ((p[~np.isnan(p)] > 0) & (p[~np.isnan(p)] <= 1)).all()
    if tier.any():
        leader = np.flatnonzero(tier == 1)[np.argmin(score[tier == 1])]
        assert score[leader] == np.min(score[tier > 0])
