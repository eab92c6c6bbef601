"""Power and agreement against published tables, SciPy and statsmodels, and what must hold whatever the data."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.power import TTestIndPower

from bench import stats
from tests.simulated import INF, NAN, array, seeds

# What could have been seen


@pytest.mark.parametrize(("difference", "replicates"), [(0.5, 64), (0.8, 26), (1.0, 17), (1.2, 12)])
def test_detectable_differences_are_cohens(difference: float, replicates: int) -> None:
    # Cohen, 1988, table 2.4.1: the replicates a side that show it at 5 % with a power of 80 %
    assert stats.detectable(1.0, replicates, replicates) <= difference
    assert stats.detectable(1.0, replicates - 1, replicates - 1) > difference


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 3), (8, 8), (5, 20), (20, 5), (2, 100)])
@pytest.mark.parametrize(("level", "power"), [(0.05, 0.8), (0.2, 0.3)])
def test_detectable_has_the_power_that_statsmodels_says(a: int, b: int, level: float, power: float) -> None:
    difference = stats.detectable(0.3, a, b, level, power)
    assert TTestIndPower().power(difference / 0.3, a, level, b / a) == pytest.approx(power, abs=1e-8)


@pytest.mark.parametrize(("a", "b"), [(2, 2), (3, 3), (8, 8), (5, 20)])
@pytest.mark.parametrize(("level", "power"), [(0.05, 0.8), (0.01, 0.95), (0.001, 0.999)])
def test_detectable_is_a_normal_and_a_chi_squared_variable(a: int, b: int, level: float, power: float) -> None:
    # t is (shift + normal) / sqrt(chi^2 / degrees): the normal's tails, averaged over the chi^2 variable's quantiles.
    shift, degrees = stats.detectable(1.0, a, b, level, power) / np.sqrt(1 / a + 1 / b), a + b - 2
    quantiles = (np.arange(1_000_000) + 0.5) / 1_000_000
    limit = scipy.stats.t.isf(level / 2, degrees) * np.sqrt(scipy.stats.chi2.ppf(quantiles, degrees) / degrees)
    assert (scipy.stats.norm.sf(limit - shift) + scipy.stats.norm.cdf(-limit - shift)).mean() == pytest.approx(
        power, abs=1e-6
    )


def test_detectable_by_theory() -> None:
    # With so many replicates t is normal: (z of 97.5 % + z of 80 %) standard errors.
    expected = (1.959964 + 0.841621) * np.sqrt(2 / 100_000)
    assert stats.detectable(1.0, 100_000, 100_000) == pytest.approx(expected, rel=1e-4)
    assert stats.detectable(0.0, 8, 8) == 0.0
    assert stats.detectable(1.0, 1, 20) == stats.detectable(1.0, 20, 0) == INF


@pytest.mark.parametrize(
    ("sd", "level", "power"), [(-1.0, 0.05, 0.8), (NAN, 0.05, 0.8), (1.0, 0.0, 0.8), (1.0, 0.05, 1.0), (1.0, 0.5, 0.5)]
)
def test_what_has_no_detectable_difference(sd: float, level: float, power: float) -> None:
    with pytest.raises(ValueError, match="detectable"):
        stats.detectable(sd, 8, 8, level, power)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(1e-3, 1e3))
def test_more_replicates_detect_less(a: int, b: int, sd: float) -> None:
    found = stats.detectable(sd, a, b)
    assert stats.detectable(sd, b, a) == pytest.approx(found)
    assert stats.detectable(1.0, a, b) * sd == pytest.approx(found)
    assert stats.detectable(sd, a + 1, b) < found
    assert stats.detectable(sd, a, b, power=0.9) > found
    assert stats.detectable(sd, a, b, level=0.01) > found


# Shares


def test_clopper_pearson_by_hand() -> None:
    # None of n: the highest share of which none are seen with a chance of 2.5 %.
    assert stats.clopper_pearson(0, 10) == pytest.approx((0.0, 1 - 0.025**0.1))
    assert stats.clopper_pearson(10, 10) == pytest.approx((0.025**0.1, 1.0))
    assert stats.clopper_pearson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (1, 20), (10, 200), (199, 200)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_clopper_pearson_is_scipys(k: int, n: int, level: float) -> None:
    theirs = scipy.stats.binomtest(k, n).proportion_ci(level, "exact")
    assert stats.clopper_pearson(k, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@pytest.mark.parametrize(("k", "n", "level"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 0.0), (1, 3, 1.0)])
def test_what_is_no_share(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="interval"):
        stats.clopper_pearson(k, n, level)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.3, 0.5])
def test_clopper_pearson_covers_as_often_as_it_says(share: float) -> None:
    inside = [low <= share <= high for low, high in (stats.clopper_pearson(k, 25) for k in range(26))]
    assert scipy.stats.binom.pmf(np.arange(26), 25, share)[inside].sum() >= 0.95


# Agreement


def test_kendall_by_hand() -> None:
    assert stats.kendall_tau(array(1, 2, 3), array(4, 5, 6)) == pytest.approx(1.0)
    assert stats.kendall_tau(array(1, 2, 3), array(3, 2, 1)) == pytest.approx(-1.0)
    assert stats.kendall_tau(array(1, 2, 3), array(1, 3, 2)) == pytest.approx(1 / 3)
    assert stats.kendall_tau(array(1, 1, 2), array(1, 2, 3)) == pytest.approx(2 / np.sqrt(6))
    assert stats.kendall_tau(array(1, 2, INF), array(1, 2, INF)) == pytest.approx(1.0)
    assert stats.kendall_tau(array(1, 2, NAN, 0), array(1, 2, 0, NAN)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("a", "b"), [([1.0], [1.0]), ([], []), ([1.0, 1.0], [1.0, 2.0]), ([INF, INF], [1.0, 2.0]), ([NAN, 1], [1, NAN])]
)
def test_an_order_of_fewer_than_two_agrees_with_none(a: list[float], b: list[float]) -> None:
    assert np.isnan(stats.kendall_tau(array(*a), array(*b)))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 9))
def test_kendall_is_scipys(seed: int, optimizers: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 5, size=(2, optimizers)).astype(float)  # with ties
    tau = stats.kendall_tau(a, b)
    assert tau == pytest.approx(float(scipy.stats.kendalltau(a, b).statistic), nan_ok=True)
    assert stats.kendall_tau(b, a) == pytest.approx(tau, nan_ok=True)
    assert stats.kendall_tau(-a, b) == pytest.approx(-tau, nan_ok=True)
    order = rng.permutation(optimizers)
    assert stats.kendall_tau(a[order], b[order]) == pytest.approx(tau, nan_ok=True)


def test_contradictions_by_hand() -> None:
    # One board tells 0 1 from 2 3, the other 0 from all: 0-2 and 0-3 are told apart on both, 0-2 the other way round.
    first, second = np.array([1, 1, 2, 2]), np.array([2, 1, 1, 3])
    order = array(0, 1, 2, 3), array(2, 0, 1, 3)
    # On either: 02 03 12 13 and 01 02 03 13 23, six pairs in all
    assert stats.contradictions(first, second, *order) == (1, 6)
    assert stats.contradictions(second, first, *order[::-1]) == (1, 6)
    assert stats.contradictions(first, first, order[0], order[0]) == (0, 4)
    assert stats.contradictions(first, first, order[0], -order[0]) == (4, 4)
    assert stats.contradictions(first, first, order[0], np.zeros(4)) == (0, 4)  # ties are in no order


def test_the_unranked_contradict_nobody() -> None:
    tier, order = np.array([1, 0, 2]), array(0, NAN, 1)
    assert stats.contradictions(tier, tier, order, -order) == (1, 1)
    assert stats.contradictions(np.zeros(3, dtype=int), tier, order, order) == (0, 1)
    none = np.zeros(0, dtype=int)
    assert stats.contradictions(none, none, array(), array()) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 6))
def test_contradictions_whatever_the_boards(seed: int, optimizers: int) -> None:
    rng = np.random.default_rng(seed)
    tiers, scores = rng.integers(0, 4, size=(2, optimizers)), rng.normal(size=(2, optimizers))
    contradicted, told = stats.contradictions(*tiers, *scores)
    assert 0 <= contradicted <= told <= optimizers * (optimizers - 1) // 2
    order = rng.permutation(optimizers)
    assert stats.contradictions(*tiers[:, order], *scores[:, order]) == (contradicted, told)
    assert stats.contradictions(*tiers[::-1], *scores[::-1]) == (contradicted, told)
    assert stats.contradictions(*tiers, *(2 * scores + 1)) == (contradicted, told)
    naive = [
        (scores[0, a] - scores[0, b]) * (scores[1, a] - scores[1, b]) < 0
        for a in range(optimizers)
        for b in range(a)
        if all(tier[a] and tier[b] and tier[a] != tier[b] for tier in tiers)
    ]
    assert contradicted == sum(naive)


def test_a_boards_detectable_difference_by_hand() -> None:
    # Two tasks, two optimizers, replicates 0 and 2 of variance 2, and 0 and 4 of variance 8: means 2 and 8 a task.
    z = np.array([[[0.0, 2.0], [1.0, 3.0]], [[0.0, 4.0], [0.0, 4.0]]])
    error = np.sqrt(2 * 2 / 2 + 2 * 8 / 2) / 2
    assert stats.detectable_score(z) == pytest.approx((1.959964 + 0.841621) * error, rel=1e-6)
    assert stats.detectable_score(z, family=10) == pytest.approx((2.807034 + 0.841621) * error, rel=1e-6)
    assert stats.detectable_score(z[..., [0, 1, 0, 1]]) < stats.detectable_score(z)
    assert np.isnan(stats.detectable_score(z[..., :1]))


def test_a_boards_detectable_difference_is_seen_four_times_in_five() -> None:
    rng = np.random.default_rng(0)
    by = stats.detectable_score(rng.normal(size=(8, 60, 6)))
    found = [
        stats.permutation_test(a := rng.normal(size=(8, 6)), rng.normal(size=(8, 6)) + by, seed=int(a[0, 0] * 1e6) % 99)
        for _ in range(150)
    ]
    assert 0.68 < np.mean(np.array(found) <= 0.05) < 0.91  # 0.80, three standard errors either way
