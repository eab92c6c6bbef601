"""Tests of two optimizers.

They answer different questions and are never mixed up: `one_task` is about one task, `permutation_test` about
these tasks, `sign_flip` about tasks like these. All take finite numbers or NaN for what is missing; a diverged
replicate has no mean, so scaled scores are what is passed, in which it is the worst there is. Every p is in (0, 1].
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb, prod

import numpy as np
from numpy.typing import NDArray

from bench.stats.scores import LEVEL, Array

EXACT_LIMIT = 200_000  # relabellings; up to here a test counts them all
MONTE_CARLO_DRAWS = 20_000
BLOCK = 2_000  # relabellings at a time, so that those of many pairs stay in the cache
TIE = 1e-9  # equal sums in another order of addition differ by less, and z that do not matter differ by more
LEAST_P = float(np.finfo(float).tiny)  # instead of 0, which no finite sample can show


def permutation_test(a: Array, b: Array, seed: int = 0) -> float:
    """Two-sided p-value for two optimizers being one on these tasks: z (T, Ra) and (T, Rb) to a number.

    Stratified: labels are permuted within each task; the statistic is the sum over tasks of differences of means. All
    relabellings are counted where there are at most EXACT_LIMIT, else MONTE_CARLO_DRAWS are drawn and p is
    (1 + k) / (1 + n) (Phipson & Smyth, 2010). Tasks on which either has no replicate are left out; with none left,
    p is 1. It says nothing about other tasks: where optimizers differ by task in random directions it rejects often.

    Raises:
      ValueError: a score is infinite.
    """
    strata = []
    for x, y in zip(a, b, strict=True):
        x, y = _present(x), _present(y)
        if x.size and y.size:
            strata.append((np.concatenate([x, y]), x.size))
    observed = sum(float(values[:size].mean() - values[size:].mean()) for values, size in strata)
    threshold = abs(observed) - TIE
    if prod(comb(len(values), size) for values, size in strata) <= EXACT_LIMIT:
        sums = np.zeros(1)
        for values, size in strata:
            sums = (sums[:, None] + _differences(values, _labels(len(values), size))).ravel()
        return float(np.mean(np.abs(sums) >= threshold))
    rng = np.random.default_rng(seed)
    sums = sum((_drawn_differences(values, size, rng) for values, size in strata), np.zeros(MONTE_CARLO_DRAWS))
    return _drawn_p(sums, threshold)


def permutation_tests(z: Array, first: Sequence[int], second: Sequence[int], seed: int = 0) -> Array:
    """p-values of `permutation_test` for each of the first optimizers against each of the second that comes after it:
    z (T, O, R) to (first, second), 1 elsewhere.

    Within `first`, and within `second`, as many replicates of a task are missing, so that all pairs have the same
    relabellings. A sum of differences is then that of a part from the one and a part from the other.

    Args:
      first, second: places of optimizers, ascending.

    Raises:
      ValueError: a score is infinite.
    """
    strata = []
    for row in z:
        x, y = (_present(row[side]).reshape(len(side), -1) for side in (first, second))
        if x.size and y.size:
            strata.append((x, y))
    observed = sum((x.mean(1)[:, None] - y.mean(1) for x, y in strata), np.zeros((len(first), len(second))))
    thresholds = np.abs(observed) - TIE
    starts = np.searchsorted(second, first, side="right")
    counts, total = np.zeros(observed.shape, dtype=int), 0
    exact = prod(comb(x.shape[1] + y.shape[1], x.shape[1]) for x, y in strata) <= EXACT_LIMIT
    for block in _relabelled([(x.shape[1], y.shape[1]) for x, y in strata], exact, seed):
        parts: list[Array] = [np.zeros((1, len(side))) for side in (first, second)]
        for (x, y), (labels, chosen) in zip(strata, block, strict=True):
            share = np.where(labels, 1 / x.shape[1], -1 / y.shape[1])
            parts[0] = parts[0] + (share[:, : x.shape[1]] @ x.T)[chosen]
            parts[1] = parts[1] + (share[:, x.shape[1] :] @ y.T)[chosen]
        one, other = (np.ascontiguousarray(part.T) for part in parts)
        total += one.shape[1]
        for a, start in enumerate(starts):
            sums = one[a] + other[start:]
            counts[a, start:] += np.count_nonzero(np.abs(sums, out=sums) >= thresholds[a, start:, None], axis=1)
    p = counts / total if exact else (1 + counts) / (1 + total)
    return np.where(np.arange(len(second)) < starts[:, None], 1.0, p)


def _relabelled(
    sizes: Sequence[tuple[int, int]], exact: bool, seed: int
) -> Iterator[list[tuple[NDArray[np.bool_], NDArray[np.int_]]]]:
    """The relabellings of strata of so many replicates a side, a BLOCK at a time: of each stratum labels (ways, n) and
    the way of each relabelling. All of them, or those that `permutation_test` draws."""
    if exact:
        ways = tuple(comb(a + b, a) for a, b in sizes)
        every = np.unravel_index(np.arange(prod(ways)), ways) if ways else ()
        drawn = [(_labels(a + b, a), index) for (a, b), index in zip(sizes, every, strict=True)]
        count = prod(ways)
    else:
        rng, drawn, count = np.random.default_rng(seed), [], MONTE_CARLO_DRAWS
        for a, b in sizes:
            if (total := comb(a + b, a)) <= EXACT_LIMIT:
                drawn.append((_labels(a + b, a), rng.integers(total, size=count)))
            else:
                drawn.append((rng.random((count, a + b)).argsort(-1) < a, np.arange(count)))
    for begin in range(0, count, BLOCK):
        yield [(labels, index[begin : begin + BLOCK]) for labels, index in drawn]


def smallest_p(tasks: int, replicates: int) -> float:
    """The least that `permutation_test` can answer for two optimizers with so many tasks and replicates."""
    relabellings = comb(2 * replicates, replicates) ** tasks
    return 2 / relabellings if relabellings <= EXACT_LIMIT else max(2 / relabellings, 1 / (1 + MONTE_CARLO_DRAWS))


def welch(a: Array, b: Array) -> float:
    """Two-sided p-value of Welch's t-test (Welch, 1947): (Ra,) and (Rb,) to a number; 1 for fewer than two a side.

    Where neither side varies, equal means give 1 and others LEAST_P.

    Raises:
      ValueError: a score is infinite.
    """
    from scipy.special import stdtr

    a, b = _present(a), _present(b)
    if min(a.size, b.size) < 2:
        return 1.0
    difference = _mean(a) - _mean(b)
    error_a, error_b = _variance(a) / a.size, _variance(b) / b.size  # squared standard errors
    error = error_a + error_b
    if error == 0:
        return 1.0 if difference == 0 else LEAST_P
    share = error_a / error
    degrees = 1 / (share**2 / (a.size - 1) + (1 - share) ** 2 / (b.size - 1))
    return max(float(2 * stdtr(degrees, -abs(difference) / np.sqrt(error))), LEAST_P)


def welch_interval(a: Array, b: Array) -> tuple[float, float]:
    """Ends of the 95 % interval of the difference of means that `welch` tests: (Ra,) and (Rb,) to two numbers.

    NaN for fewer than two a side, or where a value is not finite.
    """
    from scipy.special import stdtrit

    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if min(a.size, b.size) < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("nan"), float("nan")
    difference = _mean(a) - _mean(b)
    error_a, error_b = _variance(a) / a.size, _variance(b) / b.size
    error = error_a + error_b
    if error == 0:
        return difference, difference
    share = error_a / error
    degrees = 1 / (share**2 / (a.size - 1) + (1 - share) ** 2 / (b.size - 1))
    half = float(stdtrit(degrees, 1 - LEVEL / 2) * np.sqrt(error))
    return difference - half, difference + half


def one_task(a: Array, b: Array) -> float:
    """Two-sided p-value for two optimizers being one on one task: replicates' z (Ra,) and (Rb,) to a number.

    The larger of Welch's and the permutation test's. Alone either rejects equals too often at unequal sizes: Welch's as
    the fewer replicates give a poor variance, the permutation test where the smaller sample is the noisier. With fewer
    than two replicates a side p is 1.

    Raises:
      ValueError: a score is infinite.
    """
    return max(welch(a, b), permutation_test(a[None], b[None]))


def sign_flip(differences: Array, groups: Sequence[Hashable], seed: int = 0) -> float:
    """Two-sided p-value for neither optimizer being better on tasks like these: differences (T,) to a number.

    Under that hypothesis a data set may as well have favoured the other, so signs are flipped, those of all tasks of
    one data set together as they are not independent; the statistic is the sum. All flips are counted where there are
    at most EXACT_LIMIT, else MONTE_CARLO_DRAWS are drawn. G data sets cannot give less than 2 / 2^G, so fewer than six
    never reach 5 %. Tasks whose difference is missing are left out; with none left, p is 1.

    Args:
      differences: difference of the two optimizers' mean z on each task.
      groups: the data set of each task, (T,).

    Raises:
      ValueError: a difference is infinite, or there are not as many groups as differences.
    """
    totals: dict[Hashable, float] = {}
    for group, difference in zip(groups, differences, strict=True):
        if not np.isnan(difference):
            totals[group] = totals.get(group, 0.0) + float(difference)
    blocks = _present(np.array(list(totals.values()), dtype=float))
    threshold = abs(blocks.sum()) - TIE
    if 2**blocks.size <= EXACT_LIMIT:
        sums = np.zeros(1)
        for block in blocks:
            sums = (sums[:, None] + np.array([block, -block])).ravel()
        return float(np.mean(np.abs(sums) >= threshold))
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(MONTE_CARLO_DRAWS, blocks.size))
    return _drawn_p(signs @ blocks, threshold)


def paired(differences: Array) -> float:
    """Two-sided p-value of the paired t test that differences (R,) of runs from the same starts have mean zero; NaN are
    pairs that are not there, and of fewer than two p is 1. Where all are one number, no less than flips can answer.

    Raises:
      ValueError: a difference is infinite.
    """
    from scipy.special import stdtr

    there = _present(differences)
    if len(there) < 2 or not there.any():
        return 1.0
    error = float(np.sqrt(_variance(there) / len(there)))
    return float(2 * stdtr(len(there) - 1, -abs(_mean(there)) / error)) if error else smallest_flip(len(there))


def smallest_flip(groups: int) -> float:
    """The least that `sign_flip` can answer for so many groups."""
    return max(2.0 ** (1 - groups), 0.0 if 2**groups <= EXACT_LIMIT else LEAST_P) if groups else 1.0


def _present(values: Array) -> Array:
    """Without what is missing.

    Raises:
      ValueError: one of the others is infinite.
    """
    present = values[~np.isnan(values)]
    if np.isinf(present).any():
        raise ValueError("an infinite score has no mean: scaled scores are needed, in which it is the worst there is")
    return present


def _mean(values: Array) -> float:
    return float(values.min() + (values - values.min()).mean())  # exact where all are equal, as `_variance` is


def _variance(values: Array) -> float:
    return float((values - values.min()).var(ddof=1))


def _drawn_p(sums: Array, threshold: float) -> float:
    return float((1 + np.sum(np.abs(sums) >= threshold)) / (1 + len(sums)))


@cache
def _labels(total: int, size: int) -> NDArray[np.bool_]:
    """Every way to call `size` of `total` replicates the first optimizer's: (ways, total)."""
    chosen = np.array(list(combinations(range(total), size)))
    labels = np.zeros((len(chosen), total), dtype=bool)
    np.put_along_axis(labels, chosen, True, axis=1)
    return labels


def _differences(values: Array, labels: NDArray[np.bool_]) -> Array:
    """Difference of the two groups' means under each labelling: values (n,), labels (ways, n) to (ways,)."""
    size = int(labels[0].sum())
    first = labels @ values
    return first / size - (values.sum() - first) / (len(values) - size)


def _drawn_differences(values: Array, size: int, rng: np.random.Generator) -> Array:
    """The same under MONTE_CARLO_DRAWS random labellings."""
    ways = comb(len(values), size)
    if ways <= EXACT_LIMIT:
        return _differences(values, _labels(len(values), size))[rng.integers(ways, size=MONTE_CARLO_DRAWS)]
    ranks = rng.random((MONTE_CARLO_DRAWS, len(values))).argsort(-1)
    return _differences(values, ranks < size)
