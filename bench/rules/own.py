"""What only the experiments on rules need: metrics and tasks of their own.

Results are of this code: it leads to as little as it can, and what changes here is run again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.preprocess import stream
from bench.task import Metrics, Model
from bench.tasks.custom import Custom
from bench.tasks.mlp import Mlp

FEATURES = 512
NOISE = 0.3
RARE = 0.5  # of an even share of the rows


@dataclass(frozen=True, kw_only=True)
class Classified(Mlp):
    """A perceptron on unequal classes, of which more is told than one metric: on each split also macro F1, macro
    recall, the recall of rare classes and accuracy."""

    def build(self) -> Model:
        """The perceptron's functions, with an evaluation that tells more."""
        import jax

        from bench import metrics, network

        model = super().build()
        net = network.Perceptron(self.widths[1:], getattr(jax.nn, self.activation), self.dropout)
        more = {
            "accuracy": metrics.accuracy,
            "macro_f1": metrics.macro_f1,
            "macro_recall": metrics.macro_recall,
            "rare_recall": rare_recall,
        }

        def evaluate(params: Any, evaluation: Any) -> Metrics:
            outputs: Any = net.apply({"params": params}, evaluation["x"])  # compiled, one with the model's own
            told = {name: of(outputs, evaluation["y"], evaluation["member"]) for name, of in more.items()}
            return {
                split: {**own, **{name: of[i] for name, of in told.items()}}
                for i, (split, own) in enumerate(model.evaluate(params, evaluation).items())
            }

        return model._replace(evaluate=evaluate)


def rare_recall(outputs: Any, targets: Any, member: Any) -> Any:
    """Mean recall over the classes that have fewer than RARE of an even share of all rows: see `bench.metrics`."""
    import jax.numpy as jnp

    decided = (jnp.arange(outputs.shape[-1]) == outputs.argmax(-1, keepdims=True)).astype(jnp.float32)
    right, true = (jnp.where(member[:, :, None], rows[None], 0).sum(1) for rows in (decided * targets, targets))
    rare = (targets.mean(0) < RARE / targets.shape[-1]) & (true > 0)
    return (rare * right / jnp.maximum(true, 1)).sum(-1) / jnp.maximum(rare.sum(-1), 1)


def linear_init(key: Any) -> Any:
    """All weights zero."""
    del key
    return np.zeros(FEATURES, np.float32)


def linear_loss(params: Any, rows: Any, key: Any = None) -> Any:
    """Half the mean squared error of a linear model without an intercept."""
    del key
    return 0.5 * ((rows["x"] @ params - rows["y"]) ** 2).mean()


def linear_told(params: Any, rows: Any) -> dict[str, Any]:
    """The loss alone."""
    return {"loss": linear_loss(params, rows)}


def linear(frequencies: np.ndarray, rows: int = 8000) -> Custom:
    """Linear regression on features that are 1 with these frequencies and else 0, a tenth of the rows each for
    validation and test; the true weights are standard normal, and so is the noise times NOISE."""
    rng = stream("linear regression on sparse features")
    uniform, weights, noise = rng.rand(rows, FEATURES), rng.normal(size=FEATURES), rng.normal(size=rows)
    x = (uniform < frequencies).astype(np.float32)
    y = (x @ weights + NOISE * noise).astype(np.float32)
    ends = rows * 8 // 10, rows * 9 // 10
    parts = [{"x": a, "y": b} for a, b in zip(np.split(x, ends), np.split(y, ends), strict=True)]
    return Custom(
        name="linear", init=linear_init, loss=linear_loss, evaluate=linear_told, train=parts[0], valid=parts[1],
        test=parts[2], batch_size=32, steps=600,
    )  # fmt: skip


ZIPF = 0.5 / np.arange(1, FEATURES + 1)  # from one row in two to one in a thousand, as words are
EVEN = np.full(FEATURES, ZIPF.mean())  # as many ones in a row
SPARSE, SPARSE_EVEN = linear(ZIPF), linear(EVEN)
