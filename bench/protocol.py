"""How a comparison is held. Static and without JAX: a protocol is data, read by everything and changed by nothing."""

from dataclasses import asdict, dataclass

import numpy as np

from bench.errors import UserError

SELECTIONS = ("train", "valid")  # a search is selected from twice, by the final loss of each of these splits
LARGEST = 1_000_000_000  # of any number here: steps are counted in 32 bits
SCHEDULES = ("constant", "cosine", "linear", "wsd")


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
    """

    replicates: int = 3
    trials: int = 10
    seeds: int = 3
    evaluations: int = 20
    schedule: str = "constant"
    wide: bool = False
    steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("replicates", "trials", "seeds", "evaluations", "steps"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and 1 <= value <= LARGEST):
                raise UserError(f"{name} must be a whole number of at least 1 and at most {LARGEST}, not {value}")
        if self.schedule not in SCHEDULES:
            raise UserError(f"there is no schedule {self.schedule!r}; there are {', '.join(SCHEDULES)}")

    @property
    def identity(self) -> dict[str, object]:
        """What decides the numbers of a replicate. More replicates or seeds only add to them."""
        return {key: value for key, value in asdict(self).items() if key not in ("replicates", "seeds")}

    def points(self, budget: int) -> np.ndarray:
        """Steps at which a run is evaluated, the start included: int32 (points,), from 0 to `budget`."""
        return np.unique(np.round(np.linspace(0, budget, self.evaluations + 1)).astype(np.int32))
