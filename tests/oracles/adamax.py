"""AdaMax. Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 2; which has no epsilon: it is PyTorch's, or Keras'."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 5.0e-15  # PyTorch
LEARNING_RATE = 2e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "b1": 0.0, "b2": 0.9, "rate_decay": 0.98},
    {"learning_rate": 0.02, "eps_after_max": True},
    {"learning_rate": 0.05, "b1": 0.95, "b2": 0.95, "eps": 1e-2, "eps_after_max": True},
]
PEERS = [
    Peer(
        "torch.optim.Adamax",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08},
        {"betas": [0.9, 0.999], "eps": 1e-08},
    ),
    Peer(
        "optax.adamax",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.001, "rate_decay": 0.98},
        {"b1": 0.5, "b2": 0.99, "eps": 0.001},
    ),
    Peer(
        "keras.optimizers.Adamax",
        {"learning_rate": 0.02, "b1": 0.95, "b2": 0.95, "eps": 0.01, "eps_after_max": True, "rate_decay": 0.99},
        {"beta_1": 0.95, "beta_2": 0.95, "epsilon": 0.01},
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
    eps_after_max: bool = False,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    inside, after = (0.0, eps) if eps_after_max else (eps, 0.0)
    u = state["u"] = np.maximum(b2 * state.get("u", 0.0), np.abs(g) + inside)
    return theta - learning_rate / one_minus_power(b1, t) * m / (u + after)
