"""Times to a target against worked examples, loops over runs, and what must hold whatever the data."""

from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array
from tests.simulated import INF, NAN, array, same, seeds

FLOOR = 1e-6
AT = array(0, 100, 200, 400)

# Time to a target


@pytest.mark.parametrize(
    ("curve", "target", "time"),
    [
        ([8.0, 4.0, 2.0, 1.0], 2.0, 200.0),  # at an evaluation
        ([8.0, 4.0, 2.0, 1.0], np.sqrt(8), 150.0),  # half way from 4 to 2 in the logarithm
        ([8.0, 4.0, 2.0, 1.0], 2**0.25, 350.0),
        ([8.0, 4.0, 2.0, 1.0], 9.0, 0.0),  # there from the start
        ([8.0, 4.0, 2.0, 1.0], 0.99, INF),
        ([8.0, 4.0, 9.0, 1.0], 5.0, 100 * np.log(8 / 5) / np.log(2)),  # the first crossing, whatever comes later
        ([8.0, 8.0, 8.0, 8.0], 8.0, 0.0),
        ([9.0, 8.0, 8.0, 8.0], 8.0, 100.0),
        ([8.0, NAN, 2.0, 1.0], 4.0, 200.0),  # no line from what is no number
        ([INF, 4.0, 2.0, 1.0], 5.0, 100.0),
        ([8.0, 4.0, NAN, NAN], 2.0, INF),
        ([NAN, NAN, NAN, NAN], 2.0, INF),
        ([INF, INF, INF, INF], 1e300, INF),
        ([1.0, 1.0, 0.0, 0.0], 1e-3, 150.0),  # half way to the floor in the logarithm
        ([1.0, 1.0, 0.0, 0.0], 0.0, 200.0),  # a target below the floor is the floor
        ([1.0, 1.0, 2e-6, 2e-6], 0.0, INF),
        ([8.0, 4.0, 2.0, 1.0], NAN, INF),
    ],
)
def test_time_to_by_hand(curve: list[float], target: float, time: float) -> None:
    assert float(stats.time_to(array(*curve), AT, target, FLOOR)) == pytest.approx(time)


def test_time_to_of_curves_with_their_own_times_and_targets() -> None:
    curves = array([4.0, 2.0, 1.0], [4.0, 4.0, 1.0])
    assert stats.time_to(curves, array([0, 1, 2], [0, 10, 20]), array(2.0, 2.0), FLOOR) == pytest.approx([1.0, 15.0])
    both = stats.time_to(curves[:, None], array(0, 1, 2), array(2.0, 0.5), FLOOR)
    assert both == pytest.approx(array([1.0, INF], [1.5, INF]))


def test_a_curve_without_a_reading() -> None:
    assert stats.time_to(array([4.0, 1.0], [4.0, 1.0]), array([0, NAN], [NAN, 5]), 2.0, FLOOR).tolist() == [INF, 5.0]
    assert stats.time_to(np.zeros((2, 0)), array(), 2.0, FLOOR).tolist() == [INF, INF]


def test_time_to_takes_a_floor_and_ascending_times() -> None:
    with pytest.raises(ValueError, match="floor"):
        stats.time_to(array(1.0), array(0.0), 1.0, 0.0)
    with pytest.raises(ValueError, match="ascend"):
        stats.time_to(array(1.0, 2.0), array(1.0, 0.0), 1.0, FLOOR)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 6), st.floats(0.01, 100))
def test_time_to_of_a_falling_curve_is_numpys(seed: int, points: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    log_loss, at = -np.cumsum(rng.uniform(0.01, 2, size=points)), np.cumsum(rng.uniform(0.1, 9, size=points))
    goal = rng.uniform(log_loss[-1], log_loss[0])
    time = np.interp(-goal, -log_loss, at)
    for factor in (1.0, unit):  # a loss in another unit, and its target and floor with it
        found = stats.time_to(np.exp(log_loss) * factor, at, float(np.exp(goal)) * factor, FLOOR * factor)
        assert float(found) == pytest.approx(float(time))
    assert float(stats.time_to(np.exp(log_loss), at * unit, float(np.exp(goal)), FLOOR)) == pytest.approx(time * unit)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_a_harder_target_takes_no_less_time(seed: int) -> None:
    rng = np.random.default_rng(seed)
    curve = np.where(rng.random(6) < 0.2, NAN, np.exp(rng.normal(size=6)))
    times = stats.time_to(curve, np.arange(6.0), np.exp(np.linspace(2, -2, 30)), FLOOR)
    assert (times[1:] >= times[:-1]).all()


# Expected running time


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([10.0, 30.0], 20.0),
        ([10.0, 30.0, INF, INF], (10 + 30 + 2 * 50) / 2),
        ([10.0, 60.0], 60.0),  # beyond the budget is a miss
        ([10.0, 50.0], 30.0),
        ([10.0, NAN], 10.0),
        ([INF, INF], INF),
        ([INF, NAN], INF),
        ([NAN, NAN], NAN),
        ([], NAN),
        ([0.0], 0.0),
    ],
)
def test_ert_by_hand(times: list[float], expected: float) -> None:
    assert float(stats.ert(array(*times), 50.0)) == pytest.approx(expected, nan_ok=True)
    assert stats.ert(array(times, times), 50.0) == pytest.approx([expected] * 2, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 8))
def test_ert_is_the_mean_success_and_the_failures_before_it(seed: int, runs: int) -> None:
    rng = np.random.default_rng(seed)
    times = np.where(rng.random(runs) < 0.4, INF, rng.uniform(1, 50, size=runs))
    won = times[np.isfinite(times)]
    chance = len(won) / runs
    expected = won.mean() + (1 - chance) / chance * 50 if won.size else INF
    assert float(stats.ert(times, 50.0)) == pytest.approx(expected)
    assert float(stats.ert(rng.permutation(times), 50.0)) == pytest.approx(expected)
    assert float(stats.ert(times * 7, 350.0)) == pytest.approx(expected * 7)


# Shares of what is solved


def test_ecdf_by_hand() -> None:
    times = array([1.0, 5.0], [1.0, INF], [3.0, NAN])  # five pairs
    assert stats.ecdf(times, array(0, 1, 3, 4.9, 5, INF)) == pytest.approx([0, 0.4, 0.6, 0.6, 0.8, 0.8])
    assert stats.ecdf(array(INF, INF), array(1.0)).tolist() == [0.0]
    assert np.isnan(stats.ecdf(array(NAN), array(1.0, 2.0))).tolist() == [True, True]


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0, INF]) | st.floats(0, 5), min_size=1, max_size=12), st.floats(0, 6))
def test_ecdf_is_scipys(times: list[float], at: float) -> None:
    theirs = scipy.stats.ecdf(np.minimum(times, 1e9)).cdf.evaluate(at)
    assert float(stats.ecdf(array(*times), array(at))[0]) == pytest.approx(float(theirs))
    assert stats.ecdf(array(*times[::-1]), array(at)).tolist() == stats.ecdf(array(*times), array(at)).tolist()


def test_performance_profile_by_hand() -> None:
    costs = array([1.0, 2.0, 4.0], [6.0, 3.0, INF], [5.0, 5.0, NAN], [INF, INF, INF])
    assert stats.performance_profile(costs, array(0.5, 1, 2, 4, 1e9)) == pytest.approx(
        array([0, 0, 0], [0.5, 0.5, 0], [0.75, 0.75, 0], [0.75, 0.75, 0.25], [0.75, 0.75, 0.25])
    )
    assert np.isnan(stats.performance_profile(np.zeros((0, 2)), array(1.0))).tolist() == [[True, True]]
    assert stats.performance_profile(array([NAN, NAN]), array(1.0, 9.0)).tolist() == [[0, 0], [0, 0]]
    assert stats.performance_profile(array([INF, NAN]), array(INF)).tolist() == [[0, 0]]


def test_a_cost_of_nothing_has_no_profile() -> None:
    with pytest.raises(ValueError, match="positive"):
        stats.performance_profile(array([0.0, 1.0]), array(1.0))


def counted(costs: Array, factors: Array) -> Array:
    """The profile by its definition, one optimizer and factor at a time."""
    share = np.zeros((len(factors), costs.shape[1]))
    for (k, factor), o in product(enumerate(factors), range(costs.shape[1])):
        for row in costs:
            finite = [cost for cost in row if np.isfinite(cost)]
            if np.isfinite(row[o]) and row[o] / min(finite) <= factor:
                share[k, o] += 1 / len(costs)
    return share


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 5), st.integers(1, 4))
def test_performance_profile_whatever_the_data(seed: int, tasks: int, optimizers: int) -> None:
    rng = np.random.default_rng(seed)
    # Powers of two: ties, and ratios without rounding.
    costs: Array = np.exp2(rng.integers(0, 4, size=(tasks, optimizers)))
    costs = np.where(rng.random(costs.shape) < 0.2, [NAN, INF][seed % 2], costs)
    factors = array(1, 2, 3, 8, 100)
    profile = stats.performance_profile(costs, factors)
    assert same(profile, counted(costs, factors))
    assert same(stats.performance_profile(rng.permutation(costs), factors), profile)
    order = rng.permutation(optimizers)
    assert same(stats.performance_profile(costs[:, order], factors), profile[:, order])
    units = np.exp2(rng.integers(-3, 4, size=(tasks, 1)))
    assert same(stats.performance_profile(costs * units, factors), profile)
