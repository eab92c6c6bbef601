"""AdaBelief. Zhuang et al., 2020, arXiv:2010.07468, Algorithm 2, whose epsilon is also added to s at every step."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 3.7e-15  # timm
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "eps": 1e-8},
    {"learning_rate": 0.02, "b1": 0.8, "b2": 0.95, "eps": 1e-3},
    {"learning_rate": 0.02, "b1": 0.95, "b2": 0.9, "eps": 1e-12, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "optax.adabelief",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-16},
        {"b1": 0.9, "b2": 0.999, "eps": 1e-16, "eps_root": 1e-16},
    ),
    Peer(
        "timm.optim.AdaBelief",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.95, "eps": 0.001, "rate_decay": 0.98},
        {"betas": [0.8, 0.95], "eps": 0.001, "weight_decay": 0.0, "rectify": False, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.AdaBelief",
        {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "eps": 1e-08, "rate_decay": 0.98},
        {"betas": [0.5, 0.99], "eps": 1e-08, "weight_decay": 0.0, "rectify": False, "foreach": False},
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
    eps: float = 1e-16,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    s = state["s"] = b2 * state.get("s", 0.0) + (1 - b2) * (g - m) ** 2 + eps
    m_hat = m / one_minus_power(b1, t)
    s_hat = s / one_minus_power(b2, t)
    return theta - learning_rate * m_hat / (np.sqrt(s_hat) + eps)
