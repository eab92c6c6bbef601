"""A task of any pure functions: what a user writes who does not want an MLP."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.code import code_digest
from bench.errors import UserError
from bench.task import SPLITS, Data, Metrics, Model, PyTree, Task, source_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Custom(Task):
    """Pure functions, with or without rows of data.

    Attributes:
      init: a JAX key to initial parameters, any tree of arrays.
      loss: (params, batch, key) to the scalar that is minimised; the key drives whatever is random in a step.
      evaluate: (params, rows) to {'loss': scalar, metric: scalar, ...}, what is reported, with nothing random in it;
        if not given it is that loss at a fixed key.
      train, valid, test: trees of arrays with one leading axis, the rows; a split that is not given has those of
        training, and training that is not given has one row of nothing.
    """

    init: Callable[[Any], PyTree]
    loss: Callable[[PyTree, PyTree, Any], Any]
    evaluate: Callable[[PyTree, PyTree], Mapping[str, Any]] | None = None
    train: PyTree = None
    valid: PyTree = None
    test: PyTree = None
    batch_size: int | None = None
    steps: int = 500
    metric: str = "loss"

    @property
    def facts(self) -> dict[str, Any]:
        """That it is one's own."""
        where = ", ".join(sorted(path.name for path in self.code - super().code))
        return {"network": f"own functions in {where}", "loss": self.loss.__name__, **super().facts}

    @cached_property
    def identity(self) -> str:  # worked out once, as it reads files and hashes rows
        """Names, numbers, the functions' files and the rows."""
        import jax

        leaves, tree = jax.tree.flatten([self.train, self.valid, self.test])
        rows = hashlib.sha256(str(tree).encode())
        for leaf in map(np.asarray, leaves):
            rows.update(f"{leaf.dtype.str} {leaf.shape}".encode() + leaf.tobytes())
        plain = {name: getattr(self, name) for name in ("name", "batch_size", "steps", "metric", "floor")}
        functions = [self.init.__qualname__, self.loss.__qualname__, getattr(self.evaluate, "__qualname__", None)]
        return f"{plain} {functions} {code_digest(*sorted(self.code))} {rows.hexdigest()}"

    @property
    def code(self) -> frozenset[Path]:
        """The files of the functions, and this one."""
        return super().code | {source_of(f) for f in (self.init, self.loss, self.evaluate) if f is not None}

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and self.identity == other.identity

    def data(self) -> Data:
        """The rows, those not given filled in."""
        train = {"nothing": np.zeros((1, 0), np.float32)} if self.train is None else self.train
        given = zip(SPLITS, (train, self.valid, self.test), strict=True)
        return Data(train, {split: train if rows is None else rows for split, rows in given})

    def build(self) -> Model:
        """The functions as they are, checked when they are traced."""
        import jax

        def one_split(params: PyTree, rows: PyTree) -> dict[str, Any]:
            if self.evaluate is None:
                return {"loss": self.loss(params, rows, jax.random.key(0))}
            return dict(self.evaluate(params, rows))

        def evaluate(params: PyTree, evaluation: PyTree) -> Metrics:
            told = {split: one_split(params, rows) for split, rows in evaluation.items()}
            for needed in ("loss", self.metric):
                if needed not in told["train"]:
                    raise UserError(f"task {self.name}: evaluate gives {', '.join(told['train'])} but no {needed!r}")
            return {
                split: {name: jax.numpy.asarray(value, "float32") for name, value in values.items()}
                for split, values in told.items()
            }

        return Model(self.init, self.loss, evaluate)
