"""Lion. Chen et al., 2023, arXiv:2302.06675, Algorithm 2, without weight decay."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 0.0  # pytorch_optimizer, optax, Keras
LEARNING_RATE = 1e-4
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.01, "b1": 0.8},
    {"learning_rate": 0.03, "b1": 0.95, "b2": 0.98, "rate_decay": 0.98},
    {"learning_rate": 0.01, "b1": 0.5, "b2": 0.9},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Lion",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.99},
        {"betas": [0.9, 0.99], "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "optax.lion",
        {"learning_rate": 0.03, "b1": 0.95, "b2": 0.98, "rate_decay": 0.98},
        {"b1": 0.95, "b2": 0.98, "weight_decay": 0.0},
    ),
    Peer(
        "keras.optimizers.Lion",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.9, "rate_decay": 0.99},
        {"beta_1": 0.8, "beta_2": 0.9},
    ),
]


@per_leaf
def step(
    t: int,
    theta: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.99,
) -> Leaf:
    m = state.get("m", np.zeros_like(g))
    c = b1 * m + (1 - b1) * g
    state["m"] = b2 * m + (1 - b2) * g
    return theta - learning_rate * np.sign(c)
