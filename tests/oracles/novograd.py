"""NovoGrad. Ginsburg et al., 2019, arXiv:1905.11286, Algorithm 1; optionally with its averaging of gradients."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 2.6e-14  # pytorch_optimizer; optax 1.9e-15, timm 1.6e-15
LEARNING_RATE = 1e-2
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "b1": 0.8, "b2": 0.25, "eps": 1e-3},
    {"learning_rate": 0.02, "weight_decay": 0.1},
    {"learning_rate": 0.3, "grad_averaging": True},
    {"learning_rate": 0.2, "b1": 0.9, "b2": 0.5, "weight_decay": 0.05, "grad_averaging": True, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.NvNovoGrad",
        {"learning_rate": 0.01, "b1": 0.95, "b2": 0.98, "eps": 1e-08},
        {"betas": [0.95, 0.98], "eps": 1e-08, "weight_decay": 0.0, "grad_averaging": False},
    ),
    Peer(
        "optax.novograd",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.25, "eps": 0.001, "weight_decay": 0.1, "rate_decay": 0.98},
        {"b1": 0.8, "b2": 0.25, "eps": 0.001, "weight_decay": 0.1},
    ),
    Peer(
        "pytorch_optimizer.NovoGrad",
        {
            "learning_rate": 0.2,
            "b1": 0.9,
            "b2": 0.5,
            "eps": 1e-06,
            "weight_decay": 0.05,
            "grad_averaging": True,
            "rate_decay": 0.98,
        },
        {
            "betas": [0.9, 0.5],
            "eps": 1e-06,
            "weight_decay": 0.05,
            "weight_decouple": False,
            "grad_averaging": True,
            "foreach": False,
        },
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Any],
    learning_rate: float,
    b1: float = 0.95,
    b2: float = 0.98,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    grad_averaging: bool = False,
) -> Leaf:
    norm2 = np.sum(g**2)
    v = state["v"] = b2 * state["v"] + (1 - b2) * norm2 if t > 1 else norm2
    u = g / (np.sqrt(v) + eps) + weight_decay * w
    weight = 1 - b1 if grad_averaging else 1.0
    m = state["m"] = b1 * state["m"] + weight * u if t > 1 else u
    return w - learning_rate * m
