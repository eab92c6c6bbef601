"""Signum. Bernstein et al., 2018, arXiv:1802.04434, Algorithm 2."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 0.0  # optax, pytorch_optimizer
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "momentum": 0.5},
    {"learning_rate": 0.02, "momentum": 0.98},
    {"learning_rate": 0.1, "momentum": 0.95, "rate_decay": 0.98},
    {"learning_rate": 0.03, "momentum": 0.0},
]
PEERS = [
    Peer("optax.signum", {"learning_rate": 0.01, "momentum": 0.9}, {"beta": 0.9}),
    Peer(
        "pytorch_optimizer.SignSGD",
        {"learning_rate": 0.05, "momentum": 0.95, "rate_decay": 0.98},
        {"momentum": 0.95, "weight_decay": 0.0, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.9,
) -> Leaf:
    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    return x - learning_rate * np.sign(m)
