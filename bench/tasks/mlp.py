"""An MLP on a data set: the constructor behind every task of the grid.

Names of activations, losses, metrics and data sets are looked up in the modules that define them (`jax.nn`,
`bench.losses`, `bench.data`), so the description stays plain data.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from bench.data import open_dataset
from bench.task import SPLITS, Data, Metrics, Model, Task

TRAIN_SAMPLE = 4096  # rows at most on which the training loss is reported


@dataclass(frozen=True, kw_only=True)
class Mlp(Task):
    """A perceptron trained on one data set.

    Attributes:
      dataset: name in `bench.data`.
      widths: features of the data, hidden layers, outputs.
      activation: name of a function of `jax.nn`.
      loss: name of a row-wise loss of `bench.losses`, which the network minimises in the mean.
      metric: name of a metric of `bench.losses`.
    """

    dataset: str
    widths: tuple[int, ...]
    activation: str
    loss: str

    @property
    def facts(self) -> dict[str, Any]:
        """Network, loss and data beside what every task shows."""
        dataset = open_dataset(self.dataset)
        network = f"{'-'.join(map(str, self.widths))} {self.activation}"
        source = {"data": dataset.name, "source": dataset.source, "licence": dataset.licence}
        return {"network": network, "loss": self.loss, **super().facts, **source}

    def run_cost(self, points: int) -> float:
        """Two operations per weight and row forward, and twice that backward."""
        forward = 2.0 * sum(a * b for a, b in pairwise(self.widths))
        rows = {name: len(split.x) for name, split in open_dataset(self.dataset).load().items()}
        evaluated = min(rows["train"], TRAIN_SAMPLE) + rows["valid"] + rows["test"]
        return forward * (3 * (self.batch_size or rows["train"]) * self.steps + evaluated * points)

    @property
    def identity(self) -> str:
        """The description and the hash of the data."""
        return f"{self!r} on {open_dataset(self.dataset).digest}"

    def data(self) -> Data:
        """Training rows, and what is evaluated in one pass: a fixed sample of them, then validation and test rows."""
        splits = open_dataset(self.dataset).load()
        train = splits["train"]
        sample = sample_rows(len(train.x))
        parts = [(train.x[sample], train.y[sample]), *(splits[name] for name in SPLITS[1:])]
        counts = [len(x) for x, _ in parts]
        evaluation = {
            "x": np.concatenate([x for x, _ in parts]),
            "y": np.concatenate([y for _, y in parts]),
            "split": np.repeat(np.arange(len(parts), dtype=np.int32), counts),
            "count": np.asarray(counts, np.float32),
        }
        return Data({"x": train.x, "y": train.y}, evaluation)

    def build(self) -> Model:
        """The perceptron's functions."""
        import jax
        import jax.numpy as jnp

        from bench import losses, network

        net = network.Perceptron(self.widths[1:], getattr(jax.nn, self.activation))
        loss, metric = getattr(losses, self.loss), getattr(losses, self.metric)

        def forward(params: Any, x: jax.Array) -> jax.Array:
            return net.apply({"params": params}, x)  # type: ignore[return-value]

        def objective(params: Any, batch: Any, key: jax.Array) -> jax.Array:
            del key
            return loss(forward(params, batch["x"]), batch["y"]).mean()

        def evaluate(params: Any, evaluation: Any) -> Metrics:
            outputs, y = forward(params, evaluation["x"]), evaluation["y"]
            rows = jnp.concatenate([loss(outputs, y)[:, None], metric.rows(outputs, y)], -1)
            sums = losses.sums_by_split(rows, evaluation["split"], len(SPLITS))
            counts = evaluation["count"]
            return {
                split: {"loss": sums[i, 0] / counts[i], self.metric: metric.finish(sums[i, 1:], counts[i])}
                for i, split in enumerate(SPLITS)
            }

        return Model(lambda key: network.initial_params(net, self.widths[0], key), objective, evaluate)


def sample_rows(rows: int) -> np.ndarray:
    """The rows on which a training loss is reported: all, or a fixed sample of TRAIN_SAMPLE of them, ascending."""
    if rows <= TRAIN_SAMPLE:
        return np.arange(rows)
    return np.sort(np.random.RandomState(0).permutation(rows)[:TRAIN_SAMPLE])
