"""LaProp. Ziyin, Wang & Ueda, 2020, arXiv:2002.04839, Algorithm 1."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 6.1e-15  # timm
LEARNING_RATE = 4e-4
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-8},
    {"learning_rate": 0.02, "b2": 0.95, "eps": 1e-3},
    {"learning_rate": 0.05, "b1": 0.98, "b2": 0.5, "eps": 1e-2, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.LaProp",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-15},
        {"betas": [0.9, 0.999], "eps": 1e-15, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "timm.optim.LaProp",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.95, "eps": 0.01},
        {"betas": [0.5, 0.95], "eps": 0.01, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.LaProp",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.9, "eps": 1e-17},
        {"betas": [0.8, 0.9], "eps": 1e-17, "weight_decay": 0.0, "foreach": False},
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
    b2: float = 0.999,
    eps: float = 1e-15,
) -> Leaf:
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    u = g / (np.sqrt(v / one_minus_power(b2, t)) + eps)
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * u
    return theta - learning_rate * m / one_minus_power(b1, t)
