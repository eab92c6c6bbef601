"""RMSprop. Tieleman & Hinton, 2012, lecture 6e: MeanSquare <- 0.9 MeanSquare + 0.1 g^2, step g / sqrt(MeanSquare).

Centered and with momentum as Graves, 2013, arXiv:1308.0850: divide by sqrt(n - g_bar^2).
"""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 2.2e-15  # optax, eps_in_sqrt=False
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.01, "decay": 0.99},
    {"learning_rate": 0.05, "eps_in_sqrt": True},
    {"learning_rate": 0.05, "eps": 1e-3, "initial_scale": 1.0, "eps_in_sqrt": True, "momentum": 0.9},
    {"learning_rate": 0.01, "decay": 0.95, "eps": 1e-3, "centered": True},
    {"learning_rate": 0.01, "momentum": 0.9, "rate_decay": 0.99},
    {"learning_rate": 0.01, "momentum": 0.9, "rate_decay": 0.99, "rate_in_buffer": True, "centered": True, "eps": 1e-2},
]
PEERS = [
    Peer("torch.optim.RMSprop", {"learning_rate": 0.01, "decay": 0.99}, {"alpha": 0.99, "eps": 1e-08}),
    Peer(
        "torch.optim.RMSprop",
        {"learning_rate": 0.01, "decay": 0.9, "momentum": 0.9, "rate_decay": 0.98},
        {"alpha": 0.9, "eps": 1e-08, "momentum": 0.9},
    ),
    Peer(
        "torch.optim.RMSprop",
        {"learning_rate": 0.01, "decay": 0.95, "eps": 0.001, "centered": True},
        {"alpha": 0.95, "eps": 0.001, "centered": True},
    ),
    Peer(
        "keras.optimizers.RMSprop",
        {"learning_rate": 0.01, "decay": 0.9, "eps": 1e-07, "eps_in_sqrt": True},
        {"rho": 0.9, "epsilon": 1e-07},
    ),
    Peer(
        "keras.optimizers.RMSprop",
        {
            "learning_rate": 0.01,
            "decay": 0.95,
            "eps": 0.01,
            "eps_in_sqrt": True,
            "centered": True,
            "momentum": 0.8,
            "rate_in_buffer": True,
            "rate_decay": 0.98,
        },
        {"rho": 0.95, "epsilon": 0.01, "centered": True, "momentum": 0.8},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    decay: float = 0.9,
    eps: float = 1e-8,
    initial_scale: float = 0.0,
    eps_in_sqrt: bool = False,
    centered: bool = False,
    momentum: float | None = None,
    rate_in_buffer: bool = False,
) -> Leaf:
    n = state["n"] = decay * state.get("n", initial_scale) + (1 - decay) * g**2
    g_bar = state["g_bar"] = decay * state.get("g_bar", 0.0) + (1 - decay) * g
    variance = n - g_bar**2 if centered else n
    step = g / (np.sqrt(variance + eps) if eps_in_sqrt else np.sqrt(variance) + eps)
    before, after = (learning_rate, 1.0) if rate_in_buffer else (1.0, learning_rate)
    delta = state["delta"] = (momentum or 0.0) * state.get("delta", 0.0) + before * step
    return x - after * delta
