"""Adam. Kingma & Ba, 2015, Algorithm 1; the epsilon-hat order from the end of section 2."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 3.7e-15  # PyTorch
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-4},
    {"learning_rate": 0.02, "b1": 0.0, "b2": 0.9},
    {"learning_rate": 0.02, "b1": 0.98, "b2": 0.9999, "rate_decay": 0.98},
    {"learning_rate": 0.02, "eps": 1e-7, "eps_hat": True},
    {"learning_rate": 0.02, "eps": 1e-3, "eps_hat": True, "b2": 0.95},
]
PEERS = [
    Peer("torch.optim.Adam", {"learning_rate": 0.001}, {"betas": [0.9, 0.999], "eps": 1e-08}),
    Peer(
        "torch.optim.Adam",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.0001, "rate_decay": 0.99},
        {"betas": [0.5, 0.99], "eps": 0.0001},
    ),
    Peer(
        "keras.optimizers.Adam",
        {"learning_rate": 0.01, "eps": 1e-07, "eps_hat": True},
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07},
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
    eps_hat: bool = False,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    if eps_hat:
        alpha = learning_rate * math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t)
        return theta - alpha * m / (np.sqrt(v) + eps)
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    return theta - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
