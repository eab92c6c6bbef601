"""SM3. Anil et al., 2019, arXiv:1901.11150, SM3-II: a matrix is covered by its rows and its columns."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 8.4e-15  # pytorch_optimizer; optax 2.8e-15
LEARNING_RATE = 0.1
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.3, "momentum": 0.0},
    {"learning_rate": 0.3, "momentum": 0.95, "eps": 1e-3},
    {"learning_rate": 1.0, "momentum": 0.5, "eps": 0.1, "rate_decay": 0.98},
]
PEERS = [
    Peer("optax.sm3", {"learning_rate": 0.1, "momentum": 0.9, "eps": 1e-08}, {"momentum": 0.9}),
    Peer(
        "pytorch_optimizer.SM3",
        {"learning_rate": 0.3, "momentum": 0.5, "eps": 0.01, "rate_decay": 0.98},
        {"momentum": 0.5, "beta": 0.0, "eps": 0.01, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.SM3",
        {"learning_rate": 0.3, "momentum": 0.0, "eps": 1e-08},
        {"momentum": 0.0, "beta": 0.0, "eps": 1e-08, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.9,
    eps: float = 1e-8,
) -> Leaf:
    if g.ndim == 2:
        nu = np.minimum(state.get("rows", 0.0), state.get("columns", 0.0)) + g**2
        state["rows"] = np.max(nu, axis=1, keepdims=True)
        state["columns"] = np.max(nu, axis=0, keepdims=True)
    else:  # covered by its elements: AdaGrad
        nu = state["nu"] = state.get("nu", 0.0) + g**2
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g / np.sqrt(nu + eps)
    return w - learning_rate * m
