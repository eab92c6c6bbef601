"""MARS-AdamW. Yuan et al., 2024, arXiv:2411.10438, Algorithm 2 with the approximate c (old gradients), no weight decay.

Before the first step's gradient stands itself.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 9.7e-15  # timm; pytorch_optimizer 1.7e-15
LEARNING_RATE = 3e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.9, "eps": 1e-3, "gamma": 0.5},
    {"learning_rate": 0.02, "b1": 0.98, "b2": 0.999, "gamma": 0.01, "rate_decay": 0.98},
    {"learning_rate": 0.03, "eps": 0.1, "gamma": 0.1},
    {"learning_rate": 0.02, "b1": 0.9, "gamma": 0.0},
]
PEERS = [
    Peer(
        "timm.optim.Mars",
        {"learning_rate": 0.01, "b1": 0.95, "b2": 0.99, "eps": 1e-08, "gamma": 0.025},
        {
            "betas": [0.95, 0.99],
            "eps": 1e-08,
            "gamma": 0.025,
            "mars_type": "adamw",
            "optimize_1d": True,
            "weight_decay": 0.0,
            "caution": False,
        },
    ),
    Peer(
        "timm.optim.Mars",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.9, "eps": 0.001, "gamma": 0.5, "rate_decay": 0.98},
        {
            "betas": [0.5, 0.9],
            "eps": 0.001,
            "gamma": 0.5,
            "mars_type": "adamw",
            "optimize_1d": True,
            "weight_decay": 0.0,
            "caution": False,
        },
    ),
    Peer(
        "pytorch_optimizer.MARS",
        {"learning_rate": 0.02, "b1": 0.9, "b2": 0.99, "eps": 1e-20, "gamma": 0.1, "rate_decay": 0.99},
        {
            "betas": [0.9, 0.99],
            "eps": 1e-20,
            "gamma": 0.1,
            "mars_type": "adamw",
            "optimize_1d": True,
            "weight_decay": 0.0,
            "ams_bound": False,
            "cautious": False,
            "foreach": False,
        },
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.95,
    b2: float = 0.99,
    eps: float = 1e-8,
    gamma: float = 0.025,
) -> Leaf:
    c = g + gamma * b1 / (1 - b1) * (g - state.get("g", g))
    state["g"] = g
    norm = np.sqrt(np.sum(c**2))
    c_tilde = c / norm if norm > 1 else c
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * c_tilde
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * c_tilde**2
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    return x - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
