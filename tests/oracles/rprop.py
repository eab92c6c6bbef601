"""Rprop. Riedmiller & Braun, 1993; in the form iRprop- of Igel & Huesken, 2000, which takes no step back."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 0.0  # PyTorch
LEARNING_RATE = 1e-2
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "eta_minus": 0.7, "eta_plus": 1.1},
    {"learning_rate": 0.03, "eta_plus": 1.4, "min_step": 0.01, "max_step": 0.2},
    {"learning_rate": 0.5, "eta_minus": 0.3, "min_step": 1e-3, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch.optim.Rprop",
        {"learning_rate": 0.01, "eta_minus": 0.5, "eta_plus": 1.2, "min_step": 1e-06, "max_step": 50.0},
        {"etas": [0.5, 1.2], "step_sizes": [1e-06, 50.0]},
    ),
    Peer(
        "torch.optim.Rprop",
        {
            "learning_rate": 0.1,
            "eta_minus": 0.7,
            "eta_plus": 1.4,
            "min_step": 0.01,
            "max_step": 0.2,
            "rate_decay": 0.98,
        },
        {"etas": [0.7, 1.4], "step_sizes": [0.01, 0.2]},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    eta_minus: float = 0.5,
    eta_plus: float = 1.2,
    min_step: float = 1e-6,
    max_step: float = 50.0,
) -> Leaf:
    product = g * state.get("g", 0.0)
    factor = np.where(product > 0, eta_plus, np.where(product < 0, eta_minus, 1.0))
    # The learning rate is the first step size and nothing later.
    delta = state["delta"] = np.clip(state.get("delta", learning_rate) * factor, min_step, max_step)
    g = state["g"] = np.where(product < 0, 0.0, g)
    return w - delta * np.sign(g)
