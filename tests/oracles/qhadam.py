"""QHAdam. Ma & Yarats, 2019, arXiv:1810.06801, section 4.3."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 7.4e-15  # torch-optimizer; pytorch_optimizer 5.6e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.03, "b1": 0.5, "b2": 0.99, "nu1": 0.9},
    {"learning_rate": 0.02, "nu1": 0.5, "nu2": 0.7, "eps": 1e-3},
    {"learning_rate": 0.05, "b1": 0.995, "b2": 0.95, "nu1": 0.8, "nu2": 0.9, "eps": 1e-2, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch_optimizer.QHAdam",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "nu1": 0.7, "nu2": 1.0, "eps": 1e-08},
        {"betas": [0.9, 0.999], "nus": [0.7, 1.0], "eps": 1e-08},
    ),
    Peer(
        "torch_optimizer.QHAdam",
        {"learning_rate": 0.05, "b1": 0.995, "b2": 0.95, "nu1": 0.8, "nu2": 0.9, "eps": 0.01, "rate_decay": 0.98},
        {"betas": [0.995, 0.95], "nus": [0.8, 0.9], "eps": 0.01},
    ),
    Peer(
        "pytorch_optimizer.QHAdam",
        {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "nu1": 0.5, "nu2": 0.7, "eps": 0.001, "rate_decay": 0.98},
        {"betas": [0.5, 0.99], "nus": [0.5, 0.7], "eps": 0.001, "weight_decay": 0.0, "foreach": False},
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
    nu1: float = 0.7,
    nu2: float = 1.0,
    eps: float = 1e-8,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2

    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    numerator = (1 - nu1) * g + nu1 * m_hat
    denominator = np.sqrt((1 - nu2) * g**2 + nu2 * v_hat) + eps
    return theta - learning_rate * numerator / denominator
