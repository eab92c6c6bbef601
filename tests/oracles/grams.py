"""Grams. Cao et al., 2024, arXiv:2412.17107, Algorithm 1, without weight decay: Adam's size, the gradient's sign."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 1.3e-14  # pytorch_optimizer
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "b1": 0.0, "b2": 0.9},
    {"learning_rate": 0.05, "b1": 0.98, "b2": 0.9999, "rate_decay": 0.98},
    {"learning_rate": 0.02, "b1": 0.95, "eps": 0.1},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Grams",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08},
        {"betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.Grams",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.001, "rate_decay": 0.98},
        {"betas": [0.5, 0.99], "eps": 0.001, "weight_decay": 0.0, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    u = m_hat / (np.sqrt(v_hat) + eps)
    return w - learning_rate * np.sign(g) * np.abs(u)
