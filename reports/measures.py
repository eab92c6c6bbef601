"""What the boards of speed and of robustness are made of: a run's records in, arrays out, nothing drawn or worded.

Shapes: T tasks, O optimizers, R replicates, S final seeds, K trials of a search. NaN is what is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench import constants, stats
from bench.constants import RULES
from bench.records import Record
from bench.results import Results
from bench.stats import Array

DRAWS = 1_000  # of the bootstraps behind bars and bands, of which there are hundreds
WITHIN = 0.1  # of the best loss: learning rates that come this close are good


@dataclass(frozen=True)
class Speed:
    """How soon training loss is down at each task's target, setting chosen by training loss.

    Attributes:
      targets: training losses, (T,); NaN where no run has a finite loss.
      own: tasks whose target is this run's own, for want of constants.
      budgets: gradient evaluations, (T,).
      times: gradient evaluations to the target, (T, O, R, S); inf for a miss.
      step_s: seconds for a gradient evaluation with all that a step does, (T, O).
    """

    tasks: Sequence[str]
    optimizers: Sequence[str]
    targets: Array
    own: Sequence[str]
    budgets: Array
    times: Array
    step_s: Array

    @property
    def replicates(self) -> int:
        """The fewest that a cell has."""
        return int((~np.isnan(self.left)).sum(-1).min())

    @cached_property
    def left(self) -> Array:
        """Share of the budget left when the target is reached, 0 if it is missed, mean over seeds: (T, O, R)."""
        left = np.maximum(1 - self.times / self.budgets[:, None, None, None], 0.0)
        return _mean(left)

    @cached_property
    def score(self) -> Array:
        """One number for an optimizer: mean over tasks of its mean over replicates of `left`, (O,)."""
        return -stats.means(-self.left)

    @cached_property
    def interval(self) -> tuple[Array, Array]:
        """Its 95 % interval over tasks and replicates."""
        low, high = stats.bootstrap(-self.left)
        return -high, -low

    @cached_property
    def tiers(self) -> tuple[np.ndarray, Array]:
        """Tier, and p-value against the leader, by the boards' own test."""
        return stats.tiers(-self.left)

    @cached_property
    def order(self) -> list[int]:
        """Optimizers by tier, then score; those not ranked last."""
        tier = self.tiers[0]
        return sorted(range(len(self.optimizers)), key=lambda o: (tier[o] == 0, tier[o], -np.nan_to_num(self.score[o])))

    @cached_property
    def ert(self) -> Array:
        """Expected gradient evaluations to the target with restarts, (T, O); inf where no run reaches it.

        At least one, of starts that are at the target.
        """
        runs = self.times.reshape(*self.times.shape[:2], -1)
        each = [stats.ert(row, float(budget)) for row, budget in zip(runs, self.budgets, strict=True)]
        return np.maximum(np.array(each).reshape(runs.shape[:2]), 1.0)

    @cached_property
    def ert_interval(self) -> tuple[Array, Array]:
        """Ends of the 95 % percentile interval of `ert` over replicates, each with its seeds: two (T, O)."""
        ends = np.full((2, *self.times.shape[:2]), np.nan)
        rng = np.random.default_rng(0)
        for t, o in np.ndindex(*self.times.shape[:2]):
            cell = self.times[t, o][~np.isnan(self.times[t, o]).all(-1)]
            if len(cell) > 1:
                drawn = cell[rng.integers(len(cell), size=(DRAWS, len(cell)))].reshape(DRAWS, -1)
                values = np.maximum(stats.ert(drawn, float(self.budgets[t])), 1.0)
                ends[:, t, o] = np.quantile(values, [stats.LEVEL / 2, 1 - stats.LEVEL / 2], method="inverted_cdf")
        return ends[0], ends[1]

    @cached_property
    def ratios(self) -> tuple[Array, Array]:
        """`ert` and `seconds` as multiples of the least on the task, medians over the tasks that any optimizer solves:
        two (O,); inf where more than half are missed, NaN where there are none."""
        both = (beside_best(self.ert), beside_best(self.seconds))
        one, other = (np.array([_median(column) for column in costs.T]) for costs in both)
        return one, other

    @cached_property
    def reached(self) -> tuple[np.ndarray, np.ndarray]:
        """Runs that reach the target, and all of them: two int (T, O)."""
        there = ~np.isnan(self.times)
        return (self.times <= self.budgets[:, None, None, None]).sum((-1, -2)), there.sum((-1, -2))

    @cached_property
    def seconds(self) -> Array:
        """`ert` in seconds of training, evaluation off, (T, O)."""
        return self.ert * self.step_s


@dataclass(frozen=True)
class Robustness:
    """What searches tell of an optimizer, from training loss at the budget unless it says otherwise.

    Attributes:
      basin: decades of good learning rates, of all trials of a cell, (T, O).
      failed: trials of a search that diverged or ended above their starting loss, (T, O, R).
      trials: all trials of a search, (T, O, R).
      cost: log of what the defaults' trial ends at over the best trial of its search, (T, O, R); NaN where all failed,
        which would be no cost at all.
      tuning: by board, log of the expected best of k trials over the best of the cell, k = 1 .. K, by the loss which
        that board selects by: (T, O, R, K); NaN where all of a cell failed.
    """

    tasks: Sequence[str]
    optimizers: Sequence[str]
    basin: Array
    failed: Array
    trials: Array
    cost: Array
    tuning: Mapping[str, Array]

    @cached_property
    def basins(self) -> tuple[Array, Array, Array]:
        """Mean over tasks of `basin` with its 95 % t interval, which ends at 0, three (O,)."""
        mean, low, high = stats.t_interval(self.basin.T)
        return mean, np.maximum(low, 0.0), high

    @cached_property
    def failures(self) -> tuple[Array, Array, Array]:
        """Share of trials that failed, mean over replicates and tasks with its interval, three (O,).

        None or all of them leave a bootstrap nothing to draw from, so that there is no interval.
        """
        share = self.failed / self.trials
        mean, (low, high) = stats.means(share), stats.bootstrap(share)
        varies = (mean > 0) & (mean < 1)
        return mean, np.where(varies, low, np.nan), np.where(varies, high, np.nan)

    @cached_property
    def costs(self) -> tuple[Array, Array, Array]:
        """Factor that the defaults cost: geometric mean over replicates and tasks with its interval, three (O,)."""
        low, high = stats.bootstrap(self.cost)
        return np.exp(stats.means(self.cost)), np.exp(low), np.exp(high)

    def curve(self, board: str) -> tuple[Array, Array, Array]:
        """Factor that the best of k trials is expected to miss the best found by, with its interval: three (O, K)."""
        return self._curves[board]

    @cached_property
    def _curves(self) -> dict[str, tuple[Array, Array, Array]]:
        found = {}
        for board, values in self.tuning.items():
            tasks, optimizers, replicates, trials = values.shape
            each = values.swapaxes(2, 3).reshape(tasks, optimizers * trials, replicates)  # all draw alike
            low, high = stats.bootstrap(each, draws=DRAWS)
            mean, low, high = (np.exp(end).reshape(optimizers, trials) for end in (stats.means(each), low, high))
            found[board] = mean, low, high
        return found

    @cached_property
    def order(self) -> list[int]:
        """Optimizers by what their defaults cost; those without every task last."""
        whole, cost = stats.complete(self.cost), np.nan_to_num(self.costs[0], nan=np.inf)
        return sorted(range(len(self.optimizers)), key=lambda o: (not whole[o], cost[o]))


def _median(values: Array) -> float:
    """Of what is there, of which inf is some."""
    there = values[~np.isnan(values)]
    return float(np.median(there)) if there.size else np.nan


def beside_best(costs: Array) -> Array:
    """Costs as multiples of the least on their task, (T, O), inf for a miss; NaN on tasks that none solves."""
    there = np.where(np.isnan(costs), np.inf, costs)
    best = there.min(1, keepdims=True, initial=np.inf)
    return np.divide(costs, best, out=np.full(costs.shape, np.nan), where=np.isfinite(best))


def speed(results: Results, aims: Mapping[str, float] | None = None) -> Speed:
    """How soon a run's optimizers reach the targets."""
    tasks, optimizers, replicates = results.tasks, results.optimizers, results.shape[2]
    budgets = {record.meta["task"]: int(record.meta["budget"]) for record in results.units}
    targets, own = (
        constants.targets(results) if aims is None else (np.array([aims[task] for task in results.tasks]), [])
    )
    seeds = max((record.seeds for record in results.units), default=0)
    times = np.full((len(tasks), len(optimizers), replicates, seeds), np.nan)
    by, split = RULES["optimization"]
    alike: dict[tuple[str, int], list[Record]] = {}
    for record in results.units:
        alike.setdefault((record.meta["task"], len(record.arrays["step"])), []).append(record)
    for (task, _), of in alike.items():
        curves, at = (np.concatenate([r.final(by, name) for r in of]) for name in (f"{split}/loss", "grad_evals"))
        reached = stats.time_to(curves, at, targets[tasks.index(task)], of[0].meta["floor"])
        for record, runs in zip(of, np.split(reached, np.cumsum([record.seeds for record in of])[:-1]), strict=True):
            times[results.place(record)][: len(runs)] = runs
    step_s = np.full(times.shape[:2], np.nan)
    for (task, optimizer), timing in results.timings.items():
        if results.cell(task, optimizer):
            step_s[tasks.index(task), optimizers.index(optimizer)] = timing.seconds_per_step
    return Speed(
        tasks, optimizers, targets, own, np.array([budgets[task] for task in tasks], dtype=float), times, step_s
    )


def robustness(results: Results) -> Robustness:
    """What a run's searches tell of its optimizers."""
    tasks, optimizers, shape = results.tasks, results.optimizers, results.shape
    trials = min((record.arrays["search/train/loss"].shape[0] for record in results.units), default=0)
    failed, tried, cost = (np.full(shape, np.nan) for _ in range(3))
    basin = np.full(shape[:2], np.nan)
    tuning = {board: np.full((*shape, trials), np.nan) for board in RULES}
    for t, task in enumerate(tasks):
        for o, name in enumerate(optimizers):
            cell = results.cell(task, name)
            logs = {board: [log_losses(record, by) for record in cell] for board, (by, _) in RULES.items()}
            basin[t, o] = _basin(cell, [losses for losses, _ in logs["optimization"]])
            best = {board: _lowest(each) for board, each in logs.items()}
            for index, record in enumerate(cell):
                place = results.place(record)
                ends, starts = _search(record, "train")
                failed[place], tried[place] = np.sum(~np.isfinite(ends) | (ends > starts)), len(ends)
                cost[place] = _defaults_cost(*logs["optimization"][index])
                for board, each in logs.items():
                    losses, worst = each[index]
                    tuning[board][place] = stats.expected_best(losses, range(1, trials + 1), worst) - best[board]
    return Robustness(tasks, optimizers, basin, failed, tried, cost, tuning)


def log_losses(record: Record, split: str) -> tuple[Array, float]:
    """Log of what the trials of a search ended at, floored, (K,), and of what they started from.

    A trial that failed counts as its start: whoever tunes would rather keep that.
    """
    ends, starts = _search(record, split)
    floor = record.meta["floor"]
    known = starts[np.isfinite(starts)]
    worst = float(np.log(max(np.median(known), floor))) if known.size else np.inf
    return np.log(np.maximum(np.where(np.isfinite(ends), ends, np.inf), floor)), worst


def _defaults_cost(logs: Array, worst: float) -> float:
    """Log loss of the first trial, the defaults', over the best one's; NaN where all failed."""
    return min(float(logs[0]), worst) - float(logs.min()) if logs.min() <= worst and np.isfinite(logs.min()) else np.nan


def _search(record: Record, split: str) -> tuple[Array, Array]:
    """What the trials of a search ended at and started from: two (K,)."""
    curves = record.arrays[f"search/{split}/loss"].astype(np.float64)
    return curves[:, -1], curves[:, 0]


def _lowest(logs: Sequence[tuple[Array, float]]) -> float:
    """The best of all trials of a cell; NaN where all failed."""
    each = [float(losses.min()) for losses, worst in logs if losses.min() <= worst]
    return min((loss for loss in each if np.isfinite(loss)), default=np.nan)


def _basin(cell: Sequence[Record], logs: Sequence[Array]) -> float:
    name = "hparams/learning_rate"
    pairs = zip(cell, logs, strict=True)
    searched = [(record.arrays[name], losses) for record, losses in pairs if name in record.arrays]
    if not searched:
        return np.nan
    rates, losses = (np.concatenate(each) for each in zip(*searched, strict=True))
    return stats.basin(rates, losses, WITHIN)


def _mean(values: Array) -> Array:
    """Mean over the last axis of what is there; NaN where nothing is."""
    there = ~np.isnan(values)
    count = there.sum(-1)
    return np.divide(np.where(there, values, 0.0).sum(-1), count, out=np.full(count.shape, np.nan), where=count > 0)
