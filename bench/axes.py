"""What a study can turn: one entry an axis, and each says in a line or two how it changes a task, a protocol or an
optimizer. A new axis is an entry here.

A change takes what is there and a value, and gives the same with one thing replaced; where it cannot it raises a
`Refusal` that says what would do. Nothing here imports JAX.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from math import isqrt
from typing import Any, NamedTuple

import optimizers
from bench.augment import Augmentation, Noise, Shift
from bench.errors import UserError, unknown
from bench.perturb import Erase, Subsample, Unbalance
from bench.preprocess import Divide, Fill, LabelNoise, MinMax, Pool, Reconstruct, Standardize, Step
from bench.protocol import FOLDS, SCHEDULES, Protocol
from bench.task import Task
from bench.tasks.mlp import Mlp
from optimizers import _spec

Value = Any  # a number, a word or a tuple of them
LOG, LINEAR, CATEGORICAL = "log", "linear", "categorical"
SCALES = (Standardize, MinMax, Divide)
IMAGES = ("mnist", "mnist_5k", "fashion_mnist", "digits")  # data sets of square images
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "silu", "elu", "leaky_relu", "softplus", "identity")
INITIALISERS = ("glorot_uniform", "glorot_normal", "he_normal", "lecun_normal", "orthogonal")
LOSSES = (  # families that may stand in for each other, the first that holds a task's own: labels, numbers, classes
    ("sigmoid_cross_entropy", "sigmoid_focal"),
    ("squared_error", "huber", "huber(delta=0.1)"),
    ("softmax_cross_entropy", "focal", "sigmoid_cross_entropy", "squared_error"),
)
HELD = ("name", "metric", "floor", "dataset", "augment")  # by these values are compared, or no value is typed


class Refusal(Exception):
    """A value that an axis, or a task, does not take; the message says what would do."""


class Kind(NamedTuple):
    """Which values an axis takes, in words and as a test."""

    words: str
    holds: Callable[[Value], bool]


@dataclass(frozen=True)
class Axis:
    """One thing that a study turns.

    Attributes:
      name: as it is typed.
      label: of its values, for the axis of a chart.
      shows: in one line what the study is there for.
      scale: LOG, LINEAR or CATEGORICAL.
      values: the usual ones for a task.
      kind: what a value may be.
      task, protocol, optimizer: how a value changes one of them; the optimizer is its spec.
      comparable: whether losses are the same quantity at all values; where not, only the metric is compared.
      caution: what else changes with it, or what it does not say; empty if nothing.
      trials: settings that a search tries, where an axis leaves nothing to tune.
    """

    name: str
    label: str
    shows: str
    scale: str
    values: Callable[[Task], Sequence[Value]]
    kind: Kind
    task: Callable[[Task, Value], Task] | None = None
    protocol: Callable[[Protocol, Value], Protocol] | None = None
    optimizer: Callable[[str, Value], str] | None = None
    comparable: bool = True
    caution: str = ""
    trials: int | None = None


# What values may be


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(least: int) -> Kind:
    return Kind(f"whole numbers of at least {least}", lambda v: type(v) is int and v >= least)


def _number(words: str, holds: Callable[[float], bool]) -> Kind:
    return Kind(words, lambda v: _is_number(v) and holds(float(v)))


def _one_of(names: Sequence[str]) -> Kind:
    return Kind(", ".join(names), lambda v: v in names)


def _like(own: Value) -> Kind:
    """What is of the kind of a field's own value."""
    kinds: tuple[type, ...] = (int, float) if _is_number(own) else (type(own),)
    return Kind(f"of the kind of {own!r}, the task's own", lambda v: own is None or v is None or isinstance(v, kinds))


SHARE = _number("shares of at least 0 and below 1", lambda v: 0 <= v < 1)
PART = _number("shares above 0 and at most 1", lambda v: 0 < v <= 1)
ANYTHING = Kind("anything", lambda _: True)


def _usual(*values: Value) -> Callable[[Task], Sequence[Value]]:
    return lambda _: values


# The network


def network(task: Task) -> Mlp:
    """The task, which must be a network on data for this."""
    if not isinstance(task, Mlp):
        raise Refusal("it turns a network on data, and this task is none; learning-rate, schedule or budget would do")
    return task


def _hidden(task: Task) -> tuple[Mlp, tuple[int, ...]]:
    own = network(task)
    if len(own.widths) < 3:
        raise Refusal("the network has no hidden layer; a task with one would do")
    return own, own.widths[1:-1]


def _width(task: Task, width: int) -> Task:
    """The widest hidden layer gets the width, and the others theirs in proportion."""
    own, hidden = _hidden(task)
    scaled = (max(1, round(width * units / max(hidden))) for units in hidden)
    return replace(own, widths=(own.widths[0], *scaled, own.widths[-1]))


def _depth(task: Task, depth: int) -> Task:
    own, hidden = _hidden(task)
    if len(set(hidden)) > 1:
        raise Refusal(f"hidden layers of unequal widths {hidden} have no depth to turn; equal ones would do")
    return replace(own, widths=(own.widths[0], *hidden[:1] * depth, own.widths[-1]))


def _regularized(task: Task, l2: float) -> Task:
    return replace(network(task), l2=float(l2))


# Loss and steps


def _losses(task: Task) -> Sequence[str]:
    """The losses that may stand in for a task's, its own first."""
    own = network(task).loss
    target = _spec.parse(own).target.removeprefix("half_")
    family = next((family for family in LOSSES if target in map(_target, family)), None)
    if family is None:
        raise Refusal(f"no loss is known to stand in for {own}")
    return tuple(dict.fromkeys((own, *family)))


def _target(loss: str) -> str:
    return _spec.parse(loss).target


def _loss(task: Task, loss: str) -> Task:
    known = _losses(task)
    if _target(str(loss)) not in map(_target, known):
        raise Refusal(f"with this task's targets go {', '.join(known)}")
    return replace(network(task), loss=loss)


def _batch(task: Task, batch: int) -> Task:
    if isinstance(task, Mlp) and batch > task.source.rows()[0]:
        raise Refusal(f"there are {task.source.rows()[0]} training rows, and a batch has no more")
    return replace(task, batch_size=batch)


def _batches(task: Task) -> Sequence[int]:
    most = task.source.rows()[0] if isinstance(task, Mlp) else 512
    return [batch for batch in (8, 32, 128, 512) if batch <= most]


def _budgets(task: Task) -> Sequence[int]:
    return [max(1, round(task.steps * times)) for times in (0.125, 0.25, 0.5, 1, 2)]


def fixed(spec: str, **values: Value) -> str:
    """An optimizer's spec with more of it fixed."""
    parsed = optimizers.parse(spec)
    if twice := sorted(set(parsed.fixed) & set(values)):
        raise Refusal(f"{spec} has its {', '.join(twice)} fixed already; leave that out")
    target = parsed.target if parsed.attr is None else f"{parsed.target}:{parsed.attr}"
    return f"{target}{_spec.Spec('', None, {**parsed.fixed, **values}).brackets}"


# Data: steps of preprocessing. What corrupts training rows goes before all that is fitted to them.


def _preprocessed(task: Task, steps: Sequence[Step]) -> Task:
    return replace(network(task), preprocessing=tuple(steps))


def _scaling(task: Mlp) -> int:
    """Where scales are taken: at the first step that scales, else before features become targets or at the end."""
    steps = task.preprocessing
    found = [i for i, step in enumerate(steps) if isinstance(step, SCALES)]
    found += [i for i, step in enumerate(steps) if isinstance(step, Reconstruct)]
    return found[0] if found else len(steps)


def _scaled(task: Task, scaling: str) -> Task:
    own = network(task)
    if scaling == "own":
        return own
    step: dict[str, list[Step]] = {"raw": [], "minmax": [MinMax()], "standardize": [Standardize()]}
    at = _scaling(own)
    rest = [[s for s in part if not isinstance(s, SCALES)] for part in (own.preprocessing[:at], own.preprocessing[at:])]
    return _preprocessed(own, [*rest[0], *step[scaling], *rest[1]])


def _scalings(task: Task) -> Sequence[str]:
    own = network(task)
    return ["own", *(name for name in ("raw", "minmax", "standardize") if _scaled(own, name) != own)]


def _classes(task: Task) -> Mlp:
    own = network(task)
    reconstructs = any(isinstance(step, Reconstruct) for step in own.preprocessing)
    y = own.source.raw()[1]
    if reconstructs or y.ndim != 1 or y.dtype.kind != "i":
        raise Refusal("its targets are no classes, one a row; mnist_5k or digits would do")
    return own


def _noisy(task: Task, share: float) -> Task:
    own = _classes(task)
    at = next((i for i, step in enumerate(own.preprocessing) if isinstance(step, LabelNoise)), 0)
    rest = [step for step in own.preprocessing if not isinstance(step, LabelNoise)]
    return _preprocessed(own, [*rest[:at], *[LabelNoise(float(share))] * (share > 0), *rest[at:]])


def _fraction(task: Task, share: float) -> Task:
    own = network(task)
    return _preprocessed(own, [*[Subsample(float(share))] * (share < 1), *own.preprocessing])


def _fractions(task: Task) -> Sequence[float]:
    rows = network(task).source.rows()[0]
    return [share for share in (0.05, 0.1, 0.2, 0.5, 1) if share * rows >= (task.batch_size or 20)]


def _unbalanced(task: Task, ratio: float) -> Task:
    own = _classes(task)
    return _preprocessed(own, [Unbalance(float(ratio)), *own.preprocessing])


def _erased(task: Task, share: float) -> Task:
    own = network(task)
    if not share:
        return own
    pooled = [i + 1 for i, step in enumerate(own.preprocessing) if isinstance(step, Pool)]
    scaled = _scaling(own) if any(isinstance(step, SCALES) for step in own.preprocessing) else 0
    at = max([scaled, *pooled])  # what is lost are features as the network has them, before they are scaled
    gaps: list[Step] = [Erase(float(share)), Fill("mean")]
    return _preprocessed(own, [*own.preprocessing[:at], *gaps, *own.preprocessing[at:]])


def augmentations(task: Task) -> dict[str, tuple[Augmentation, ...]]:
    """What can be done to a task's features in training, by name; images can be shifted too."""
    own = network(task)
    known: dict[str, tuple[Augmentation, ...]] = {"none": (), "noise": (Noise(0.1),), "more-noise": (Noise(0.3),)}
    side = isqrt(own.widths[0])
    if own.dataset in IMAGES and side**2 == own.widths[0]:
        shift = Shift(side, 1 if side < 20 else 2)
        known |= {"shift": (shift,), "shift+noise": (shift, Noise(0.1))}
    return known


def _augmented(task: Task, name: str) -> Task:
    known = augmentations(task)
    if name not in known:
        raise Refusal(f"this task takes {', '.join(known)}")
    return replace(network(task), augment=known[name])


def _folds(value: Value) -> bool:
    kind, _, number = str(value).partition(":")
    return kind == "kfold" and number.isdecimal() and 2 <= int(number) <= FOLDS


AXES: dict[str, Axis] = {
    axis.name: axis
    for axis in (
        Axis("width", "units of the widest hidden layer",
             "what a wider network buys, and whether rates tuned at one width hold at another",
             LOG, _usual(8, 16, 32, 64, 128), _whole(1), task=_width),
        Axis("depth", "hidden layers", "what depth buys, and what it does to training",
             LINEAR, _usual(0, 1, 2, 4, 8), _whole(0), task=_depth),
        Axis("activation", "activation", "how much the nonlinearity matters",
             CATEGORICAL, _usual("relu", "tanh", "sigmoid", "gelu", "identity"), _one_of(ACTIVATIONS),
             task=lambda task, v: replace(network(task), activation=v)),
        Axis("initialiser", "initialiser of the weights", "how much the start matters",
             CATEGORICAL, _usual(*INITIALISERS), _one_of(INITIALISERS),
             task=lambda task, v: replace(network(task), init=v)),
        Axis("batch-size", "rows of a step", "what larger batches save in steps",
             LOG, _batches, _whole(1), task=_batch,
             caution="All batch sizes have the same number of steps: a larger batch sees more rows."),
        Axis("learning-rate", "learning rate", "how far from its best a learning rate may be, with nothing tuned",
             LOG, _usual(1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0),
             _number("numbers above 0", lambda v: 0 < v < float("inf")),
             optimizer=lambda spec, v: fixed(spec, learning_rate=float(v)), trials=1,
             caution="Nothing is tuned here: all else of an optimizer is at its paper's defaults."),
        Axis("schedule", "schedule of the learning rate", "what a schedule buys, with the rate tuned for each",
             CATEGORICAL, _usual(*SCHEDULES), _one_of(SCHEDULES),
             protocol=lambda protocol, v: replace(protocol, schedule=v)),
        Axis("selection", "what settings are chosen by",
             "whether cross-validation chooses other settings than one validation split, and better ones",
             CATEGORICAL, _usual("valid", "kfold:5"),
             Kind(f"valid, and kfold:2 to kfold:{FOLDS}", lambda v: v == "valid" or _folds(v)),
             protocol=lambda protocol, v: replace(protocol, select=v)),
        Axis("loss", "loss", "what minimising another loss does to the metric",
             CATEGORICAL, _losses, ANYTHING, task=_loss, comparable=False,
             caution="Losses are different quantities here, so only the metric is compared; each loss selects its own "
             "settings."),
        Axis("preprocessing", "scaling of the features", "how much the scale of the features matters",
             CATEGORICAL, _scalings, _one_of(("own", "raw", "minmax", "standardize")), task=_scaled),
        Axis("augmentation", "augmentation", "what changing the rows at random in each step buys",
             CATEGORICAL, lambda task: tuple(augmentations(task)),
             _one_of(("none", "noise", "more-noise", "shift", "shift+noise")), task=_augmented),
        Axis("label-noise", "share of the training labels drawn anew", "how much wrong labels cost",
             LINEAR, _usual(0, 0.2, 0.4, 0.6, 0.8), SHARE, task=_noisy,
             caution="Training loss and metric are on the labels as they were made wrong, validation and test on right "
             "ones: a large share turns the gap round."),
        Axis("data-fraction", "share of the training rows", "what more data buys",
             LOG, _fractions, PART, task=_fraction,
             caution="All shares have the same number of steps: fewer rows are seen more often."),
        Axis("imbalance", "most frequent class over the rarest", "what unequal classes cost",
             LOG, _usual(1, 3, 10, 30, 100), _number("ratios of at least 1", lambda v: 1 <= v < float("inf")),
             task=_unbalanced,
             caution="Every ratio has as many training rows, at most a fifth of all; validation and test rows stay."),
        Axis("missing-values", "share of the training features missing",
             "what missing values cost, filled with means", LINEAR, _usual(0, 0.2, 0.4, 0.6, 0.8), SHARE, task=_erased,
             caution="Values are missing in training rows alone: validation and test rows are whole."),
        Axis("regularization", "L2 penalty", "what an L2 penalty on the weights buys",
             LOG, _usual(0, 1e-4, 1e-3, 1e-2, 1e-1), _number("numbers of at least 0", lambda v: 0 <= v < float("inf")),
             task=_regularized),
        Axis("budget", "gradient evaluations", "what a longer run buys, with the rate tuned for each",
             LOG, _budgets, _whole(1), task=lambda task, v: replace(task, steps=v)),
    )
}  # fmt: skip


def get(name: str, task: Task) -> Axis:
    """The axis of that name, or that of a field of the task.

    Raises:
      UserError: there is neither, or the field is one that a study holds.
    """
    if name in AXES:
        return AXES[name]
    turned = [field.name for field in fields(task) if field.name not in HELD]
    if name in HELD:
        raise UserError(f"study {name}: a study holds this field of a task; turn one of {', '.join(turned)}")
    if name not in turned:
        raise unknown("axis", name, [*AXES, *turned])
    return Axis(
        name, name, f"what {name} does", CATEGORICAL, lambda _: (), _like(getattr(task, name)),
        task=lambda task, value: replace(task, **{name: value}), comparable=name != "loss",
    )  # fmt: skip
