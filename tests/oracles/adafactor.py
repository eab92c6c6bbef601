"""Adafactor. Shazeer & Stern, 2018, arXiv:1804.04235, Algorithms 4 and 5 with the settings of Algorithm 6."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 9.6e-15  # PyTorch; pytorch_optimizer, cap_rate=False, 3.0e-15
LEARNING_RATE = 1e-2
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "decay_rate": 0.7},
    {"learning_rate": 0.03, "eps1": 1e-2, "eps2": 1.0, "clip_threshold": 0.5},
    {"learning_rate": 0.05, "scale_by_parameter": False, "rate_decay": 0.98},
    {"learning_rate": 0.1, "decay_rate": 0.9, "clip_threshold": 2.0, "eps2": 0.5, "cap_rate": False},
    {"learning_rate": 0.2, "eps1": 1e-3, "scale_by_parameter": False, "cap_rate": False},
]
PEERS = [
    Peer(
        "torch.optim.Adafactor",
        {"learning_rate": 0.05, "decay_rate": 0.8, "eps1": 1e-30, "eps2": 0.001, "clip_threshold": 1.0},
        {"beta2_decay": -0.8, "eps": [1e-15, 0.001], "d": 1.0, "weight_decay": 0.0},
    ),
    Peer(
        "torch.optim.Adafactor",
        {
            "learning_rate": 0.2,
            "decay_rate": 0.7,
            "eps1": 1e-30,
            "eps2": 0.5,
            "clip_threshold": 1.5,
            "rate_decay": 0.99,
        },
        {"beta2_decay": -0.7, "eps": [1e-15, 0.5], "d": 1.5, "weight_decay": 0.0},
    ),
    Peer(
        "pytorch_optimizer.AdaFactor",
        {
            "learning_rate": 0.02,
            "decay_rate": 0.8,
            "eps1": 1e-30,
            "eps2": 0.001,
            "clip_threshold": 1.0,
            "cap_rate": False,
        },
        {
            "betas": [None, 0.9999],
            "decay_rate": -0.8,
            "eps1": 1e-30,
            "eps2": 0.001,
            "clip_threshold": 1.0,
            "scale_parameter": True,
            "relative_step": False,
            "warmup_init": False,
            "weight_decay": 0.0,
            "foreach": False,
        },
    ),
    Peer(
        "pytorch_optimizer.AdaFactor",
        {
            "learning_rate": 0.05,
            "decay_rate": 0.9,
            "eps1": 0.001,
            "clip_threshold": 2.0,
            "scale_by_parameter": False,
            "cap_rate": False,
            "rate_decay": 0.98,
        },
        {
            "betas": [None, 0.9999],
            "decay_rate": -0.9,
            "eps1": 0.001,
            "clip_threshold": 2.0,
            "scale_parameter": False,
            "relative_step": False,
            "warmup_init": False,
            "weight_decay": 0.0,
            "foreach": False,
        },
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    decay_rate: float = 0.8,
    eps1: float = 1e-30,
    eps2: float = 1e-3,
    clip_threshold: float = 1.0,
    scale_by_parameter: bool = True,
    cap_rate: bool = True,
) -> Leaf:
    rho = min(learning_rate, 1 / math.sqrt(t)) if cap_rate else learning_rate
    alpha = max(eps2, np.sqrt(np.mean(x**2))) * rho if scale_by_parameter else rho
    beta2 = 1 - t**-decay_rate
    square = g**2 + eps1
    if x.ndim == 2:
        r = state["r"] = beta2 * state.get("r", 0.0) + (1 - beta2) * np.sum(square, axis=1)
        c = state["c"] = beta2 * state.get("c", 0.0) + (1 - beta2) * np.sum(square, axis=0)
        v = np.outer(r, c) / np.sum(r)
    else:
        v = state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * square
    u = g / np.sqrt(v)
    u_hat = u / max(1.0, np.sqrt(np.mean(u**2)) / clip_threshold)
    return x - alpha * u_hat
