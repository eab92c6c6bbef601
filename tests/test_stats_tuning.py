"""What a search tells, against all draws there are, worked examples, and what must hold whatever the data."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array
from tests.simulated import INF, NAN, array, same, seeds

# The best of k trials


def test_expected_best_by_hand() -> None:
    # Of 1 2 4 two at a time: 1, 1 and 2.
    assert stats.expected_best(array(4, 1, 2), [1, 2, 3], 9.0) == pytest.approx([7 / 3, 4 / 3, 1.0])


@pytest.mark.parametrize("failed", [NAN, INF, 100.0])
def test_a_failed_trial_counts_as_the_worst(failed: float) -> None:
    assert stats.expected_best(array(1, failed, 2), [1, 2, 3], 5.0) == pytest.approx([8 / 3, 4 / 3, 1.0])
    assert stats.expected_best(array(failed, failed), [1, 2], 5.0) == pytest.approx([5.0, 5.0])


@pytest.mark.parametrize(("count", "size"), [(3, 0), (3, 4), (0, 1)])
def test_no_more_trials_can_be_drawn_than_there_are(count: int, size: int) -> None:
    with pytest.raises(ValueError, match="trials"):
        stats.expected_best(np.zeros(count), [size], 0.0)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 7))
def test_expected_best_is_the_mean_over_all_draws(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    losses = np.where(rng.random(count) < 0.2, INF, rng.integers(-2, 3, size=count))  # with ties
    sizes = range(1, count + 1)
    expected = [np.mean([min(draw) for draw in combinations(np.minimum(losses, 3), size)]) for size in sizes]
    found = stats.expected_best(losses, sizes, 3.0)
    assert found == pytest.approx(expected)
    assert (np.diff(found) <= 1e-12).all()
    assert same(stats.expected_best(rng.permutation(losses), sizes, 3.0), found)
    assert same(stats.expected_best(losses + 2.5, sizes, 5.5), found + 2.5)


def test_expected_best_has_no_bias_and_drawing_with_replacement_has() -> None:
    # Trials of 0, 1 and 2 alike: over all 27 searches of three, the best of two fresh ones is 5/9 on average.
    fresh = np.mean([min(pair) for pair in product(range(3), repeat=2)])
    searches = [array(*search) for search in product(range(3), repeat=3)]
    ours = [stats.expected_best(search, [2], 9.0)[0] for search in searches]
    again = [np.mean([min(pair) for pair in product(search, repeat=2)]) for search in searches]
    assert np.mean(ours) == pytest.approx(fresh) == pytest.approx(5 / 9)
    assert np.mean(again) > fresh + 0.1


def test_expected_best_of_many_trials_is_finite() -> None:
    best = stats.expected_best(np.arange(2_000.0), [1, 1_000, 2_000], 1e9)
    assert best == pytest.approx([999.5, 1_000 / 1_001, 0.0])  # of 0 to N - 1: (N + 1) / (k + 1) - 1


# The width of the good rates

WITHIN = float(np.expm1(0.1))  # a tenth in the logarithm


@pytest.mark.parametrize(
    ("rates", "losses", "width"),
    [
        ([1e-3, 1e-2, 1e-1], [0.2, 0.0, 0.4], 0.75),  # half of one decade and a quarter of the other
        ([1e-3, 1e-2, 1e-1], [0.05, 0.0, 0.1], 2.0),  # all there is
        ([1e-3, 1e-2, 1e-1, 1.0], [0.0, 0.05, 0.15, 0.0], 2.0 - 0.5),  # two best, 1.5 and a third decades around them
        ([1e-3, 1e-2, 1e-1], [0.0, 9.0, 0.05], 1 / 90),  # not connected
        ([1e-3, 1e-2, 1e-1], [INF, 0.0, 0.2], 0.5),
        ([1e-3, 1e-2, 1e-1], [INF, 0.0, NAN], 0.0),
        ([1e-2, 1e-2, 1e-1], [0.0, 5.0, 0.2], 0.5),  # of two at one rate the better
        ([1e-2, 1e-2], [0.0, 0.0], 0.0),
        ([1e-2], [0.0], 0.0),
        ([1e-2, 1e-1], [NAN, INF], NAN),
        ([], [], NAN),
        ([1e-3, 1e-2, 1e-1], [7.0, 7.0, 7.0], 2.0),
    ],
)
def test_basin_by_hand(rates: list[float], losses: list[float], width: float) -> None:
    assert stats.basin(array(*rates), array(*losses), WITHIN) == pytest.approx(width, nan_ok=True)


def test_a_basin_of_the_very_best_is_where_all_are() -> None:
    assert stats.basin(array(1e-3, 1e-2, 1e-1), array(7.0, 7.0, 9.0), 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0.0, -1.0, NAN, INF])
def test_a_rate_is_positive_and_finite(rate: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        stats.basin(array(0.1, rate), array(0.0, 0.0))


def test_ten_per_cent_is_of_the_loss() -> None:
    # From 1 to 1.21 over a decade, linear in the logarithm: 1.1 is half way.
    assert stats.basin(array(0.1, 1.0), np.log(array(1.0, 1.21))) == pytest.approx(0.5)


def measured(rates: Array, losses: Array, limit: float) -> float:
    """The region around a single best on a fine grid."""
    grid = np.linspace(np.log10(rates.min()), np.log10(rates.max()), 200_001)
    order = np.argsort(rates)
    good = np.interp(grid, np.log10(rates)[order], losses[order]) <= losses.min() + limit
    best = int(np.abs(grid - np.log10(rates[losses.argmin()])).argmin())
    left = best - np.append(np.flatnonzero(~good[:best]), -1 if good[:best].all() else 0).max() - 1
    right = (np.flatnonzero(~good[best:])[0] if not good[best:].all() else len(grid) - best) - 1
    return float((left + right) * (grid[1] - grid[0]))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 8), st.floats(-9, 9), st.floats(0.01, 100))
def test_basin_whatever_the_trials(seed: int, count: int, shift: float, unit: float) -> None:
    rng = np.random.default_rng(seed)
    rates, losses = 10 ** rng.uniform(-4, 0, size=count), rng.exponential(0.2, size=count)
    width = stats.basin(rates, losses)
    assert width == pytest.approx(measured(rates, losses, np.log(1.1)), abs=1e-4)
    order = rng.permutation(count)
    assert stats.basin(rates[order], losses[order]) == pytest.approx(width)
    assert stats.basin(rates * unit, losses + shift) == pytest.approx(width)
    assert width <= stats.basin(rates, losses, 0.2) <= np.ptp(np.log10(rates)) + 1e-12
