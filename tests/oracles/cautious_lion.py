"""C-Lion. Liang et al., 2024, arXiv:2411.16085, without weight decay; scaled by count, or by timm's clamped mean."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 7.3e-16  # pytorch_optimizer; timm 4.1e-16
LEARNING_RATE = 1e-4
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.01, "b1": 0.8},
    {"learning_rate": 0.03, "b1": 0.95, "b2": 0.98, "rate_decay": 0.98},
    {"learning_rate": 0.01, "b1": 0.5, "b2": 0.9, "mask_scale": "mean"},
    {"learning_rate": 0.02, "b1": 0.98, "mask_scale": "mean", "rate_decay": 0.99},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Lion",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.99, "mask_scale": "count"},
        {"betas": [0.9, 0.99], "weight_decay": 0.0, "cautious": True, "foreach": False},
    ),
    Peer(
        "pytorch_optimizer.Lion",
        {"learning_rate": 0.03, "b1": 0.95, "b2": 0.98, "mask_scale": "count", "rate_decay": 0.98},
        {"betas": [0.95, 0.98], "weight_decay": 0.0, "cautious": True, "foreach": False},
    ),
    Peer(
        "timm.optim.Lion",
        {"learning_rate": 0.02, "b1": 0.8, "b2": 0.98, "mask_scale": "mean", "rate_decay": 0.99},
        {"betas": [0.8, 0.98], "weight_decay": 0.0, "caution": True, "corrected_weight_decay": False, "foreach": False},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.99,
    mask_scale: str = "count",
) -> Leaf:
    m = state.get("m", np.zeros_like(g))
    u = np.sign(b1 * m + (1 - b1) * g)
    state["m"] = b2 * m + (1 - b2) * g
    phi = (u * g > 0).astype(np.float64)
    factor = {"mean": 1 / max(float(np.mean(phi)), 1e-3), "count": phi.size / (float(np.sum(phi)) + 1)}[mask_scale]
    return w - learning_rate * factor * phi * u
