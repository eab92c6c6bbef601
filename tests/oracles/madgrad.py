"""MADGRAD. Defazio & Jelassi, 2021, arXiv:2101.11075, Algorithm 1; epsilon joins the rate in the authors' code."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 8.0e-15  # timm; pytorch_optimizer 1.2e-15
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.03, "momentum": 0.5},
    {"learning_rate": 0.02, "momentum": 0.0, "eps": 1e-3},
    {"learning_rate": 0.1, "momentum": 0.95, "eps": 1e-2, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.MADGRAD",
        {"learning_rate": 0.01, "momentum": 0.9, "eps": 1e-06},
        {"momentum": 0.9, "eps": 1e-06, "weight_decay": 0.0},
    ),
    Peer(
        "pytorch_optimizer.MADGRAD",
        {"learning_rate": 0.1, "momentum": 0.5, "eps": 0.01, "rate_decay": 0.98},
        {"momentum": 0.5, "eps": 0.01, "weight_decay": 0.0, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.9,
    eps: float = 1e-6,
) -> Leaf:
    x0 = state.setdefault("x0", x)
    lamb = (learning_rate + eps) * math.sqrt(t)
    s = state["s"] = state.get("s", 0.0) + lamb * g
    nu = state["nu"] = state.get("nu", 0.0) + lamb * g**2
    z = x0 - s / (np.cbrt(nu) + eps)
    return momentum * x + (1 - momentum) * z
