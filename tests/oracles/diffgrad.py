"""diffGrad. Dubey et al., 2019, arXiv:1909.11015, Algorithm 1; epsilon before the bias correction."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 2.4e-15  # pytorch_optimizer
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-4},
    {"learning_rate": 0.02, "b2": 0.95, "eps": 1e-2},
    {"learning_rate": 0.05, "b1": 0.0, "b2": 0.9, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch_optimizer.DiffGrad",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08},
        {"betas": [0.9, 0.999], "eps": 1e-08},
    ),
    Peer(
        "torch_optimizer.DiffGrad",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.001, "rate_decay": 0.98},
        {"betas": [0.5, 0.99], "eps": 0.001},
    ),
    Peer(
        "pytorch_optimizer.DiffGrad",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.9, "eps": 0.01, "rate_decay": 0.98},
        {"betas": [0.5, 0.9], "eps": 0.01, "weight_decay": 0.0, "rectify": False, "foreach": False},
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
    eps: float = 1e-8,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2

    xi = 1 / (1 + np.exp(-np.abs(state.get("g", 0.0) - g)))
    state["g"] = g
    alpha = learning_rate * math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t)
    return theta - alpha * xi * m / (np.sqrt(v) + eps)
