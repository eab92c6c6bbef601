"""Muon. Jordan et al., 2024, kellerjordan.github.io/posts/muon; the scale match_rms is Liu et al.'s, arXiv:2502.16982.

A matrix has its inputs as rows. Other leaves: Adam, Kingma & Ba, 2015, Algorithm 1, at a rate of its own.
"""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 2.5e-14  # PyTorch and pytorch_optimizer in float64
LEARNING_RATE = 0.02
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "momentum": 0.8, "adam_ratio": 0.3},
    {"learning_rate": 0.05, "nesterov": False, "adam_ratio": 0.1, "rate_decay": 0.98},
    {"learning_rate": 0.05, "momentum": 0.98, "scale": "match_rms", "adam_ratio": 1.0},
    {"learning_rate": 0.03, "momentum": 0.0, "nesterov": False, "scale": "match_rms"},
]
PEERS = [
    Peer(
        "torch.optim.Muon",
        {"learning_rate": 0.02, "momentum": 0.95, "nesterov": True, "scale": "original", "adam_ratio": 0.3},
        {
            "momentum": 0.95,
            "nesterov": True,
            "adjust_lr_fn": "original",
            "weight_decay": 0.0,
            "ns_coefficients": [3.4445, -4.775, 2.0315],
            "ns_steps": 5,
            "eps": 1e-07,
            "adam": {"betas": [0.9, 0.999], "eps": 1e-08},
        },
    ),
    Peer(
        "torch.optim.Muon",
        {
            "learning_rate": 0.05,
            "momentum": 0.8,
            "nesterov": False,
            "scale": "match_rms",
            "adam_ratio": 1.0,
            "rate_decay": 0.98,
        },
        {
            "momentum": 0.8,
            "nesterov": False,
            "adjust_lr_fn": "match_rms_adamw",
            "weight_decay": 0.0,
            "ns_coefficients": [3.4445, -4.775, 2.0315],
            "ns_steps": 5,
            "eps": 1e-07,
            "adam": {"betas": [0.9, 0.999], "eps": 1e-08},
        },
    ),
    Peer(
        "pytorch_optimizer.Muon",
        {
            "learning_rate": 0.05,
            "momentum": 0.9,
            "nesterov": False,
            "scale": "original",
            "adam_ratio": 0.5,
            "rate_decay": 0.98,
        },
        {
            "momentum": 0.9,
            "nesterov": False,
            "use_adjusted_lr": False,
            "weight_decay": 0.0,
            "ns_coeffs": "original",
            "ns_steps": 5,
            "ns_method": "newton_schulz",
            "foreach": False,
            "adam": {"betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.0},
        },
    ),
    Peer(
        "pytorch_optimizer.Muon",
        {
            "learning_rate": 0.03,
            "momentum": 0.95,
            "nesterov": True,
            "scale": "match_rms",
            "adam_ratio": 0.3,
            "rate_decay": 0.99,
        },
        {
            "momentum": 0.95,
            "nesterov": True,
            "use_adjusted_lr": True,
            "weight_decay": 0.0,
            "ns_coeffs": "original",
            "ns_steps": 5,
            "ns_method": "newton_schulz",
            "foreach": False,
            "adam": {"betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.0},
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
    momentum: float = 0.95,
    adam_ratio: float = 0.015,
    nesterov: bool = True,
    scale: str = "original",
) -> Leaf:
    if w.ndim != 2:
        m = state["m"] = 0.9 * state.get("m", 0.0) + (1 - 0.9) * g
        v = state["v"] = 0.999 * state.get("v", 0.0) + (1 - 0.999) * g**2
        m_hat = m / one_minus_power(0.9, t)
        v_hat = v / one_minus_power(0.999, t)
        return w - adam_ratio * learning_rate * m_hat / (np.sqrt(v_hat) + 1e-8)

    m = state["m"] = momentum * state.get("m", 0.0) + (1 - momentum) * g
    u = (1 - momentum) * g + momentum * m if nesterov else m
    rows, columns = w.shape
    x = u / max(float(np.sqrt(np.sum(u**2))), 1e-7)
    if rows > columns:
        x = x.T
    for _ in range(5):
        a = x @ x.T
        b = -4.7750 * a + 2.0315 * a @ a
        x = 3.4445 * x + b @ x
    if rows > columns:
        x = x.T
    size = {
        "original": math.sqrt(max(1.0, columns / rows)),  # fan_out / fan_in
        "match_rms": 0.2 * math.sqrt(max(rows, columns)),
    }[scale]
    return w - learning_rate * size * x
