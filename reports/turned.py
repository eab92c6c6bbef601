"""The numbers of a study: what each value gave, with what can be said of differences, as arrays.

Shapes: V values, O optimizers, R replicates. Metrics and losses are means over a replicate's final seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.records import Record
from bench.stats import Array
from bench.stats.scaling import PowerLaw, longest, together
from bench.studied import Point, Studied

# Of the cells end at the target or beyond, on average; fewer where nothing is tuned, as many values are far off then.
REACHED = {True: 2 / 3, False: 1 / 2}
DRAWS = 1_000


@dataclass(frozen=True)
class Cells:
    """What is read of records, each (V, O, R): NaN where there is none.

    Attributes:
      test, valid, train: the task's metric on these rows, of the setting that validation loss chose; a run that
        diverged is the worst there is.
      test_loss: of the same runs.
      train_loss: of the setting that training loss chose.
      rate: the learning rate that validation loss chose.
      diverged: share of the final runs that ended without a finite loss.
    """

    test: Array
    valid: Array
    train: Array
    test_loss: Array
    train_loss: Array
    rate: Array
    diverged: Array


@dataclass(frozen=True)
class Turned:
    """All numbers of a study.

    Attributes:
      falls: whether the metric is better where it is lower.
      cells: of settings tuned at each value, by each replicate for itself.
      moved, settled: of one setting for all replicates, tuned at the base or at the value; None where they were not
        asked for.
      target: level of the test metric that `reach` is about.
      times: (V, O, R, S) gradient evaluations to the target; inf for a miss.
    """

    studied: Studied
    falls: bool
    cells: Cells
    moved: Cells | None
    settled: Cells | None
    target: float
    times: Array

    @property
    def optimizers(self) -> list[str]:
        """Names in the study."""
        return list(self.studied.about.optimizers)

    @property
    def points(self) -> Sequence[Point]:
        """The values."""
        return self.studied.about.points

    @property
    def numbers(self) -> Array | None:
        """The values as numbers, (V,); None of words."""
        values = [point.value for point in self.points]
        return np.array(values, float) if all(isinstance(value, int | float) for value in values) else None

    @property
    def better(self) -> float:
        """The sign that makes larger metrics better."""
        return -1.0 if self.falls else 1.0

    @cached_property
    def means(self) -> Array:
        """Mean test metric of each cell, (V, O)."""
        return stats.t_interval(self.cells.test)[0]

    @cached_property
    def interval(self) -> tuple[Array, Array, Array]:
        """Mean test metric with the ends of its 95 % t interval, (V, O) each; there is none where a run diverged."""
        mean, low, high = stats.t_interval(self.cells.test)
        lost = lost_at(self.cells)
        return mean, np.where(lost, np.nan, low), np.where(lost, np.nan, high)

    @cached_property
    def ranks(self) -> Array:
        """Places by the mean test metric at each value, 1 the best; NaN for what is not there: (V, O)."""
        goodness = self.better * self.means
        return np.where(np.isnan(goodness), np.nan, 1.0 + (goodness[:, None, :] > goodness[:, :, None]).sum(-1))

    @cached_property
    def apart(self) -> Array:
        """p-values of all pairs of optimizers at each value, corrected together for the share of false ones among the
        differences shown: (V, O, O), 1 on the diagonal."""
        values, count = self.means.shape
        upper = np.triu_indices(count, 1)
        p = [[stats.one_task(row[a], row[b]) for a, b in zip(*upper, strict=True)] for row in self.cells.test]
        adjusted = stats.false_discovery(np.array(p).ravel()).reshape(values, -1)
        found = np.ones((values, count, count))
        found[:, upper[0], upper[1]] = found[:, upper[1], upper[0]] = adjusted
        return found

    @cached_property
    def equal(self) -> NDArray[np.bool_]:
        """Who is not told apart from the best at each value, itself included: (V, O)."""
        found = np.zeros(self.means.shape, bool)
        for v, ranks in enumerate(self.ranks):
            if np.isfinite(ranks).any():
                found[v] = (self.apart[v, int(np.nanargmin(ranks))] > stats.LEVEL) & np.isfinite(ranks)
        return found

    @cached_property
    def overall(self) -> tuple[Array, Array]:
        """Over all values together, each in units of its own spread: mean score (O,), lower is better, NaN for who is
        not at all values, and p-values of all pairs (O, O), Holm-corrected.

        A replicate's score is its mean over the values, as values may share starts and draws.
        """
        losses = -self.better * self.cells.test
        flat = losses.reshape(len(losses), -1)
        centre = stats.t_interval(flat)[0][:, None]
        spread = np.sqrt(stats.t_interval((flat - centre) ** 2)[0])[:, None, None]
        scores = ((losses - centre[..., None]) / np.where(spread > 0, spread, 1.0)).mean(0)
        one, other = np.triu_indices(len(scores), 1)
        p = np.ones((len(scores), len(scores)))
        p[one, other] = stats.holm([stats.one_task(scores[a], scores[b]) for a, b in zip(one, other, strict=True)])
        return stats.t_interval(scores)[0], np.minimum(p, p.T)

    @cached_property
    def beside_base(self) -> tuple[Array, Array]:
        """How much better the metric is than at the base, (V, O), and its p-values, corrected together for the share of
        false ones: NaN at the base.

        Runs of a task of one name have the same starts, and replicates then are pairs.
        """
        base, own = self.studied.about.base, self.cells.test
        pairs = [point.task == self.points[base].task for point in self.points]
        p = [
            [stats.paired(a - b) if same else stats.one_task(a, b) for a, b in zip(row, own[base], strict=True)]
            for row, same in zip(own, pairs, strict=True)
        ]
        return self.better * (self.means - self.means[base]), _corrected(np.array(p), base)

    @cached_property
    def regret(self) -> tuple[Array, Array, Array, Array]:
        """What a setting tuned at the base costs beside one tuned at the value, above 0 where it is worse: mean and
        ends of its 95 % t interval over pairs of the same start, (V, O) each, and corrected p-values of the paired
        t test; NaN at the base, where both are one, and where a run diverged."""
        assert self.moved is not None
        assert self.settled is not None
        lost = lost_at(self.moved) | lost_at(self.settled)
        pairs = np.where(lost[..., None], np.nan, self.better * (self.settled.test - self.moved.test))
        p = np.array([[stats.paired(own) for own in row] for row in pairs])
        return (*stats.t_interval(pairs), _corrected(np.where(lost, 1.0, p), self.studied.about.base))

    @cached_property
    def reach(self) -> tuple[Array, Array, Array]:
        """Expected gradient evaluations to the target with restarts, and the ends of their 95 % bootstrap interval over
        replicates: (V, O) each, inf where no run reaches it."""
        found = np.full((3, *self.means.shape), np.nan)
        for v, point in enumerate(self.points):
            for o in range(len(self.optimizers)):
                own = self.times[v, o][~np.isnan(self.times[v, o]).all(-1)]
                if len(own):
                    found[:, v, o] = _expected(own, float(point.steps))
        return found[0], found[1], found[2]

    @cached_property
    def laws(self) -> dict[str, list[PowerLaw]]:
        """{what: a fit for each optimizer} on an axis of numbers whose scale is logarithmic, corrected together."""
        x = self.numbers
        if x is None or self.studied.about.scale != "log":
            return {}
        steps = np.stack([stats.ert(self.times[v], float(point.steps)) for v, point in enumerate(self.points)])
        kinds = {"test loss": self.cells.test_loss, "training loss": self.cells.train_loss}
        kinds = (kinds if self.studied.about.comparable else {}) | {"steps to the target": steps}
        if np.isfinite(self.cells.rate).any():
            kinds["tuned learning rate"] = self.cells.rate
        count = len(self.optimizers)
        fits = together([longest(x, y[:, o]) for y in kinds.values() for o in range(count)])
        return {what: fits[i * count : (i + 1) * count] for i, what in enumerate(kinds)}

    @cached_property
    def positions(self) -> Array:
        """Where the values stand along a chart: themselves, their decimal logarithms with a zero a step before the
        least, or their places: (V,)."""
        x, scale = self.numbers, self.studied.about.scale
        if x is None or scale == "categorical":
            return np.arange(len(self.points), dtype=float)
        if scale == "linear":
            return x
        above = np.log10(x[x > 0])
        step = (above.max() - above.min()) / max(1, len(above) - 1) if len(above) else 1.0
        return np.where(x > 0, np.log10(np.where(x > 0, x, 1.0)), above.min(initial=0.0) - (step or 1.0))


def geometric(values: Array) -> tuple[Array, Array, Array]:
    """Geometric mean over replicates and the ends of its 95 % t interval; infinite where a replicate diverged."""
    lost = np.isinf(values).any(-1)
    ends = stats.t_interval(np.log(np.where(np.isfinite(values), values, np.nan)))
    mean, low, high = (np.where(lost, np.inf, np.exp(end)) for end in ends)
    return mean, low, high


def _corrected(p: Array, base: int) -> Array:
    """p-values corrected together but for those at the base, which are NaN."""
    found = np.full(p.shape, np.nan)
    others = np.arange(len(p)) != base
    found[others] = stats.false_discovery(p[others].ravel()).reshape(-1, p.shape[1])
    return found


def _expected(times: Array, budget: float) -> Array:
    """`ert` of a cell (R, S) with the ends of its interval."""
    drawn = times[np.random.default_rng(0).integers(len(times), size=(DRAWS, len(times)))].reshape(DRAWS, -1)
    ends = np.quantile(stats.ert(drawn, budget), [stats.LEVEL / 2, 1 - stats.LEVEL / 2], method="inverted_cdf")
    value = float(stats.ert(times.ravel(), budget))
    return np.array([value, *(ends if len(times) > 1 else [np.nan, np.nan])])


def turned(studied: Studied) -> Turned:
    """The numbers of a study."""
    about = studied.about
    falls = _falls(studied)
    read = [_cells(studied, points) for points in (about.points, about.transferred, about.settled)]
    cells, moved, settled = _bounded(read, studied, falls)
    sign = -1.0 if falls else 1.0
    means = sign * stats.t_interval(cells.test)[0]
    finite = means[np.isfinite(means)]
    target = float(sign * np.quantile(finite, 1 - REACHED[about.tuned])) if finite.size else float("nan")
    times = _times(studied, target, falls)
    if not about.transferred:
        return Turned(studied, falls, cells, None, None, target, times)
    return Turned(studied, falls, cells, moved, settled, target, times)


def _falls(studied: Studied) -> bool:
    """Whether the metric is better where it is lower: whether it falls along runs that training loss selected."""
    about = studied.about
    runs = [
        record.final("train", f"train/{about.metric}")
        for point in about.points
        for name in about.optimizers
        for record in studied.records(point, name)
    ]
    changes = np.concatenate([run[:, -1] - run[:, 0] for run in runs]) if runs else np.zeros(1)
    return bool(np.median(np.where(np.isfinite(changes), changes, 0.0)) < 0)


def _cells(studied: Studied, points: Sequence[Point]) -> Cells:
    """Of so many values; infinite is the metric of a run that diverged."""
    about = studied.about
    shape = (len(points), len(about.optimizers), about.replicates)
    found = {name: np.full(shape, np.nan) for name in Cells.__dataclass_fields__}
    for v, point in enumerate(points):
        for o, name in enumerate(about.optimizers):
            for record in studied.records(point, name):
                for what, value in _read(record, about.metric).items():
                    found[what][v, o, record.meta["replicate"]] = value
    return Cells(**found)


def lost_at(cells: Cells) -> NDArray[np.bool_]:
    """Where final runs diverged: (V, O)."""
    return np.nan_to_num(cells.diverged).max(-1, initial=0.0) > 0


def _bounded(read: Sequence[Cells], studied: Studied, falls: bool) -> list[Cells]:
    """The same with the metric of what diverged the worst that there is in any of them, or at any start: such a run has
    learned nothing."""

    def bound(split: str) -> list[Array]:
        values = [getattr(cells, split) for cells in read]
        ends = np.concatenate([own[np.isfinite(own)] for own in values] + [_starts(studied, split)])
        worst = (ends.max() if falls else ends.min()) if ends.size else 0.0
        return [np.where(np.isinf(own), worst, own) for own in values]

    test, valid, train = (bound(split) for split in ("test", "valid", "train"))
    return [replace(cells, test=test[i], valid=valid[i], train=train[i]) for i, cells in enumerate(read)]


def _starts(studied: Studied, split: str) -> Array:
    """The finite metrics of all final runs before their first step."""
    about = studied.about
    found = [
        record.final("valid", f"{split}/{about.metric}")[:, 0].astype(float)
        for point in about.all_points
        for name in about.optimizers
        for record in studied.records(point, name)
    ]
    values = np.concatenate([*found, np.zeros(0)])
    return values[np.isfinite(values)]


def _read(record: Record, metric: str) -> Mapping[str, float]:
    """What a record says, by the names of `Cells`; infinite where a run diverged."""
    lost = ~np.isfinite(record.ends("valid", "valid/loss"))
    read: dict[str, Any] = {}
    for split in ("test", "valid", "train"):
        values = record.ends("valid", f"{split}/{metric}").astype(float)
        read[split] = np.where(lost | ~np.isfinite(values), np.inf, values).mean()
    for what, by, split in (("test_loss", "valid", "test"), ("train_loss", "train", "train")):
        losses = record.ends(by, f"{split}/loss").astype(float)
        read[what] = np.maximum(np.where(np.isfinite(losses), losses, np.inf), record.meta["floor"]).mean()
    return {
        **read,
        "rate": record.chosen_hparams("valid").get("learning_rate", np.nan),
        "diverged": float(lost.mean()),
    }


def _times(studied: Studied, target: float, falls: bool) -> Array:
    """Gradient evaluations to the target in the test metric, where validation loss chose the setting: (V, O, R, S); one
    where the target is met at the start."""
    about = studied.about
    times = np.full((len(about.points), len(about.optimizers), about.replicates, about.seeds), np.nan)
    for v, point in enumerate(about.points):
        for o, name in enumerate(about.optimizers):
            for record in studied.records(point, name):
                curves = record.final("valid", f"test/{about.metric}").astype(float)
                spent = record.final("valid", "grad_evals").astype(float)
                own = first_reach(curves if falls else -curves, spent, target if falls else -target)
                times[v, o, record.meta["replicate"], : len(own)] = np.maximum(own, 1.0)
    return times


def first_reach(curves: Array, at: Array, target: float) -> Array:
    """When each curve is first at or below the target, on the line between readings: (S, P) and (S, P) to (S,); inf for
    never, and the first reading's own time where it is there already."""
    found = np.full(len(curves), np.inf)
    for s, (curve, times) in enumerate(zip(curves, at, strict=True)):
        below = np.flatnonzero(curve <= target)
        if not below.size:
            continue
        i = int(below[0])
        found[s] = times[i]
        if i and np.isfinite(curve[i - 1]):
            share = (curve[i - 1] - target) / (curve[i - 1] - curve[i])
            found[s] = times[i - 1] + share * (times[i] - times[i - 1])
    return found
