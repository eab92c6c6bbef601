"""How a comparison is held. Static and without JAX: a protocol is data, read by everything and changed by nothing."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from bench.errors import UserError

SELECTIONS = ("train", "valid")  # a search is selected from twice, by the final loss of each of these splits
LARGEST = 1_000_000_000  # of any number here: steps are counted in 32 bits
EXTENSIONS = 3  # of the search spaces at most
DECADES = 3  # of the narrowest learning rate's law in the catalogue, which an extension widens by two
SCHEDULES = ("constant", "cosine", "linear", "wsd")
CHECKPOINTS = ("final", "best")
FOLDS = 20  # of a cross-validation at most


@dataclass(frozen=True)
class Protocol:
    """The rules that every cell of a board shares.

    Attributes:
      replicates: repetitions of the whole procedure (own draws, own seeds), the unit of statistics.
      trials: settings tried in a search, the first of them the paper's defaults.
      seeds: fresh seeds on which each chosen setting is run for the record.
      evaluations: points of a curve after the starting one, evenly spaced over the budget.
      schedule: shape of the learning rate over the budget, one of SCHEDULES.
      wide: whether searches go over all hyperparameters that an optimizer has a law for, not only the one or two that
        matter most.
      steps: budget of every task in gradient evaluations; None leaves each task its own.
      checkpoint: where of its curve a run is read on the board that validation loss selects for: at its end, 'final',
        or where its validation loss is lowest, 'best'. Training loss is always that at the budget.
      extensions: how often all search spaces have been extended at both ends.
      select: what the second selection goes by: the validation split, 'valid', or the mean over as many folds of the
        training and validation rows, 'kfold:5', each held out from training in turn.
    """

    replicates: int = 3
    trials: int = 10
    seeds: int = 3
    evaluations: int = 20
    schedule: str = "constant"
    wide: bool = False
    steps: int | None = None
    checkpoint: str = "final"
    extensions: int = 0
    select: str = "valid"

    def __post_init__(self) -> None:
        for name in ("replicates", "trials", "seeds", "evaluations", "steps"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and 1 <= value <= LARGEST):
                raise UserError(f"{name} must be a whole number of at least 1 and at most {LARGEST}, not {value}")
        if not (isinstance(self.extensions, int) and 0 <= self.extensions <= EXTENSIONS):
            raise UserError(f"extensions must be a whole number of 0 to {EXTENSIONS}, not {self.extensions}")
        if self.schedule not in SCHEDULES:
            raise UserError(f"there is no schedule {self.schedule!r}; there are {', '.join(SCHEDULES)}")
        if self.checkpoint not in CHECKPOINTS:
            raise UserError(f"there is no checkpoint {self.checkpoint!r}; there are {', '.join(CHECKPOINTS)}")
        if self.select != "valid" and not 2 <= self.folds <= FOLDS:
            raise UserError(f"select must be valid, or kfold:2 to kfold:{FOLDS}, not {self.select!r}")

    @property
    def folds(self) -> int:
        """Folds of the cross-validation that settings are chosen by; 0 where a validation split chooses them."""
        kind, _, number = str(self.select).partition(":")
        return int(number) if kind == "kfold" and number.isascii() and number.isdigit() and len(number) < 4 else 0

    @property
    def identity(self) -> dict[str, object]:
        """What decides the numbers of a replicate. More replicates or seeds only add to them; spaces as they are
        shipped, runs that are read at their end and selection by a validation split go without saying."""
        unsaid = {"extensions": 0, "checkpoint": "final", "select": "valid"}
        left_out = {"replicates", "seeds"} | {name for name, value in unsaid.items() if getattr(self, name) == value}
        return {key: value for key, value in asdict(self).items() if key not in left_out}

    def extended(self, times: int) -> "Protocol":
        """The same with all spaces extended `times` times more, and more trials in proportion, rounded up.

        The proportion is that of a space of DECADES: trials x (3 + 2 extensions) / 3. It is the same for all
        optimizers, and keeps the trials per decade of even the narrowest learning rate's law.

        Raises:
          UserError: that is more than EXTENSIONS in all.
        """
        before, after = (DECADES + 2 * n for n in (self.extensions, self.extensions + times))
        return replace(self, extensions=self.extensions + times, trials=-(-self.trials * after // before))

    def points(self, budget: int) -> np.ndarray:
        """Steps at which a run is evaluated, the start included: int32 (points,), from 0 to `budget`."""
        return np.unique(np.round(np.linspace(0, budget, self.evaluations + 1)).astype(np.int32))
