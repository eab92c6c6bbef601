"""Which of a board's differences are shown: corrections for many comparisons, and tiers."""

from collections.abc import Callable, Sequence
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.stats.inference import permutation_tests, smallest_p
from bench.stats.scores import LEVEL, Array, complete, means

GENERAL_TASKS, GENERAL_REPLICATES = 6, 3  # with fewer, a board says that it has too few
MANY_OPTIMIZERS = 20  # with more, a family-wise correction would leave hardly any difference to be shown


def holm(p: Sequence[float] | Array, family: int | None = None) -> Array:
    """Holm's adjusted p-values, in the order given (Holm, 1979).

    Args:
      family: how many hypotheses there are, where `p` are only some of them. The others then count as larger, which
        can only make the answer more cautious: whatever is at most alpha here also is where all are given.

    Raises:
      ValueError: the family is smaller than the p-values given.
    """
    values = np.asarray(p, dtype=float)
    size = _family(values, family)
    order = np.argsort(values, kind="stable")
    factors = size - np.arange(len(values))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return adjusted


def false_discovery(p: Sequence[float] | Array, family: int | None = None) -> Array:
    """Adjusted p-values that control the false-discovery rate, in the order given (Benjamini & Hochberg, 1995).

    Of all that are at most alpha, alpha are expected to be false, on average over boards; one of them alone is no
    verdict at that level. Proven for independent p-values and those of positive dependence.

    Args:
      family: as in `holm`.

    Raises:
      ValueError: the family is smaller than the p-values given.
    """
    values = np.asarray(p, dtype=float)
    size = _family(values, family)
    order = np.argsort(values, kind="stable")[::-1]
    ranks = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.minimum.accumulate(size / ranks * values[order]), 1.0)
    return adjusted


class Control(NamedTuple):
    """What a board promises of all differences that it shows: its name, how p-values are adjusted for it, and how
    that is said."""

    name: str
    adjust: Callable[[Array], Array]
    words: str

    def least(self, tasks: int, replicates: int, optimizers: int) -> float:
        """The least adjusted p-value that a board of so many can show."""
        pairs = comb(optimizers, 2)
        return float(self.adjust(np.full(pairs, smallest_p(tasks, replicates))).min(initial=1.0))


# The one: one board in twenty shows any false difference. The other: of the differences shown one in twenty is false.
FAMILY_WISE = Control("family-wise", holm, "Holm-corrected for all pairs of the board")
FALSE_DISCOVERY = Control(
    "false-discovery", false_discovery, "corrected for the share of false ones among all pairs (Benjamini and Hochberg)"
)


def usual_control(optimizers: int) -> Control:
    """What a board of so many optimizers promises."""
    return FALSE_DISCOVERY if optimizers > MANY_OPTIMIZERS else FAMILY_WISE


def pairwise(z: Array) -> Array:
    """p-values of `permutation_test` for all pairs, not adjusted: (T, O, R) to (O, O), symmetric, 1 on the diagonal."""
    p = np.ones((z.shape[1], z.shape[1]))
    alike: dict[tuple[int, ...], list[int]] = {}  # optimizers by how many replicates they have
    for index, counts in enumerate((~np.isnan(z)).sum(-1).T.tolist()):
        alike.setdefault(tuple(counts), []).append(index)
    for first, second in product(alike.values(), repeat=2):
        p[np.ix_(first, second)] = np.minimum(p[np.ix_(first, second)], permutation_tests(z, first, second))
    return np.minimum(p, p.T)


def tiers(z: Array, control: Control | None = None, adjusted: Array | None = None) -> tuple[NDArray[np.int_], Array]:
    """Groups of optimizers: tier 1 is the best on the board and all that are not told apart from it *on these tasks*;
    tier 2 is the best of the others and all that are not told apart from that, and so on.

    The family of the correction is all pairs on the board: the leader is the best *because* it came out best, and
    a correction for its rivals alone would tell equals apart on one board in eight. An optimizer can be told apart
    from the leader while another with a worse but noisier score is not.

    Args:
      control: FAMILY_WISE or FALSE_DISCOVERY; without it, `usual_control` of as many as are ranked.
      adjusted: what `all_pairs` gives, where it is there already.

    Returns:
      tier (O,), 0 for optimizers that are not `complete` and so not ranked; and p (O,), adjusted, against the leader
      of the board, NaN for itself and for those not ranked.
    """
    ranked = np.flatnonzero(complete(z))
    waiting = ranked[np.argsort(means(z)[ranked], kind="stable")]
    adjusted = all_pairs(z, control) if adjusted is None else adjusted
    tier, p = np.zeros(z.shape[1], dtype=int), np.full(z.shape[1], np.nan)
    p[waiting[1:]] = adjusted[waiting[:1], waiting[1:]]
    level = 0
    while waiting.size:
        level += 1
        tier[waiting] = level
        waiting = waiting[adjusted[waiting[0], waiting] <= LEVEL]
    return tier, p


def all_pairs(z: Array, control: Control | None = None) -> Array:
    """p-values of all pairs that are ranked, adjusted together as `tiers` has them: (T, O, R) to (O, O), symmetric, NaN
    on the diagonal and for those not ranked."""
    ranked = np.flatnonzero(complete(z))
    upper = np.triu_indices(len(ranked), 1)
    p = np.full((z.shape[1], z.shape[1]), np.nan)
    one, other = ranked[upper[0]], ranked[upper[1]]
    p[one, other] = p[other, one] = (control or usual_control(len(ranked))).adjust(pairwise(z[:, ranked])[upper])
    return p


def _family(values: Array, family: int | None) -> int:
    if family is not None and family < len(values):
        raise ValueError(f"a family of {family} cannot hold {len(values)} hypotheses")
    return len(values) if family is None else family
