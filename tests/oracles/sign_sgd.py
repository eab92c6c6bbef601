"""signSGD. Bernstein et al., 2018, arXiv:1802.04434, Algorithm 1."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 0.0  # optax, pytorch_optimizer
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.03},
    {"learning_rate": 0.1, "rate_decay": 0.98},
    {"learning_rate": 0.01, "rate_decay": 0.99},
]
PEERS = [
    Peer("optax.sign_sgd", {"learning_rate": 0.03}, {}),
    Peer(
        "pytorch_optimizer.SignSGD",
        {"learning_rate": 0.1, "rate_decay": 0.98},
        {"momentum": 0.0, "weight_decay": 0.0, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
) -> Leaf:
    return x - learning_rate * np.sign(g)
