"""Tests of two optimizers against worked examples, SciPy where it has the same test, and all relabellings there are."""

from collections import Counter
from itertools import combinations, product
from random import Random

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import stats
from bench.stats import LIMIT, Array, inference
from tests.simulated import INF, NAN, array, seeds, simulated, standard

# Permutation


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
    monkeypatch.setattr(inference, "EXACT_LIMIT", 100)  # listed within a task, drawn across tasks
    assert [stats.permutation_test(z[:, 0], z[:, o]) for o in range(1, 5)] == pytest.approx(exact, abs=0.015)
    monkeypatch.setattr(inference, "EXACT_LIMIT", 1)  # drawn within a task too
    assert [stats.permutation_test(z[:, 0], z[:, o]) for o in range(1, 5)] == pytest.approx(exact, abs=0.015)


def test_permutation_without_a_common_task_knows_nothing() -> None:
    assert stats.permutation_test(array([0.0, 0.0], [NAN, NAN]), array([NAN, NAN], [9.0, 9.0])) == 1.0


def test_smallest_p_is_attained() -> None:
    apart = array([0.0, 0.1, 0.2], [0.0, 0.1, 0.2])
    assert stats.permutation_test(apart, apart + 5) == pytest.approx(stats.smallest_p(2, 3)) == pytest.approx(2 / 400)
    assert stats.smallest_p(1, 3) == pytest.approx(0.1)
    assert stats.smallest_p(12, 8) == pytest.approx(1 / 20_001)


def test_a_pair_of_equals_is_told_apart_at_the_nominal_rate() -> None:
    rng = np.random.default_rng(0)
    p = [stats.permutation_test(*rng.normal(size=(2, 3, 3))) for _ in range(400)]
    assert (
        scipy.stats.binom.ppf(0.001, 400, 0.05)
        <= np.sum(np.array(p) <= 0.05)
        <= scipy.stats.binom.ppf(0.999, 400, 0.05)
    )


def relabelled(pool: Array, size: int) -> list[tuple[Array, Array]]:
    """Every split of (n,) into two samples, the first of `size`."""
    rest = [np.delete(pool, list(chosen)) for chosen in combinations(range(len(pool)), size)]
    return [(pool[list(c)], r) for c, r in zip(combinations(range(len(pool)), size), rest, strict=True)]


def exactly_uniform(p: list[float]) -> bool:
    """Whether each value that p takes is the share of relabellings on which p is no larger."""
    counts = Counter(np.round(p, 12))
    below = np.cumsum([counts[value] for value in sorted(counts)])
    return np.allclose(sorted(counts), below / len(p), rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("pool", [np.exp(np.arange(6.0)) / 99, array(0, 0, 1, 1, 2, 2), np.zeros(6)], ids=str)
def test_permutation_takes_each_p_exactly_as_often_as_it_says(pool: Array, size: int) -> None:
    p = [stats.permutation_test(a[None], b[None]) for a, b in relabelled(pool, size)]
    assert exactly_uniform(p)
    assert min(p) > 0
    assert max(p) == 1


def test_stratified_permutation_takes_each_p_exactly_as_often_as_it_says() -> None:
    first, second = relabelled(array(0.1, 0.25, 0.7, 1.6), 2), relabelled(array(0.0, 0.4, 0.9), 1)
    p = []
    for (a, b), (c, d) in product(first, second):
        x = np.array([a, np.append(c, NAN)])
        p.append(stats.permutation_test(x, np.array([b, d])))
    assert len(p) == 18
    assert exactly_uniform(p)


def test_an_infinite_score_has_no_test() -> None:
    sound, infinite = array(0.0, 1.0), array(0.0, INF)
    for test in (stats.welch, stats.one_task, lambda a, b: stats.permutation_test(a[None], b[None])):
        for pair in ((sound, infinite), (-infinite, sound)):
            with pytest.raises(ValueError, match="infinite score"):
                test(*pair)
    with pytest.raises(ValueError, match="infinite score"):
        stats.sign_flip(infinite, ["a", "b"])


# Welch's test and that of one task


def test_welch_by_hand() -> None:
    # means 1 and 4, squared standard errors 1 and 1, t = -3 / sqrt 2 at 2 degrees: p = 1 - |t| / sqrt(2 + t^2)
    assert stats.welch(array(0.0, 2.0), array(3.0, 5.0)) == pytest.approx(1 - np.sqrt(4.5 / 6.5))


@pytest.mark.parametrize("sizes", [(2, 2), (3, 3), (8, 8), (5, 20), (20, 2)])
def test_welch_is_scipys(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    a, b = rng.normal(size=sizes[0]), rng.normal(0.7, 3.0, size=sizes[1])
    theirs = scipy.stats.ttest_ind(a, b, equal_var=False).pvalue
    assert stats.welch(a, b) == pytest.approx(theirs, rel=1e-9)
    assert stats.welch(np.append(a, NAN), b) == pytest.approx(theirs, rel=1e-9)
    assert stats.welch(np.full(3, 0.1), b) == pytest.approx(
        scipy.stats.ttest_1samp(b, 0.1).pvalue, rel=1e-9
    )  # a side without variance is a known mean


def test_welch_without_variance() -> None:
    # The mean of three tenths is not a tenth to the last bit.
    assert stats.welch(np.full(3, 0.1), np.full(7, 0.1)) == 1.0
    assert stats.welch(np.full(3, LIMIT), np.full(7, 0.1)) == stats.LEAST_P
    assert 0 < stats.welch(array(0.0, 1e-200), array(1.0, 1.0)) <= 1e-190


@pytest.mark.parametrize("few", [array(), array(0.0), array(0.0, NAN)])
def test_one_replicate_shows_nothing(few: Array) -> None:
    many = array(5.0, 5.1, 5.2, 5.3)
    assert stats.welch(few, many) == stats.welch(many, few) == 1.0
    assert stats.one_task(few, many) == stats.one_task(many, few) == 1.0


def test_one_task_is_the_larger_of_two() -> None:
    apart = array(0.0, 0.1, 0.2), array(5.0, 5.1, 5.2)
    assert stats.one_task(*apart) == pytest.approx(2 / 20)  # the permutation test's least
    assert stats.welch(*apart) < 1e-4
    noisy = array(-2.0, 2.0), np.linspace(0.4, 0.5, 20)
    welch, permuted = stats.welch(*noisy), stats.permutation_test(noisy[0][None], noisy[1][None])
    assert stats.one_task(*noisy) == max(welch, permuted)
    one_high = array(1.0, 1.0, 1.0, 3.0), array(0.0, 0.0, 0.1, 0.1, 0.0, 0.1, 0.0, 0.1)
    assert stats.one_task(*one_high) == pytest.approx(scipy.stats.ttest_ind(*one_high, equal_var=False).pvalue)
    assert stats.permutation_test(one_high[0][None], one_high[1][None]) == pytest.approx(1 / 495)


def test_all_diverged_on_one_task() -> None:
    diverged, floored = np.full(8, LIMIT), np.full(8, -1.0)
    assert stats.one_task(diverged, floored) == pytest.approx(2 / 12_870)
    assert stats.one_task(diverged, diverged) == 1.0


def test_one_task_promises_no_less_than_it_says_over_all_relabellings() -> None:
    p = np.array([stats.one_task(a, b) for a, b in relabelled(array(0.0, 0.3, 0.35, 0.9, 1.4, 2.8, 3.0), 3)])
    assert len(p) == 35
    assert all((p <= level).mean() <= level + 1e-12 for level in p)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(2, 5), st.integers(2, 5), st.floats(0.5, 2.0), st.floats(-5, 5))
def test_two_samples_whatever_the_data(seed: int, a: int, b: int, unit: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=a), rng.normal(1.0, 2.0, size=b)
    for test in (stats.welch, stats.one_task):
        p = test(x, y)
        assert 0 < p <= 1
        assert test(rng.permutation(x), rng.permutation(y)) == pytest.approx(p)
        assert test(y, x) == pytest.approx(p)
        assert test(shift - unit * x, shift - unit * y) == pytest.approx(p)


# Sign flips


@given(seeds, st.integers(2, 12))
def test_the_paired_test_is_scipys(seed: int, pairs: int) -> None:
    one, other = np.random.default_rng(seed).normal([[0.3], [0.0]], size=(2, pairs))
    p = stats.paired(one - other)
    assert p == pytest.approx(scipy.stats.ttest_rel(one, other).pvalue)
    assert stats.paired(other - one) == pytest.approx(p)
    assert stats.paired(np.append(one - other, NAN)) == p


def test_pairs_that_all_differ_alike_say_no_more_than_flips_can() -> None:
    assert stats.paired(array(0.5, 0.5, 0.5)) == 2 / 2**3
    assert stats.paired(array(0.0, 0.0, 0.0)) == stats.paired(array(0.5)) == stats.paired(array(NAN, 0.5)) == 1.0
    with pytest.raises(ValueError, match="infinite"):
        stats.paired(array(INF, 0.5))


def test_sign_flip_by_hand() -> None:
    # All of one sign: of eight flips the observed and its mirror are the most extreme.
    assert stats.sign_flip(array(1.0, 2.0, 3.0), "abc") == pytest.approx(2 / 8)
    assert stats.sign_flip(array(1.0, 2.0, 3.0), "aab") == pytest.approx(2 / 4)  # blocks of 3 and 3
    assert stats.sign_flip(array(1.0, 2.0, 3.0), "aaa") == 1.0
    # Sums of 4 in size or larger: +-(1 2 3), +-(-1 2 3)
    assert stats.sign_flip(array(-1.0, 2.0, 3.0), "abc") == pytest.approx(4 / 8)
    assert stats.sign_flip(array(0.0, 0.0), "ab") == 1.0


def test_sign_flip_leaves_out_what_is_missing() -> None:
    assert stats.sign_flip(array(1.0, NAN, 2.0, 3.0), "axbc") == pytest.approx(2 / 8)
    assert stats.sign_flip(array(NAN, NAN), "ab") == 1.0
    assert stats.sign_flip(array(), []) == 1.0
    with pytest.raises(ValueError, match="zip"):
        stats.sign_flip(array(1.0, 2.0), ["a"])


def test_six_data_sets_are_the_fewest_that_reach_five_per_cent() -> None:
    assert stats.sign_flip(np.ones(5), "abcde") == pytest.approx(2 / 32)
    assert stats.sign_flip(np.ones(6), "abcdef") == pytest.approx(2 / 64)


@pytest.mark.parametrize("tasks", [3, 6, 9])
def test_sign_flip_is_scipys(tasks: int) -> None:
    differences = np.random.default_rng(tasks).normal(0.5, size=tasks)
    theirs = scipy.stats.permutation_test(
        (differences,),
        lambda x, axis: np.abs(x.sum(axis)),
        permutation_type="samples",
        vectorized=True,
        alternative="greater",
    )
    assert stats.sign_flip(differences, range(tasks)) == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("values", [array(0.3, 1.1, 0.7, 2.9, 0.2), array(1, 1, 1, 2, 0)], ids=str)
def test_sign_flip_takes_each_p_exactly_as_often_as_it_says(values: Array) -> None:
    groups = "aabcd"
    flips = [np.array([signs[ord(g) - ord("a")] for g in groups]) for signs in product([-1.0, 1.0], repeat=4)]
    assert exactly_uniform([stats.sign_flip(flip * values, groups) for flip in flips])


def test_random_flips_agree_with_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(0).normal(0.4, size=12)
    exact = stats.sign_flip(differences, range(12))
    monkeypatch.setattr(inference, "EXACT_LIMIT", 1)
    drawn = stats.sign_flip(differences, range(12))
    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.015)
    assert stats.sign_flip(np.ones(30), range(30)) == pytest.approx(1 / 20_001)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.sampled_from("abcde")), max_size=9), st.randoms(use_true_random=False))
def test_sign_flip_whatever_the_data(tasks: list[tuple[float, str]], random: Random) -> None:
    differences, groups = array(*(d for d, _ in tasks)), [g for _, g in tasks]
    p = stats.sign_flip(differences, groups)
    assert 0 < p <= 1
    assert stats.sign_flip(-differences, groups) == p
    shuffled = random.sample(tasks, len(tasks))
    assert stats.sign_flip(array(*(d for d, _ in shuffled)), [g for _, g in shuffled]) == pytest.approx(p)
