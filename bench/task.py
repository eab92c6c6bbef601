"""What a task is: a static description that can be hashed and sent to another process, and the pure functions and
arrays that it stands for, made where they are needed.

Nothing here imports JAX, so that a grid can be listed and planned in milliseconds.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import UserError

if TYPE_CHECKING:
    import jax

PyTree = Any
SPLITS = ("train", "valid", "test")
Metrics = dict[str, dict[str, "jax.Array"]]


class Data(NamedTuple):
    """The arrays of a task, an argument of every compiled program and never a constant in it.

    Attributes:
      train: tree of arrays with one leading axis, the training rows; a batch is the same tree with fewer rows.
      evaluation: whatever `Model.evaluate` needs.
    """

    train: PyTree
    evaluation: PyTree

    @property
    def rows(self) -> int:
        """How many training rows there are."""
        import jax

        return int(jax.tree.leaves(self.train)[0].shape[0])


class Model(NamedTuple):
    """The pure functions of a task.

    Attributes:
      init: key to initial parameters; called outside compiled code.
      loss: (params, batch, key) to the scalar that is minimised, a mean over the batch; the key drives whatever is
        random in a step.
      evaluate: (params, evaluation) to {split: {metric: float32 scalar}}; splits are train, valid and test, and
        each has a 'loss', that of training without anything random or added to it.
    """

    init: Callable[["jax.Array"], PyTree]
    loss: Callable[[PyTree, PyTree, "jax.Array"], "jax.Array"]
    evaluate: Callable[[PyTree, PyTree], Metrics]


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """Static description of a task. Subclasses say how the functions and the arrays are made.

    Attributes:
      name: unique in a grid, lower snake case.
      batch_size: rows of a step; None is the whole training set, which makes SGD gradient descent.
      steps: the budget, in gradient evaluations.
      metric: name of the metric that a user of the task cares about, beside the loss.
      floor: losses below it count as equal to it, so that a loss that runs to zero does not rule a board.
    """

    name: str
    batch_size: int | None
    steps: int
    metric: str
    floor: float = 1e-4

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w+(\([^/]*\))?", self.name):  # a part of file names
            raise UserError(f"task {self.name!r}: a name is made of letters, digits and underscores")
        for field in ("steps", "batch_size"):
            value = getattr(self, field)
            if not (isinstance(value, int) and value >= 1) and (field == "steps" or value is not None):
                raise UserError(f"task {self.name}: {field} must be a whole number of at least 1, not {value!r}")

    @abstractmethod
    def build(self) -> Model:
        """The task's pure functions."""

    @abstractmethod
    def data(self) -> Data:
        """The task's arrays, on the host.

        Raises:
          Unavailable: they are not on this machine and cannot be fetched now.
        """

    def prepare(self) -> None:  # noqa: B027  # a task need not have anything to fetch
        """Fetches and caches what `data` needs, so that workers find it; raises what `data` does."""

    @property
    def prepared(self) -> bool:
        """Whether `prepare` has nothing to do."""
        return True

    def missing(self) -> str:
        """Empty if the data is here or can be made here, else why not and the remedy; takes next to no time."""
        return ""

    def folded(self, fold: int, of: int) -> "Task":
        """The same on other rows: fold `fold` of a cross-validation with `of` folds.

        Raises:
          UserError: it has no rows to deal into folds.
        """
        del fold, of
        raise UserError(f"task {self.name} has no rows to deal into folds; leave --select kfold out")

    @property
    def facts(self) -> dict[str, Any]:
        """What a list of tasks shows of it, by heading; plain values."""
        return {"metric": self.metric, "batch": self.batch_size or "all rows", "steps": self.steps}

    @property
    def identity(self) -> str:
        """Everything of the description that decides numbers, as text."""
        return repr(self)

    @property
    def code(self) -> frozenset[Path]:
        """The files whose code decides numbers: that of the class, and of whatever functions the task was given."""
        return frozenset({source_of(type(self))})

    def run_cost(self, points: int) -> float:
        """Floating-point operations of one run that is evaluated `points` times: only orders and predicts work."""
        del points
        return 1e5 * self.steps


def source_of(thing: Any) -> Path:
    """The file in which a class or a function was written.

    Raises:
      UserError: there is none, as for one typed into a notebook: what changes could not be told from what was.
    """
    try:
        return Path(inspect.getfile(inspect.unwrap(thing)))
    except (TypeError, OSError) as error:
        raise UserError(f"{thing!r} is not in a file; put it in one, so that its changes are noticed") from error
