"""ADOPT. Taniguchi et al., 2024, arXiv:2411.02853, Algorithm 2, its clipping optional; the paper's g_0 is step 1's."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 5.1e-15  # pytorch_optimizer; timm 2.8e-15, optax 1.1e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1.0},
    {"learning_rate": 0.02, "clip": False, "eps": 0.1},
    {"learning_rate": 0.05, "b1": 0.95, "b2": 0.9, "rate_decay": 0.98},
    {"learning_rate": 0.02, "b1": 0.0, "b2": 0.999, "eps": 3.0, "clip": False, "rate_decay": 0.99},
]
PEERS = [
    Peer(
        "optax.contrib.adopt",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.9999, "eps": 1e-06, "clip": True},
        {"b1": 0.9, "b2": 0.9999, "eps": 1e-06, "nesterov": False, "use_clipping": True},
    ),
    Peer(
        "timm.optim.Adopt",
        {"learning_rate": 0.05, "b1": 0.95, "b2": 0.9, "eps": 0.001, "clip": True, "rate_decay": 0.98},
        {"betas": [0.95, 0.9], "eps": 0.001, "clip_exp": 0.25, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "timm.optim.Adopt",
        {"learning_rate": 0.02, "b1": 0.9, "b2": 0.99, "eps": 0.1, "clip": False, "rate_decay": 0.99},
        {"betas": [0.9, 0.99], "eps": 0.1, "clip_exp": None, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.ADOPT",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.999, "eps": 1.0, "clip": False, "rate_decay": 0.99},
        {"betas": [0.8, 0.999], "eps": 1.0, "clip_lambda": None, "weight_decay": 0.0, "foreach": False},
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
    b2: float = 0.9999,
    eps: float = 1e-6,
    clip: bool = True,
) -> Leaf:
    if t == 1:
        state["m"], state["v"] = np.zeros_like(g), g**2
        return theta
    normalized = g / np.maximum(np.sqrt(state["v"]), eps)
    if clip:
        c = (t - 1) ** 0.25
        normalized = np.clip(normalized, -c, c)
    m = state["m"] = b1 * state["m"] + (1 - b1) * normalized
    state["v"] = b2 * state["v"] + (1 - b2) * g**2
    return theta - learning_rate * m
