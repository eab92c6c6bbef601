"""What a task is: a static description that can be hashed and sent to another process, and the pure functions and
arrays that it stands for, made where they are needed.

Nothing here imports JAX, so that a grid can be listed and planned in milliseconds.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

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
      name: lower snake case, unique in a grid.
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

    @abstractmethod
    def build(self) -> Model:
        """The task's pure functions."""

    @abstractmethod
    def data(self) -> Data:
        """The task's arrays, on the host."""

    @property
    def facts(self) -> dict[str, Any]:
        """What a list of tasks shows of it."""
        return {"metric": self.metric, "batch": self.batch_size or "all rows", "steps": self.steps}

    @property
    def identity(self) -> str:
        """Everything of the description that decides numbers, as text."""
        return repr(self)

    def run_cost(self, points: int) -> float:
        """Floating-point operations of one run that is evaluated `points` times: only orders and predicts work."""
        del points
        return 1e5 * self.steps
