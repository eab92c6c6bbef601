"""ADADELTA. Zeiler, 2012, arXiv:1212.5701, Algorithm 1; with a learning rate, 1 in the paper."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 2.4e-15  # Keras; PyTorch 1.4e-15, optax 2.2e-15
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 3.0, "rho": 0.95},
    {"learning_rate": 0.5, "eps": 1e-3},
    {"learning_rate": 10.0, "rho": 0.8, "eps": 1e-5, "rate_decay": 0.98},
]
PEERS = [
    Peer("torch.optim.Adadelta", {"learning_rate": 1.0, "rho": 0.9, "eps": 1e-06}, {"rho": 0.9, "eps": 1e-06}),
    Peer(
        "keras.optimizers.Adadelta", {"learning_rate": 3.0, "rho": 0.95, "eps": 1e-07}, {"rho": 0.95, "epsilon": 1e-07}
    ),
    Peer(
        "optax.adadelta",
        {"learning_rate": 10.0, "rho": 0.8, "eps": 1e-05, "rate_decay": 0.98},
        {"rho": 0.8, "eps": 1e-05},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    rho: float = 0.9,
    eps: float = 1e-6,
) -> Leaf:
    square = state["square"] = rho * state.get("square", 0.0) + (1 - rho) * g**2
    rms_g = np.sqrt(square + eps)
    rms_delta = np.sqrt(state.get("square_delta", 0.0) + eps)  # of the deltas before this one
    delta = -rms_delta / rms_g * g
    state["square_delta"] = rho * state.get("square_delta", 0.0) + (1 - rho) * delta**2
    return x + learning_rate * delta
