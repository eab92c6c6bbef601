"""Measures: an arm's record to one number, the mean over its final seeds, of which a claim compares two.

Each is a pure function of a record with words for what it gives. Differences are taken in the direction that is good
(`sign`), on a scale on which they add up: logs of losses and of steps, metrics as they are. A run that diverged has
learned nothing: its loss counts as that at its start, and a metric that is no number as 0.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from bench.records import Record
from bench.stats import Array, time_to

NARROW = 0.01  # of a gap in loss, which nobody would fight


@dataclass(frozen=True)
class Measure(ABC):
    """One number of a record."""

    @abstractmethod
    def __call__(self, record: Record) -> float:
        """The number, on the scale of differences."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it measures."""

    @property
    def chooser(self) -> str:
        """The split whose loss chose the setting that it is of."""
        return "valid"

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1

    @property
    def ratio(self) -> bool:
        """Whether a difference is one of logs, and so a ratio."""
        return True

    def scaled(self, effect: float) -> float:
        """An effect as a claim names it, on the scale of differences: 10 % fewer is a log of 1 / 0.9."""
        return float(-np.log1p(-effect)) if self.ratio else effect

    def said(self, gain: float, named: bool = False) -> str:
        """A gain on the scale of differences in words: 12 % less, 3.1 points more; or a size, without a direction."""
        if not self.ratio:
            size = f"{100 * abs(gain):.1f} points"
            return size if named else f"{size} {'more' if gain >= 0 else 'less'}"
        if named:
            size = 100 * -np.expm1(-gain)
            return f"{size:.0f} %" if size >= 1 else f"{size:.1f} %"
        share = 100 * abs(np.expm1(-gain))
        return f"{share:.{0 if share >= 100 else 1}f} % {'less' if gain >= 0 else 'more'}"

    def natural(self, value: float) -> float:
        """A value of the scale of differences as one would write it."""
        return float(np.exp(value)) if self.ratio else value


@dataclass(frozen=True)
class LogLoss(Measure):
    """Log of the loss at the end of the budget.

    Attributes:
      split: of which rows; the setting is the one that the loss of training rows chose for these, else of validation.
    """

    split: str = "test"

    def __call__(self, record: Record) -> float:
        """Mean over seeds."""
        losses = _losses(record, self.chooser, self.split)
        return float(np.log(np.maximum(losses, record.meta["floor"])).mean())

    @property
    def chooser(self) -> str:
        """Training loss chooses what training loss is of."""
        return "train" if self.split == "train" else "valid"

    @property
    def words(self) -> str:
        """Of which rows."""
        return {"train": "training", "valid": "validation", "test": "test"}[self.split] + " loss"


@dataclass(frozen=True)
class LogSteps(Measure):
    """Log of the steps to a training loss; a run that misses it counts as if it had just reached it at its end, which
    favours whoever misses.

    Attributes:
      target: the loss.
      passes: over the data in the budget, to count in these; 0 counts steps.
    """

    target: float
    passes: int = 0

    def __call__(self, record: Record) -> float:
        """Mean over seeds."""
        return float(np.log(self.steps(record)).mean())

    def steps(self, record: Record) -> Array:
        """(seeds,) steps or passes, of misses the budget."""
        budget = float(record.meta["budget"])
        steps = np.clip(self.times(record), 1.0, budget)
        return steps * self.passes / budget if self.passes else steps

    def times(self, record: Record) -> Array:
        """(seeds,) steps, inf where the target is missed."""
        curves = record.final(self.chooser, "train/loss")
        return time_to(curves, record.arrays["step"], self.target, record.meta["floor"])

    @property
    def chooser(self) -> str:
        """Training loss, which the steps are to."""
        return "train"

    @property
    def words(self) -> str:
        """To what."""
        return f"{'passes' if self.passes else 'steps'} to a training loss of {self.target:.4g}"


@dataclass(frozen=True)
class Gap(Measure):
    """Log of the generalization gap, test loss less training loss, of the setting chosen by validation loss; a gap
    below NARROW, or none, counts as that."""

    def __call__(self, record: Record) -> float:
        """Mean over seeds."""
        test, train = (_losses(record, self.chooser, split) for split in ("test", "train"))
        return float(np.log(np.maximum(test - train, NARROW)).mean())

    @property
    def words(self) -> str:
        """What it is."""
        return "gap between test and training loss"


@dataclass(frozen=True)
class Metric(Measure):
    """A metric on test rows, of the setting chosen by validation loss.

    Attributes:
      name: as the task's evaluation calls it.
      label: as a reader does.
    """

    name: str
    label: str

    def __call__(self, record: Record) -> float:
        """Mean over seeds."""
        values = record.ends(self.chooser, f"test/{self.name}").astype(np.float64)
        return float(np.where(np.isfinite(values), values, 0.0).mean())

    @property
    def words(self) -> str:
        """On test rows."""
        return f"{self.label} on test rows"

    @property
    def sign(self) -> int:
        """More is better."""
        return 1

    @property
    def ratio(self) -> bool:
        """Differences are points."""
        return False


def _losses(record: Record, by: str, split: str) -> Array:
    """(seeds,) losses at the end, those at the start where they are no numbers."""
    ends = record.ends(by, f"{split}/loss").astype(np.float64)
    begins = record.final(by, f"{split}/loss")[:, 0].astype(np.float64)
    return np.where(np.isfinite(ends), ends, begins)
