"""What a rule of thumb is made of. Static and without JAX: an entry can be listed and checked without running it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any

from bench import tasks
from bench.errors import UserError
from bench.rules.measures import Measure
from bench.task import Task
from bench.tasks import Mlp

USUAL = {"trials": 10, "seeds": 3, "evaluations": 20}
CLOSELY = {**USUAL, "evaluations": 100}  # read often enough to tell steps that are few


def perceptron(spec: str) -> Mlp:
    """The task of the catalogue, which must be a perceptron, so that its fields can be changed.

    Raises:
      UserError: it is none.
    """
    task = tasks.get(spec)
    if not isinstance(task, Mlp):
        raise UserError(f"task {spec!r} is no perceptron, whose fields an experiment could change; name one that is")
    return task


@dataclass(frozen=True)
class Arm:
    """One side of an experiment.

    Attributes:
      task: a task or the spec of one.
      optimizer: spec of an optimizer; what it does not fix is tuned, with the same number of trials in every arm.
    """

    task: Task | str
    optimizer: str

    def named(self, name: str) -> Task:
        """The task under another name. Starts are drawn for a name, so that all arms of an experiment share theirs."""
        return replace(tasks.get(self.task), name=name)


@dataclass(frozen=True)
class Claim:
    """What a rule says of an experiment, so that numbers can say whether it does.

    Attributes:
      name: lower snake case, unique in its rule.
      words: the claim, as a sentence that is true or not.
      better, worse: the arm that the rule favours, and the one beside it.
      measure: what they are compared by.
      effect: the least difference that somebody would act on, in the measure's unit: 0.1 is 10 % of a loss or of steps,
        0.02 is two points of a metric.
      pilot: standard deviation over replicates of the difference in the pilot, whose seeds are others; it fixed how
        many replicates there are.
      beside: another (better, worse), where the rule says that the one advantage is larger than the other.
    """

    name: str
    words: str
    better: str
    worse: str
    measure: Measure
    effect: float
    pilot: float
    beside: tuple[str, str] | None = None

    @property
    def arms(self) -> tuple[str, ...]:
        """Those that it is about."""
        return (self.better, self.worse, *(self.beside or ()))

    @property
    def threshold(self) -> float:
        """The effect on the scale on which numbers are compared."""
        return self.measure.scaled(self.effect)


@dataclass(frozen=True)
class Experiment:
    """Arms that differ in what a rule is about and in nothing else.

    Attributes:
      name: lower snake case, unique in its rule.
      words: the experiment in a sentence or two.
      arms: by the name that page and claims call them.
      varies: the fields of a task in which arms differ; `optimizer` for that.
      claims: what the rule says of it.
      replicates: how many there are, fixed by the pilot before any of them was run.
      protocol: fields of `bench.protocol.Protocol`, the same for all arms.
    """

    name: str
    words: str
    arms: Mapping[str, Arm]
    varies: tuple[str, ...]
    claims: tuple[Claim, ...]
    replicates: int
    protocol: Mapping[str, int] = field(default_factory=lambda: USUAL)

    def between(self, one: str, other: str) -> set[str]:
        """Fields in which the tasks of two arms differ, and `optimizer` where these do."""
        ours, theirs = (_fields(self.arms[arm].named(self.name)) for arm in (one, other))
        found = {"optimizer"} if self.arms[one].optimizer != self.arms[other].optimizer else set()
        return found | {name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)}

    def differences(self) -> set[str]:
        """The same of any two of its arms."""
        return set().union(*(self.between(one, other) for one, other in combinations(self.arms, 2)))


@dataclass(frozen=True)
class Rule:
    """A rule of thumb, and what is done here to test it.

    Attributes:
      name: lower snake case, what the command calls it.
      statement: the rule, as it is taught.
      source: where it is from.
      experiments: that test it.
    """

    name: str
    statement: str
    source: str
    experiments: tuple[Experiment, ...]

    @property
    def claims(self) -> list[tuple[Experiment, Claim]]:
        """All that it says, each with its experiment."""
        return [(experiment, claim) for experiment in self.experiments for claim in experiment.claims]

    def task_name(self, experiment: Experiment) -> str:
        """The name under which an experiment's tasks are run."""
        return f"{self.name}_{experiment.name}"

    def check(self) -> None:
        """Refuses an entry that does not say what it means.

        Raises:
          UserError: a claim names no arm or a senseless effect, arms differ in something else than is said, or a name
            is there twice; the message says where.
        """
        named = [claim.name for _, claim in self.claims]
        if len({*named}) < len(named) or len({e.name for e in self.experiments}) < len(self.experiments):
            raise UserError(f"rule {self.name}: two experiments or two claims have one name; give each its own")
        for experiment in self.experiments:
            where = f"rule {self.name}, experiment {experiment.name}"
            if (found := experiment.differences()) != {*experiment.varies}:
                raise UserError(
                    f"{where}: its arms differ in {', '.join(sorted(found)) or 'nothing'}, and should in "
                    f"{', '.join(experiment.varies)} alone; mend the arms or what `varies` says"
                )
            for claim in experiment.claims:
                if wrong := [arm for arm in claim.arms if arm not in experiment.arms]:
                    raise UserError(f"{where}: claim {claim.name} names {wrong[0]!r}; arms are {[*experiment.arms]}")
                found = experiment.between(claim.better, claim.worse)
                if len(found) > 1 and found != {*experiment.varies}:
                    raise UserError(
                        f"{where}: claim {claim.name} is of arms that differ in {', '.join(sorted(found))}; one of "
                        "these would do, or all that vary"
                    )
                if claim.beside and experiment.between(*claim.beside) != found:
                    raise UserError(
                        f"{where}: claim {claim.name} is of differences that are not of the same fields; mend the arms"
                    )
                if not (0 < claim.effect < 1 and claim.pilot > 0):
                    raise UserError(f"{where}: claim {claim.name} needs an effect in (0, 1) and a pilot above 0")


def _fields(task: Task) -> dict[str, Any]:
    return {"kind": type(task)} | {f.name: _plain(getattr(task, f.name)) for f in fields(task) if f.name != "name"}


def _plain(value: Any) -> Any:
    """Rows of one's own as bytes, which can be compared."""
    return {name: array.tobytes() for name, array in value.items()} if isinstance(value, dict) else value
