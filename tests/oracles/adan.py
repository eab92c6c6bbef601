"""Adan. Xie et al., 2022, arXiv:2208.06677, Algorithm 1 with 1 - beta for beta, and the authors' bias corrections."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 1.0e-13  # pytorch_optimizer; timm 7.9e-14
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.03, "b1": 0.9, "b2": 0.8, "b3": 0.95},
    {"learning_rate": 0.03, "weight_decay": 0.2, "eps": 1e-3},
    {"learning_rate": 0.1, "b1": 0.95, "b2": 0.98, "b3": 0.999, "eps": 1e-2, "weight_decay": 0.02, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.Adan",
        {"learning_rate": 0.01, "b1": 0.98, "b2": 0.92, "b3": 0.99, "eps": 1e-08, "weight_decay": 0.0},
        {"betas": [0.98, 0.92, 0.99], "eps": 1e-08, "weight_decay": 0.0, "no_prox": False, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.Adan",
        {
            "learning_rate": 0.03,
            "b1": 0.9,
            "b2": 0.8,
            "b3": 0.95,
            "eps": 0.001,
            "weight_decay": 0.2,
            "rate_decay": 0.98,
        },
        {
            "betas": [0.9, 0.8, 0.95],
            "eps": 0.001,
            "weight_decay": 0.2,
            "weight_decouple": False,
            "max_grad_norm": 0.0,
            "foreach": False,
        },
    ),
]


@per_leaf
def step(
    t: int,
    theta: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.98,
    b2: float = 0.92,
    b3: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> Leaf:
    d = g - state.get("g", g)
    state["g"] = g
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * d
    n = state["n"] = b3 * state.get("n", 0.0) + (1 - b3) * (g + b2 * d) ** 2
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    n_hat = n / one_minus_power(b3, t)
    eta = learning_rate / (np.sqrt(n_hat) + eps)
    return (theta - eta * (m_hat + b2 * v_hat)) / (1 + learning_rate * weight_decay)
