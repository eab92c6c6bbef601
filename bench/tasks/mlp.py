"""An MLP on a data set: the constructor behind every task of the grid.

Names of activations, losses, metrics and initialisers are looked up in the modules that define them (`jax.nn`,
`bench.losses`, `bench.metrics`, `bench.network`), so the description stays plain data.
"""

from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.augment import Augmentation
from bench.data import Dataset, open_dataset
from bench.errors import UserError, unknown
from bench.preprocess import Folded, Step, Table, stream
from bench.task import SPLITS, Data, Metrics, Model, Task, source_of
from optimizers import _spec

EVALUATED = 1024  # rows of a split at most on which losses and metrics are reported


@dataclass(frozen=True, kw_only=True)
class Mlp(Task):
    """A perceptron trained on one data set.

    Attributes:
      dataset: name in `bench.data`, or a data set of one's own.
      preprocessing: the steps of `bench.preprocess` from the raw table to the network's.
      widths: features, hidden layers, outputs.
      activation: name of a function of `jax.nn`.
      loss: name of a row-wise loss of `bench.losses`, which the network minimises in the mean; may fix what it takes
        beside outputs and targets: `huber(delta=0.5)`.
      metric: name of a metric of `bench.metrics`.
      init: name of an initialiser of `bench.network`, for the weights; biases start at zero.
      dropout: share of hidden units left out in training.
      l2: the penalty added in training is `l2` / 2 times the sum of the squared weights, biases aside.
      augment: what `bench.augment` does to a batch's features in training, in turn.
    """

    dataset: str | Dataset
    preprocessing: tuple[Step, ...] = ()
    widths: tuple[int, ...]
    activation: str
    loss: str
    init: str = "glorot_uniform"
    dropout: float = 0.0
    l2: float = 0.0
    augment: tuple[Augmentation, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.widths) < 2 or not all(isinstance(width, int) and width >= 1 for width in self.widths):
            raise UserError(f"task {self.name}: widths must be features, hidden layers and outputs, not {self.widths}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"task {self.name}: dropout must be at least 0 and below 1, not {self.dropout}")
        if not self.l2 >= 0:
            raise UserError(f"task {self.name}: l2 must not be negative, as {self.l2} is")

    @property
    def source(self) -> Dataset:
        """The data set itself."""
        return self.dataset if isinstance(self.dataset, Dataset) else open_dataset(self.dataset)

    def prepare(self) -> None:
        """Fetches and caches the data set."""
        self.source.raw()

    @property
    def prepared(self) -> bool:
        """Whether the data set is in the cache."""
        return self.source.prepared

    def missing(self) -> str:
        """Why the data set is not here."""
        return self.source.missing()

    def folded(self, fold: int, of: int) -> "Mlp":
        """The same on other rows of its training and validation splits; what is fitted is fitted to those."""
        source = self.source
        dealt = replace(source, split=Folded(source.split, fold, of), sizes=None)
        base, bracket, changed = self.name.partition("(")
        return replace(self, name=f"{base}_fold{fold + 1}of{of}{bracket}{changed}", dataset=dealt)

    @property
    def facts(self) -> dict[str, Any]:
        """Network, loss, preprocessing and data beside what every task shows."""
        dataset = self.source
        shape = f"{'-'.join(map(str, self.widths))} {self.activation}"
        extras = [f"dropout {self.dropout:g}"] * (self.dropout > 0) + [f"L2 {self.l2:g}"] * (self.l2 > 0)
        missing = dataset.missing()
        return {
            "network": ", ".join([shape, self.init, *extras]),
            "loss": self.loss,
            **super().facts,
            "preprocessing": [*map(_words, self.preprocessing), *map(_words, self.augment)],
            "data": dataset.name,
            "rows": list(dataset.sizes or ()),
            "source": dataset.source.credit,
            "licence": dataset.licence,
            "here": not missing,
            "missing": missing,
        }

    def run_cost(self, points: int) -> float:
        """Two operations per weight and row forward, and twice that backward."""
        forward = 2.0 * sum(a * b for a, b in pairwise(self.widths))
        rows = self.source.rows()
        evaluated = sum(min(count, EVALUATED) for count in rows)
        return forward * (3 * (self.batch_size or rows[0]) * self.steps + evaluated * points)

    @property
    def identity(self) -> str:
        """The description and the content of the data."""
        return f"{self!r} on {self.source.identity}"

    @property
    def code(self) -> frozenset[Path]:
        """The files of the class and of every step."""
        steps: list[object] = [*self.preprocessing, *self.augment]
        return super().code | {source_of(type(step)) for step in steps}

    def table(self) -> Table:
        """The data as the network sees it, x and y float32 (rows, columns).

        Raises:
          Unavailable: the data is not on this machine and cannot be fetched now.
          UserError: the preprocessing does not fit the data, or the network does not fit what comes out.
        """
        return _prepared(self.name, self.source, self.preprocessing, (self.widths[0], self.widths[-1]))

    def data(self) -> Data:
        """Training rows, and what is evaluated in one pass: a fixed sample of them, of validation and of test rows.

        Trees of x, y and, where rows do not weigh the same, weight; for evaluation also `member`, bool (splits, rows).
        """
        table = self.table()
        columns = {"x": table.x, "y": table.y}
        if (table.weight != 1).any():
            columns["weight"] = table.weight.astype(np.float32)
        parts = [table.rows[split][sample_rows(len(table.rows[split]))] for split in SPLITS]
        together = np.concatenate(parts)
        of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        evaluation = {name: array[together] for name, array in columns.items()}
        return Data(
            {name: array[table.train] for name, array in columns.items()},
            {**evaluation, "member": of == np.arange(len(parts))[:, None]},
        )

    def build(self) -> Model:
        """The perceptron's functions."""
        import jax

        from bench import losses, metrics, network

        activation = _named("activation", jax.nn, self.activation)
        loss, metric = _named("loss", losses, self.loss), _named("metric", metrics, self.metric)
        if self.init not in network.INITIALIZERS:
            raise unknown("initialiser", self.init, network.INITIALIZERS)
        draw = network.INITIALIZERS[self.init]
        net = network.Perceptron(self.widths[1:], activation, self.dropout)

        def row_losses(outputs: jax.Array, rows: Any) -> jax.Array:
            values = loss(outputs, rows["y"])
            return values * rows["weight"] if "weight" in rows else values

        def objective(params: Any, batch: Any, key: jax.Array) -> jax.Array:
            x = batch["x"]
            dropout_key, *keys = jax.random.split(key, 1 + len(self.augment))
            for change, own_key in zip(self.augment, keys, strict=True):
                x = change(x, own_key)
            rngs = {"dropout": dropout_key} if self.dropout else None
            outputs: Any = net.apply({"params": params}, x, training=True, rngs=rngs)
            value = row_losses(outputs, batch).mean()
            return value + 0.5 * self.l2 * network.squared_kernels(params) if self.l2 else value

        def evaluate(params: Any, evaluation: Any) -> Metrics:
            outputs: Any = net.apply({"params": params}, evaluation["x"])
            member = evaluation["member"]
            mean = metrics.mean_by_split(row_losses(outputs, evaluation), member)
            told = metric(outputs, evaluation["y"], member)
            return {split: {"loss": mean[i], self.metric: told[i]} for i, split in enumerate(SPLITS)}

        return Model(lambda key: network.initial_params(net, self.widths[0], key, draw), objective, evaluate)


def sample_rows(rows: int) -> np.ndarray:
    """The rows of a split on which it is reported: all, or a fixed sample of EVALUATED of them, ascending."""
    if rows <= EVALUATED:
        return np.arange(rows)
    return np.sort(stream("evaluated rows").permutation(rows)[:EVALUATED])


@lru_cache(maxsize=8)
def _prepared(task: str, dataset: Dataset, steps: tuple[Step, ...], ends: tuple[int, int]) -> Table:
    table = dataset.table()
    for step in steps:
        try:
            table = step(table)
        except UserError as error:
            raise UserError(f"task {task}: {error}") from error
    y = table.y if table.y.ndim == 2 else table.y[:, None]
    table = table._replace(x=table.x.astype(np.float32), y=y.astype(np.float32))
    if np.isnan(table.x).any():
        raise UserError(f"task {task}: data set {dataset.name} has missing values; end its preprocessing with a Fill")
    found = table.x.shape[1], table.y.shape[1]
    if found != ends:
        raise UserError(
            f"task {task}: the network goes from {ends[0]} to {ends[1]}, the data has {found[0]} features and "
            f"{found[1]} targets"
        )
    return table


def _words(step: Any) -> str:
    """A step as it is written, fields that have their defaults left out."""
    given = {field.name: getattr(step, field.name) for field in fields(step)}
    told = [f"{field.name}={given[field.name]!r}" for field in fields(step) if given[field.name] != field.default]
    return f"{type(step).__name__}({', '.join(told)})"


def _named(what: str, module: Any, text: str) -> Any:
    """The function that a name means in a module, with what the name fixes of it."""
    try:
        spec = _spec.parse(text)
    except _spec.SpecError as error:
        raise UserError(f"{what} {text!r}: {error}") from error
    known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
    if spec.target not in known:
        raise unknown(what, spec.target, known)
    function = getattr(module, spec.target)
    return partial(function, **spec.fixed) if spec.fixed else function
