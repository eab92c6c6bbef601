"""Nesterov's gradient, from the velocity form of Sutskever et al., 2013, equations (3) and (4).

There u <- b u - a grad(y + b u), y <- y + u; here x = y + b u is what is kept, the point where the gradient is taken.
PyTorch's form differs from it only if the rate changes.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 6.7e-15  # PyTorch
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "momentum": 0.5},
    {"learning_rate": 0.05, "momentum": 0.99},
    {"learning_rate": 0.1, "rate_decay": 0.97},
    {"learning_rate": 0.1, "rate_decay": 0.97, "rate_in_buffer": True},
]
PEERS = [
    Peer("torch.optim.SGD", {"learning_rate": 0.01, "momentum": 0.9}, {"momentum": 0.9, "nesterov": True}),
    Peer(
        "torch.optim.SGD",
        {"learning_rate": 0.1, "momentum": 0.5, "rate_decay": 0.97},
        {"momentum": 0.5, "nesterov": True},
    ),
    Peer(
        "keras.optimizers.SGD",
        {"learning_rate": 0.05, "momentum": 0.95, "rate_decay": 0.97, "rate_in_buffer": True},
        {"momentum": 0.95, "nesterov": True},
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
    rate_in_buffer: bool = False,
) -> Leaf:
    if rate_in_buffer:
        u = state["u"] = momentum * state.get("u", np.zeros_like(x)) - learning_rate * g
        y = state["y"] = state.get("y", x) + u
        return y + momentum * u
    b = state["b"] = momentum * state.get("b", 0.0) + g
    return x - learning_rate * (g + momentum * b)
