"""AdamW. Loshchilov & Hutter, 2019, Algorithm 2, with the decay times the learning rate and in the other forms."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 1.1e-14  # PyTorch
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "weight_decay": 0.5, "b1": 0.8, "b2": 0.98},
    {"learning_rate": 0.02, "weight_decay": 0.1, "rate_decay": 0.98},
    {"learning_rate": 0.02, "weight_decay": 3e-3, "decay_form": "independent"},
    {"learning_rate": 0.02, "weight_decay": 0.2, "decay_form": "coupled"},
    {"learning_rate": 0.02, "eps": 1e-7, "eps_hat": True},
]
PEERS = [
    Peer(
        "torch.optim.AdamW",
        {"learning_rate": 0.01, "weight_decay": 0.1},
        {"betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.1},
    ),
    Peer(
        "torch.optim.AdamW",
        {"learning_rate": 0.05, "b1": 0.8, "b2": 0.98, "weight_decay": 0.5, "rate_decay": 0.98},
        {"betas": [0.8, 0.98], "eps": 1e-08, "weight_decay": 0.5},
    ),
    Peer(
        "torch.optim.Adam",
        {"learning_rate": 0.02, "weight_decay": 0.2, "decay_form": "coupled"},
        {"betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.2},
    ),
    Peer(
        "keras.optimizers.AdamW",
        {"learning_rate": 0.01, "weight_decay": 0.1, "eps": 1e-07, "eps_hat": True},
        {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "weight_decay": 0.1},
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
    weight_decay: float = 0.01,
    decay_form: str = "scaled",
    eps_hat: bool = False,
) -> Leaf:
    if decay_form == "coupled":  # the paper's line 6 in its first colour: the penalty's gradient
        g = g + weight_decay * theta
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    if eps_hat:
        step = math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t) * m / (np.sqrt(v) + eps)
    else:
        step = (m / one_minus_power(b1, t)) / (np.sqrt(v / one_minus_power(b2, t)) + eps)
    decay = {"scaled": learning_rate * weight_decay, "independent": weight_decay, "coupled": 0.0}[decay_form]
    return theta - learning_rate * step - decay * theta
