"""NAdam. Dozat, 2016, Algorithm 8 and its momentum schedule mu_t; or with mu_t = beta_1 throughout."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 9.6e-15  # optax
LEARNING_RATE = 2e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "momentum_decay": 1.0, "rate_decay": 0.98},
    {"learning_rate": 0.02, "b1": 0.98, "b2": 0.9999, "momentum_decay": 0.1},
    {"learning_rate": 0.02, "variant": "constant"},
    {"learning_rate": 0.05, "b1": 0.8, "b2": 0.95, "eps": 1e-2, "variant": "constant", "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch.optim.NAdam",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "momentum_decay": 0.004},
        {"betas": [0.9, 0.999], "eps": 1e-08, "momentum_decay": 0.004},
    ),
    Peer(
        "torch.optim.NAdam",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.001, "momentum_decay": 0.1, "rate_decay": 0.98},
        {"betas": [0.5, 0.99], "eps": 0.001, "momentum_decay": 0.1},
    ),
    Peer(
        "keras.optimizers.Nadam",
        {"learning_rate": 0.02, "b1": 0.9, "b2": 0.999, "eps": 1e-07, "momentum_decay": 1.0},
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07},
    ),
    Peer(
        "optax.nadam",
        {"learning_rate": 0.05, "b1": 0.8, "b2": 0.95, "eps": 0.01, "variant": "constant", "rate_decay": 0.98},
        {"b1": 0.8, "b2": 0.95, "eps": 0.01},
    ),
]


@per_leaf
def step(
    t: int,
    theta: Leaf,
    g: Leaf,
    state: dict[str, Any],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    momentum_decay: float = 0.004,
    variant: str = "schedule",
) -> Leaf:
    if variant == "schedule":
        mu, mu_next = (b1 * (1 - 0.5 * 0.96 ** (momentum_decay * i)) for i in (t, t + 1))
    else:
        mu = mu_next = b1
    product = state["product"] = state.get("product", 1.0) * mu  # mu_1 ... mu_t
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m_bar = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
    v_hat = v / one_minus_power(b2, t)
    return theta - learning_rate * m_bar / (np.sqrt(v_hat) + eps)
