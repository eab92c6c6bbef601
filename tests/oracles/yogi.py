"""Yogi. Zaheer et al., 2018 (NeurIPS), Algorithm 2; with Adam's bias corrections, as its implementations have them."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 2.9e-15  # torch-optimizer
LEARNING_RATE = 1e-2
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.03, "b1": 0.5, "b2": 0.99, "eps": 1e-2},
    {"learning_rate": 0.03, "b2": 0.95, "initial_accumulator_value": 0.1, "rate_decay": 0.98},
    {"learning_rate": 0.02, "initial_momentum_value": 1e-6},
    {"learning_rate": 0.02, "b1": 0.8, "initial_accumulator_value": 1.0, "initial_momentum_value": 0.1},
]
PEERS = [
    Peer(
        "optax.yogi",
        {
            "learning_rate": 0.01,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 0.001,
            "initial_accumulator_value": 1e-06,
            "initial_momentum_value": 1e-06,
        },
        {"b1": 0.9, "b2": 0.999, "eps": 0.001},
    ),
    Peer(
        "pytorch_optimizer.Yogi",
        {
            "learning_rate": 0.03,
            "b1": 0.5,
            "b2": 0.99,
            "eps": 0.01,
            "initial_accumulator_value": 0.0,
            "initial_momentum_value": 0.0,
            "rate_decay": 0.98,
        },
        {"betas": [0.5, 0.99], "eps": 0.01, "initial_accumulator": 0.0, "foreach": False},
    ),
    Peer(
        "torch_optimizer.Yogi",
        {
            "learning_rate": 0.03,
            "b1": 0.8,
            "b2": 0.95,
            "eps": 0.001,
            "initial_accumulator_value": 0.1,
            "initial_momentum_value": 0.1,
            "rate_decay": 0.99,
        },
        {"betas": [0.8, 0.95], "eps": 0.001, "initial_accumulator": 0.1},
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
    eps: float = 1e-3,
    initial_accumulator_value: float = 1e-6,
    initial_momentum_value: float = 0.0,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", initial_momentum_value) + (1 - b1) * g
    v = state.get("v", initial_accumulator_value)
    v = state["v"] = v - (1 - b2) * np.sign(v - g**2) * g**2
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    return x - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
