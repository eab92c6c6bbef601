"""Corrections and tiers against worked examples, statsmodels and SciPy, and what must hold whatever the data."""

from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench import stats
from bench.stats import Array, Control
from tests.simulated import NAN, array, ragged, same, seeds, shapes, simulated, standard

# Corrections


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


def test_false_discovery_by_hand() -> None:
    # Times 4 / rank: .02 .02 .04 .04, and none above the next.
    assert stats.false_discovery([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert stats.false_discovery([0.01, 0.04], family=5) == pytest.approx([0.05, 0.1])
    assert stats.false_discovery([0.6, 0.9]) == pytest.approx([0.9, 0.9])
    assert stats.false_discovery([]).shape == (0,)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1e-3, 0.01, 0.02, 0.05, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=9))
@pytest.mark.slow
def test_corrections_are_those_of_other_packages(p: list[float]) -> None:
    assert stats.holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert stats.false_discovery(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])
    assert stats.false_discovery(p) == pytest.approx(scipy.stats.false_discovery_control(p))


@pytest.mark.parametrize("adjust", [stats.holm, stats.false_discovery])
def test_a_family_holds_its_hypotheses(adjust: object) -> None:
    assert callable(adjust)
    with pytest.raises(ValueError, match="family of 1"):
        adjust([0.1, 0.2], family=1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.data())
def test_false_discovery_on_a_part_rejects_no_more_than_on_all(p: list[float], data: st.DataObject) -> None:
    part = data.draw(st.lists(st.sampled_from(range(len(p))), unique=True))
    whole, some = stats.false_discovery(p), stats.false_discovery([p[index] for index in part], family=len(p))
    assert all(whole[index] <= value + 1e-12 for index, value in zip(part, some, strict=True))


def test_what_a_board_promises_depends_on_how_many_are_on_it() -> None:
    assert [stats.usual_control(count).name for count in (1, 20, 21, 80)] == ["family-wise"] * 2 + [
        "false-discovery"
    ] * 2


def test_the_least_that_a_board_can_show() -> None:
    assert stats.FAMILY_WISE.least(1, 5, 4) == pytest.approx(6 * 2 / 252)
    assert stats.FALSE_DISCOVERY.least(1, 5, 4) == pytest.approx(2 / 252)
    assert stats.FAMILY_WISE.least(1, 1, 4) == stats.FAMILY_WISE.least(1, 5, 1) == 1.0


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


def test_real_differences_are_told_apart() -> None:
    found = [(stats.tiers(standard(simulated(seed, spread=3.0)))[0] > 1).any() for seed in range(20)]
    assert np.mean(found) > 0.8


def test_p_of_all_pairs() -> None:
    z = standard(simulated(5, spread=1.0))
    z[0, 3] = NAN
    p = stats.pairwise(z)
    assert (p == p.T).all()
    assert (np.diag(p) == 1).all()
    assert p[1, 3] == stats.permutation_test(z[:, 1], z[:, 3]) < 1


@pytest.mark.parametrize(
    "shape",
    [
        (3, 5, 3),  # 8,000 relabellings, all counted
        (6, 5, 3),  # drawn from the 20 ways of each task
        (2, 4, 11),  # drawn one by one, as each task alone has 705,432 ways
        (1, 3, 1),
        (0, 3, 2),
    ],
)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_all_pairs_together_are_tested_as_each_alone(shape: tuple[int, int, int], missing: float) -> None:
    rng = np.random.default_rng(sum(shape))
    z = rng.normal(size=shape) + np.linspace(0, 1, shape[1])[:, None]
    z[rng.random(shape) < missing] = NAN
    p = stats.pairwise(z)
    for a, b in combinations(range(shape[1]), 2):
        assert p[a, b] == p[b, a] == pytest.approx(stats.permutation_test(z[:, a], z[:, b]), rel=1e-12)


def test_pairs_of_ties_and_of_infinite_scores() -> None:
    z = np.round(np.random.default_rng(0).normal(size=(6, 4, 3)))  # many sums are equal but for rounding
    p = stats.pairwise(z / 3)
    for a, b in combinations(range(4), 2):
        assert p[a, b] == stats.permutation_test(z[:, a] / 3, z[:, b] / 3)
    z[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="infinite score"):
        stats.pairwise(z)


def test_many_optimizers_are_told_apart_under_false_discovery_control_only() -> None:
    # One task, 25 far apart: each of 300 pairs has the least p of 5 v 5, which Holm multiplies by 300.
    z = (np.arange(25.0)[None, ::-1, None] + 0.1 * np.arange(5)) / 10
    tier, p = stats.tiers(z)
    assert tier.tolist() == list(range(25, 0, -1))
    assert p[:-1] == pytest.approx(2 / 252)
    tier, p = stats.tiers(z, stats.FAMILY_WISE)
    assert tier.tolist() == [1] * 25
    assert p[:-1] == pytest.approx(1.0)
    assert stats.tiers(z[:, :20])[0].tolist() == [1] * 20


@pytest.mark.parametrize(("control", "method"), [(stats.FAMILY_WISE, "holm"), (stats.FALSE_DISCOVERY, "fdr_bh")])
def test_tiers_are_those_of_a_naive_count(control: Control, method: str) -> None:
    several: set[int] = set()
    for seed in range(10):
        z = standard(simulated(seed, tasks=3, optimizers=6, spread=1.0))
        pairs = list(combinations(range(6), 2))
        adjusted = multipletests([stats.permutation_test(z[:, a], z[:, b]) for a, b in pairs], method=method)[1]
        apart = {frozenset(pair): value for pair, value in zip(pairs, adjusted, strict=True)}
        tier, p = stats.tiers(z, control)
        several.add(int(tier.max()))
        score = stats.means(z)
        best = int(np.argmin(score))
        assert [p[o] for o in range(6) if o != best] == pytest.approx(
            [apart[frozenset((best, o))] for o in range(6) if o != best]
        )
        for number in range(1, tier.max() + 1):
            left = np.flatnonzero(tier >= number).tolist()
            leader = min(left, key=lambda o: score[o])
            behind = {o for o in left if apart.get(frozenset((leader, o)), 1.0) <= 0.05}
            assert set(np.flatnonzero(tier > number)) == behind
    assert len(several) > 1


def test_order_of_optimizers_does_not_matter_to_drawn_relabellings() -> None:
    z = standard(simulated(7, tasks=8, spread=0.3))
    tier, p = stats.tiers(z)
    order = np.array([3, 1, 4, 0, 2])
    assert (stats.tiers(z[:, order])[0] == tier[order]).all()
    assert np.array_equal(stats.tiers(z[:, order])[1], p[order], equal_nan=True)
    assert (p[~np.isnan(p)] > 1 / 20_001).any()


# Whatever the data


def verdict(scores: Array) -> tuple[Array, Array, Array, Array]:
    z = standard(scores)
    tier, p = stats.tiers(z)
    return stats.scales(scores), stats.means(z), tier.astype(float), p


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
    scale, score, tier, p = verdict(scores)
    other = verdict(scores + shift * np.arange(1, shape[0] + 1)[:, None, None])
    assert same(other[0], scale)
    assert same(other[1], score)
    if len(np.unique(np.round(score, 9))) == len(score):  # of equals the rounding says who leads
        assert same(other[2], tier)
        assert same(other[3], p)


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
