"""Tests on ranks against Demsar's paper, scikit-posthocs and SciPy, and what must hold whatever the data."""

import numpy as np
import pytest
import scikit_posthocs
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array
from bench.stats.ranks import joined, ranks
from tests.simulated import INF, NAN, array, same, seeds


def results(seed: int, tasks: int, optimizers: int) -> Array:
    """Cell means that differ by optimizer, on whole numbers where the seed is odd, so that there are ties."""
    rng = np.random.default_rng(seed)
    means: Array = rng.normal(size=(tasks, optimizers)) + 0.7 * np.arange(optimizers)
    return means.round() if seed % 2 else means


def test_ranks_by_hand() -> None:
    means = array([3.0, 1.0, 2.0], [5.0, 5.0, 1.0], [INF, INF, 0.0], [NAN, 1.0, 2.0])
    assert ranks(means).tolist() == [[3, 1, 2], [2.5, 2.5, 1], [2.5, 2.5, 1]]
    assert ranks(means[3:]).shape == (0, 3)


# Friedman


def test_friedman_by_hand() -> None:
    # Three tasks in one order: 12 / (3 x 3 x 4) (9 + 36 + 81) - 3 x 3 x 4 = 6 at two degrees of freedom
    means = np.tile(array(1, 2, 3), (3, 1))
    assert stats.friedman(means) == pytest.approx(np.exp(-3))
    grown = np.concatenate([means, array([NAN, 9, 0]), array([0, 1, INF])])  # and one more task of that order
    assert stats.friedman(grown) == pytest.approx(np.exp(-4))


@pytest.mark.parametrize("means", [np.ones((3, 3)), np.full((3, 3), INF), np.full((3, 3), NAN), np.ones((0, 3))])
def test_without_a_rank_friedman_knows_nothing(means: Array) -> None:
    assert stats.friedman(means) == 1.0


def test_friedman_takes_three() -> None:
    with pytest.raises(ValueError, match="three"):
        stats.friedman(np.ones((5, 2)))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 8), st.integers(3, 5))
def test_friedman_whatever_the_data(seed: int, tasks: int, optimizers: int) -> None:
    means, rng = results(seed, tasks, optimizers), np.random.default_rng(seed)
    p = stats.friedman(means)
    assert 0 < p <= 1
    if not (means == means[:, :1]).all():
        assert p == pytest.approx(scipy.stats.friedmanchisquare(*means.T).pvalue)
    assert stats.friedman(rng.permutation(means)) == pytest.approx(p)
    assert stats.friedman(means[:, rng.permutation(optimizers)]) == pytest.approx(p)
    assert stats.friedman(means * rng.uniform(0.5, 2, size=(tasks, 1))) == pytest.approx(p)  # ranks have no unit


# Nemenyi


def test_critical_differences_are_demsars() -> None:
    # Demsar, 2006, table 5a, from a table of q with two decimals; and the examples of section 3.2.4
    published = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    found = [stats.critical_difference(k, 1) / np.sqrt(k * (k + 1) / 6) for k in range(2, 11)]
    assert found == pytest.approx(published, abs=1e-3)
    assert stats.critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)
    assert stats.critical_difference(4, 14, 0.1) == pytest.approx(1.12, abs=0.005)


@pytest.mark.parametrize(("optimizers", "tasks", "level"), [(1, 5, 0.05), (3, 0, 0.05), (3, 5, 0.0), (3, 5, 1.0)])
def test_what_has_no_critical_difference(optimizers: int, tasks: int, level: float) -> None:
    with pytest.raises(ValueError, match="critical"):
        stats.critical_difference(optimizers, tasks, level)


def test_nemenyi_of_two_is_normal() -> None:
    # One is ahead on all of four tasks: a gap of 1 is two standard errors of sqrt(2 x 3 / 6 x 4).
    p = stats.nemenyi(np.tile(array(1, 2), (4, 1)))
    assert p == pytest.approx(array([1, 0.0455003], [0.0455003, 1]), abs=1e-6)


@pytest.mark.parametrize(("tasks", "optimizers"), [(4, 2), (6, 3), (12, 5), (3, 7)])
@pytest.mark.parametrize("seed", [2, 3])
def test_nemenyi_is_that_of_scikit_posthocs(seed: int, tasks: int, optimizers: int) -> None:
    means = results(seed, tasks, optimizers)
    theirs = scikit_posthocs.posthoc_nemenyi_friedman(means).to_numpy()
    assert stats.nemenyi(means) == pytest.approx(theirs, abs=1e-6)
    lacking = np.concatenate([means, np.full((1, optimizers), NAN)])
    assert stats.nemenyi(lacking) == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("means", [np.ones((3, 3)), np.full((2, 3), INF), np.full((2, 3), NAN), np.ones((4, 1))])
def test_without_a_rank_nemenyi_knows_nothing(means: Array) -> None:
    assert stats.nemenyi(means) == pytest.approx(np.ones((means.shape[1],) * 2))


@settings(max_examples=15, deadline=None)
@given(seeds, st.integers(1, 8), st.integers(2, 4))
def test_nemenyi_whatever_the_data(seed: int, tasks: int, optimizers: int) -> None:
    means, rng = results(seed, tasks, optimizers), np.random.default_rng(seed)
    p = stats.nemenyi(means)
    assert ((p > 0) & (p <= 1)).all()
    assert (p == p.T).all()
    order = rng.permutation(optimizers)
    assert same(stats.nemenyi(rng.permutation(means)), p)
    assert same(stats.nemenyi(means[:, order]), p[np.ix_(order, order)])
    mean = ranks(means).mean(0)
    gap = np.abs(mean[:, None] - mean)
    assert ((p <= 0.05) == (gap >= stats.critical_difference(optimizers, tasks))).all()


def test_neighbours_not_told_apart_are_joined_once() -> None:
    p = np.ones((4, 4))
    p[0, 2:] = p[2:, 0] = p[1, 3] = p[3, 1] = 0.01
    assert joined(p) == [(0, 1), (1, 2), (2, 3)]
    assert joined(np.ones((3, 3))) == [(0, 2)]
    assert joined(np.eye(3)) == []
