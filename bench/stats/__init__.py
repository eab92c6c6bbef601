"""What numbers say: scores across tasks, their intervals, which differences are shown, and how tuning and time went.

Pure functions of NumPy arrays, nothing read or written. Shapes: T tasks, O optimizers, R replicates.

    scores (T, O, R)   mean log final loss of a replicate; NaN where it is missing, inf where a run diverged
    z (T, O, R)        the same in units of what matters on the task, within +-3: `scaled(scores, scales(scores))`

A replicate is a whole tuning procedure, so its score carries the luck of the search and of the seeds alike; tests on
seeds alone would not. Lower is better throughout. NumPy is imported at once and SciPy by the functions that need it, as
printing a finished board needs this package and must be instant.
"""

from bench.stats.comparisons import (
    FALSE_DISCOVERY,
    FAMILY_WISE,
    GENERAL_REPLICATES,
    GENERAL_TASKS,
    MANY_OPTIMIZERS,
    Control,
    all_pairs,
    false_discovery,
    holm,
    pairwise,
    tiers,
    usual_control,
)
from bench.stats.curves import ecdf, ert, performance_profile, time_to
from bench.stats.inference import (
    EXACT_LIMIT,
    LEAST_P,
    MONTE_CARLO_DRAWS,
    one_task,
    paired,
    permutation_test,
    sign_flip,
    smallest_flip,
    smallest_p,
    welch,
    welch_interval,
)
from bench.stats.power import clopper_pearson, contradictions, detectable, detectable_score, kendall_tau
from bench.stats.ranks import critical_difference, friedman, nemenyi
from bench.stats.scores import (
    BOOTSTRAP_DRAWS,
    LEVEL,
    LIMIT,
    SMALLEST_SCALE,
    Aggregate,
    Array,
    bootstrap,
    cell_means,
    centres,
    complete,
    iqm,
    means,
    noise,
    rank_intervals,
    scaled,
    scales,
    t_interval,
)
from bench.stats.tuning import basin, expected_best

__all__ = [
    "BOOTSTRAP_DRAWS",
    "EXACT_LIMIT",
    "FALSE_DISCOVERY",
    "FAMILY_WISE",
    "GENERAL_REPLICATES",
    "GENERAL_TASKS",
    "LEAST_P",
    "LEVEL",
    "LIMIT",
    "MANY_OPTIMIZERS",
    "MONTE_CARLO_DRAWS",
    "SMALLEST_SCALE",
    "Aggregate",
    "Array",
    "Control",
    "all_pairs",
    "basin",
    "bootstrap",
    "cell_means",
    "centres",
    "clopper_pearson",
    "complete",
    "contradictions",
    "critical_difference",
    "detectable",
    "detectable_score",
    "ecdf",
    "ert",
    "expected_best",
    "false_discovery",
    "friedman",
    "holm",
    "iqm",
    "kendall_tau",
    "means",
    "nemenyi",
    "noise",
    "one_task",
    "paired",
    "pairwise",
    "performance_profile",
    "permutation_test",
    "rank_intervals",
    "scaled",
    "scales",
    "sign_flip",
    "smallest_flip",
    "smallest_p",
    "t_interval",
    "tiers",
    "time_to",
    "usual_control",
    "welch",
    "welch_interval",
]
