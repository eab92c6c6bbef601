"""AdaBound. Luo et al., 2019, arXiv:1902.09843, Algorithm 2, with Adam's bias correction as in the authors' code."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 1.3e-13  # torch-optimizer; pytorch_optimizer 1.0e-14
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "final_learning_rate": 0.05, "gamma": 0.01},
    {"learning_rate": 0.02, "eps": 1e-3, "final_learning_rate": 0.01, "gamma": 0.03},
    {"learning_rate": 0.1, "b1": 0.8, "b2": 0.9, "eps": 1e-2, "gamma": 0.1, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch_optimizer.AdaBound",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "final_learning_rate": 0.1, "gamma": 0.001},
        {"betas": [0.9, 0.999], "eps": 1e-08, "final_lr": 0.1, "gamma": 0.001},
    ),
    Peer(
        "pytorch_optimizer.AdaBound",
        {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "eps": 0.01, "final_learning_rate": 0.05, "gamma": 0.02},
        {"betas": [0.5, 0.99], "eps": 0.01, "final_lr": 0.05, "gamma": 0.02, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "torch_optimizer.AdaBound",
        {"learning_rate": 0.1, "b1": 0.8, "b2": 0.9, "eps": 0.001, "final_learning_rate": 0.02, "gamma": 0.1},
        {"betas": [0.8, 0.9], "eps": 0.001, "final_lr": 0.02, "gamma": 0.1},
    ),
    Peer(
        "torch_optimizer.AdaBound",
        {
            "learning_rate": 0.02,
            "b1": 0.9,
            "b2": 0.99,
            "eps": 0.001,
            "final_learning_rate": 0.1,
            "gamma": 1e-09,
            "rate_decay": 0.98,
        },
        {"betas": [0.9, 0.99], "eps": 0.001, "final_lr": 0.1, "gamma": 1e-09},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    final_learning_rate: float = 0.1,
    gamma: float = 1e-3,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2

    rate = learning_rate * math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t) / (np.sqrt(v) + eps)
    lower = final_learning_rate * (1 - 1 / (gamma * t + 1))
    upper = final_learning_rate * (1 + 1 / (gamma * t))
    return x - np.clip(rate, lower, upper) * m
