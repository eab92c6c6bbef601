"""Tests on ranks, as reviewers may expect them: Friedman, Nemenyi and the critical difference (Demsar, 2006, JMLR 7).

They use neither the size of a difference nor replicates, and a rank depends on who else takes part: boards are decided
by `tiers`. Arrays: cell means (T, O), lower is better; a diverged cell (inf) ranks last, and a task on which any
optimizer is missing (NaN) is left out.
"""

import numpy as np

from bench.stats.scores import LEVEL, Array


def ranks(means: Array) -> Array:
    """Ranks within each task on which no optimizer is missing, 1 the best, ties their average: (T, O) to (T', O)."""
    from scipy.stats import rankdata

    whole = means[~np.isnan(means).any(-1)]
    return np.asarray(rankdata(whole, axis=-1), dtype=float).reshape(whole.shape)


def friedman(means: Array) -> float:
    """p-value for all optimizers ranking alike: chi-squared, corrected for ties (Friedman, 1937): (T, O) to a number.

    1 where no task is whole or all are ties.

    Raises:
      ValueError: there are fewer than three optimizers.
    """
    from scipy.stats import friedmanchisquare

    if means.shape[1] < 3:
        raise ValueError("Friedman's test takes at least three optimizers; of two, `sign_flip` tells")
    table = ranks(means)
    if (table == table[:, :1]).all():
        return 1.0
    return float(friedmanchisquare(*table.T).pvalue)


def nemenyi(means: Array) -> Array:
    """p-values of all pairs for two optimizers ranking alike, family-wise: (T, O) to (O, O), symmetric.

    Nemenyi, 1963; the distribution of sqrt(2) |R_i - R_j| / sqrt(O (O + 1) / 6 T), with mean ranks R, is that of the
    studentized range of O normal variables. 1 on the diagonal, and everywhere where no task is whole.
    """
    from scipy.stats import studentized_range

    table = ranks(means)
    tasks, optimizers = table.shape
    if not tasks or optimizers < 2:
        return np.ones((optimizers, optimizers))
    total = table.sum(0)  # in whole and half numbers, so that equal ranks are equal to the last bit
    gaps, place = np.unique(np.abs(total[:, None] - total) / tasks, return_inverse=True)
    p = studentized_range.sf(np.sqrt(2) * gaps / _standard_error(optimizers, tasks), optimizers, np.inf)
    return np.clip(p, 0.0, 1.0)[place].reshape(optimizers, optimizers)


def critical_difference(optimizers: int, tasks: int, level: float = LEVEL) -> float:
    """The difference of two mean ranks at which `nemenyi` says `level`: q sqrt(O (O + 1) / 6 T).

    Demsar, 2006, section 3.2.2, whose table has q.

    Raises:
      ValueError: there are fewer than two optimizers or no task, or the level is not between 0 and 1.
    """
    from scipy.stats import studentized_range

    if optimizers < 2 or tasks < 1 or not 0 < level < 1:
        raise ValueError(f"no critical difference of {optimizers} optimizers on {tasks} tasks at level {level}")
    quantile = studentized_range.ppf(1 - level, optimizers, np.inf) / np.sqrt(2)
    return float(quantile * _standard_error(optimizers, tasks))


def joined(p: Array) -> list[tuple[int, int]]:
    """First and last of each longest group of neighbours not told apart, of optimizers in order of mean rank."""
    groups: list[tuple[int, int]] = []
    for first in range(len(p)):
        last = int(np.flatnonzero(p[first] > LEVEL).max())
        if last > first and not any(start <= first and last <= end for start, end in groups):
            groups.append((first, last))
    return groups


def _standard_error(optimizers: int, tasks: int) -> float:
    """Of the difference of two mean ranks."""
    return float(np.sqrt(optimizers * (optimizers + 1) / (6 * tasks)))
