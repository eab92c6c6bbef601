"""AdEMAMix. Pagliardini et al., 2024, arXiv:2409.03137, Algorithm 1, without weight decay; one warmup for both."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 2.7e-14  # pytorch_optimizer; optax 2.6e-14
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "b3": 0.99, "alpha": 2.0, "eps": 1e-3},
    {"learning_rate": 0.02, "b3": 0.999, "warmup": 150},
    {"learning_rate": 0.02, "b1": 0.95, "alpha": 10.0, "warmup": 1000, "rate_decay": 0.98},
    {"learning_rate": 0.02, "b2": 0.9, "b3": 0.98, "alpha": 1.0, "warmup": 1},
    {"learning_rate": 0.05, "alpha": 0.0},
]
PEERS = [
    Peer(
        "optax.contrib.ademamix",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "b3": 0.9999, "alpha": 5.0, "eps": 1e-08, "warmup": 0},
        {"b1": 0.9, "b2": 0.999, "b3": 0.9999, "alpha": 5.0, "eps": 1e-08, "eps_root": 0.0, "weight_decay": 0.0},
    ),
    Peer(
        "pytorch_optimizer.AdEMAMix",
        {
            "learning_rate": 0.05,
            "b1": 0.5,
            "b2": 0.99,
            "b3": 0.99,
            "alpha": 2.0,
            "eps": 0.001,
            "warmup": 0,
            "rate_decay": 0.98,
        },
        {
            "betas": [0.5, 0.99, 0.99],
            "alpha": 2.0,
            "t_alpha_beta3": None,
            "eps": 0.001,
            "weight_decay": 0.0,
            "foreach": False,
        },
    ),
    Peer(
        "pytorch_optimizer.AdEMAMix",
        {
            "learning_rate": 0.02,
            "b1": 0.9,
            "b2": 0.999,
            "b3": 0.999,
            "alpha": 8.0,
            "eps": 1e-08,
            "warmup": 150,
            "rate_decay": 0.99,
        },
        {
            "betas": [0.9, 0.999, 0.999],
            "alpha": 8.0,
            "t_alpha_beta3": 150,
            "eps": 1e-08,
            "weight_decay": 0.0,
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
    b1: float = 0.9,
    b2: float = 0.999,
    b3: float = 0.9999,
    alpha: float = 5.0,
    eps: float = 1e-8,
    warmup: int = 0,
) -> Leaf:
    beta3, mixed = b3, alpha
    if warmup:
        mixed = min(t * alpha / warmup, alpha)
        from_fast = (1 - t / warmup) * math.log(b3) + t / warmup * math.log(b1)
        beta3 = min(math.exp(math.log(b1) * math.log(b3) / from_fast), b3)
    m1 = state["m1"] = b1 * state.get("m1", 0.0) + (1 - b1) * g
    m2 = state["m2"] = beta3 * state.get("m2", 0.0) + (1 - beta3) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m1_hat = m1 / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    return theta - learning_rate * (m1_hat + mixed * m2) / (np.sqrt(v_hat) + eps)
