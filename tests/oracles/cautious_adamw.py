"""C-AdamW. Liang et al., 2024, arXiv:2411.16085, Algorithm 1; scaled by count as there, or by timm's clamped mean.

The mask does not touch the decay, which is taken from the parameter before the step.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 1e-14  # timm; pytorch_optimizer 9.1e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3, "weight_decay": 0.5},
    {"learning_rate": 0.02, "weight_decay": 0.0, "mask_scale": "count"},
    {"learning_rate": 0.05, "b1": 0.98, "weight_decay": 0.1, "mask_scale": "count", "rate_decay": 0.98},
    {"learning_rate": 0.02, "b2": 0.9, "weight_decay": 0.2, "rate_decay": 0.99},
]
PEERS = [
    Peer(
        "timm.optim.AdamWLegacy",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "weight_decay": 0.1, "mask_scale": "mean"},
        {
            "betas": [0.9, 0.999],
            "eps": 1e-08,
            "weight_decay": 0.1,
            "caution": True,
            "amsgrad": False,
            "corrected_weight_decay": False,
            "foreach": False,
        },
    ),
    Peer(
        "timm.optim.AdamWLegacy",
        {
            "learning_rate": 0.05,
            "b1": 0.5,
            "b2": 0.99,
            "eps": 0.001,
            "weight_decay": 0.5,
            "mask_scale": "mean",
            "rate_decay": 0.98,
        },
        {
            "betas": [0.5, 0.99],
            "eps": 0.001,
            "weight_decay": 0.5,
            "caution": True,
            "amsgrad": False,
            "corrected_weight_decay": False,
            "foreach": False,
        },
    ),
    Peer(
        "pytorch_optimizer.AdEMAMix",
        {
            "learning_rate": 0.02,
            "b1": 0.9,
            "b2": 0.99,
            "eps": 1e-06,
            "weight_decay": 0.1,
            "mask_scale": "count",
            "rate_decay": 0.99,
        },
        {
            "betas": [0.9, 0.99, 0.999],
            "alpha": 0.0,
            "t_alpha_beta3": None,
            "eps": 1e-06,
            "weight_decay": 0.1,
            "weight_decouple": True,
            "fixed_decay": False,
            "cautious": True,
            "foreach": False,
        },
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
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
    mask_scale: str = "mean",
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m_hat = m / one_minus_power(b1, t)
    v_hat = v / one_minus_power(b2, t)
    u = m_hat / (np.sqrt(v_hat) + eps)
    phi = (u * g > 0).astype(np.float64)
    factor = {"mean": 1 / max(float(np.mean(phi)), 1e-3), "count": phi.size / (float(np.sum(phi)) + 1)}[mask_scale]
    return w - learning_rate * factor * phi * u - learning_rate * weight_decay * w
