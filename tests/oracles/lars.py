"""LARS. You, Gitman & Ginsburg, 2017, arXiv:1708.03888, Algorithm 1; the paper has the rate in the buffer."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 4.1e-15  # optax; timm 3.8e-15, pytorch_optimizer 2.0e-15
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 3.0, "momentum": 0.5, "trust_coefficient": 5e-3},
    {"learning_rate": 5.0, "weight_decay": 0.02},
    {"learning_rate": 5.0, "weight_decay": 0.2, "joint_norm": True},
    {"learning_rate": 10.0, "weight_decay": 0.01, "rate_in_buffer": True, "rate_decay": 0.98},
    {"learning_rate": 0.3, "trust_coefficient": 0.02, "weight_decay": 0.1, "adapt_vectors": False},
    {"learning_rate": 5.0, "weight_decay": 0.1, "joint_norm": True, "rate_in_buffer": True, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "timm.optim.Lars",
        {"learning_rate": 1.0, "momentum": 0.9, "trust_coefficient": 0.001},
        {
            "momentum": 0.9,
            "trust_coeff": 0.001,
            "weight_decay": 0.0,
            "eps": 0.0,
            "always_adapt": True,
            "foreach": False,
        },
    ),
    Peer(
        "timm.optim.Lars",
        {"learning_rate": 5.0, "momentum": 0.5, "trust_coefficient": 0.005, "weight_decay": 0.1, "rate_decay": 0.98},
        {
            "momentum": 0.5,
            "trust_coeff": 0.005,
            "weight_decay": 0.1,
            "eps": 0.0,
            "always_adapt": True,
            "foreach": False,
        },
    ),
    Peer(
        "pytorch_optimizer.LARS",
        {
            "learning_rate": 0.3,
            "momentum": 0.9,
            "trust_coefficient": 0.02,
            "weight_decay": 0.1,
            "adapt_vectors": False,
            "rate_decay": 0.98,
        },
        {"momentum": 0.9, "trust_coefficient": 0.02, "weight_decay": 0.1, "foreach": False},
    ),
    Peer(
        "optax.lars",
        {
            "learning_rate": 5.0,
            "momentum": 0.9,
            "trust_coefficient": 0.001,
            "weight_decay": 0.1,
            "joint_norm": True,
            "rate_in_buffer": True,
            "rate_decay": 0.98,
        },
        {"momentum": 0.9, "trust_coefficient": 0.001, "weight_decay": 0.1},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.9,
    trust_coefficient: float = 1e-3,
    weight_decay: float = 0.0,
    joint_norm: bool = False,
    rate_in_buffer: bool = False,
    adapt_vectors: bool = True,
) -> Leaf:
    d = g + weight_decay * w
    w_norm, g_norm, d_norm = (np.sqrt(np.sum(x**2)) for x in (w, g, d))
    if not adapt_vectors and w.ndim <= 1:
        d, local_rate = g, 1.0
    elif w_norm == 0 or (d_norm if joint_norm else g_norm) == 0:
        local_rate = 1.0
    else:
        local_rate = trust_coefficient * w_norm / (d_norm if joint_norm else g_norm + weight_decay * w_norm)
    before, after = (learning_rate, 1.0) if rate_in_buffer else (1.0, learning_rate)
    v = state["v"] = momentum * state.get("v", 0.0) + before * local_rate * d
    return w - after * v
