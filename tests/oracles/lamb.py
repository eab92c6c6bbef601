"""LAMB. You et al., 2020, arXiv:1904.00962, Algorithm 2, phi the identity."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 7.9e-15  # timm; Keras 5.0e-15, optax 4.5e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "weight_decay": 0.5},
    {"learning_rate": 0.05, "b1": 0.95, "b2": 0.95, "weight_decay": 0.05, "eps": 1e-2, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.Lamb",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-06, "weight_decay": 0.0},
        {
            "betas": [0.9, 0.999],
            "eps": 1e-06,
            "weight_decay": 0.0,
            "max_grad_norm": None,
            "always_adapt": True,
            "foreach": False,
        },
    ),
    Peer(
        "optax.lamb",
        {"learning_rate": 0.05, "b1": 0.8, "b2": 0.95, "eps": 0.01, "weight_decay": 0.1, "rate_decay": 0.98},
        {"b1": 0.8, "b2": 0.95, "eps": 0.01, "weight_decay": 0.1},
    ),
    Peer(
        "keras.optimizers.Lamb",
        {"learning_rate": 0.02, "b1": 0.5, "b2": 0.99, "eps": 0.001, "rate_decay": 0.98},
        {"beta_1": 0.5, "beta_2": 0.99, "epsilon": 0.001},
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
    eps: float = 1e-6,
    weight_decay: float = 0.0,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2

    r = (m / one_minus_power(b1, t)) / (np.sqrt(v / one_minus_power(b2, t)) + eps)
    update = r + weight_decay * x
    x_norm, update_norm = np.sqrt(np.sum(x**2)), np.sqrt(np.sum(update**2))
    ratio = x_norm / update_norm if x_norm > 0 and update_norm > 0 else 1.0
    return x - learning_rate * ratio * update
