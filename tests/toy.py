"""A task small enough to know the answers of: a quadratic in two unknowns, seen through noisy rows."""

from dataclasses import dataclass

import numpy as np

from bench.task import Data, Metrics, Model, Task


@dataclass(frozen=True, kw_only=True)
class Quadratic(Task):
    """loss(w) = mean over rows of sum_i curvature_i (w_i - row_i)^2 / 2, from w = (1, -1)."""

    name: str = "quadratic"
    batch_size: int | None = 4
    steps: int = 40
    metric: str = "size"
    curvature: tuple[float, ...] = (1.0, 10.0)
    noise: float = 0.0
    rows: int = 16

    def data(self) -> Data:
        rows = np.random.RandomState(0).normal(0, self.noise or 1.0, (self.rows, 2)) * (self.noise > 0)
        return Data({"row": rows.astype(np.float32)}, {"row": rows.astype(np.float32)})

    def build(self) -> Model:
        import jax.numpy as jnp

        curvature = jnp.asarray(self.curvature)

        def loss(params, batch, key):  # type: ignore[no-untyped-def]
            return (0.5 * curvature * (params["w"] - batch["row"]) ** 2).sum(-1).mean()

        def evaluate(params, evaluation) -> Metrics:  # type: ignore[no-untyped-def]
            # Validation and test ask for other unknowns: 1 and 2 more than training does.
            losses = [loss(params, {"row": evaluation["row"] + shift}, None) for shift in (0.0, 1.0, 2.0)]
            size = jnp.abs(params["w"]).max()
            return {s: {"loss": x, "size": size} for s, x in zip(("train", "valid", "test"), losses, strict=True)}

        return Model(lambda key: {"w": np.asarray([1.0, -1.0], np.float32)}, loss, evaluate)


quadratic = Quadratic()
