"""AMSGrad. Reddi, Kale & Kumar, 2018, arXiv:1904.09237, Algorithm 2; with PyTorch's or optax' bias correction."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 4.5e-15  # optax
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "b2": 0.9, "rate_decay": 0.98},
    {"learning_rate": 0.02, "bias_correction": True},
    {"learning_rate": 0.05, "b1": 0.8, "b2": 0.95, "eps": 1e-2, "bias_correction": True},
    {"learning_rate": 0.02, "bias_correction": True, "max_corrected": True},
    {"learning_rate": 0.05, "b1": 0.8, "b2": 0.95, "eps": 1e-2, "bias_correction": True, "max_corrected": True},
]
PEERS = [
    Peer(
        "optax.amsgrad",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08},
        {"b1": 0.9, "b2": 0.999, "eps": 1e-08, "bias_correction_mu": False, "bias_correction_nu": False},
    ),
    Peer(
        "torch.optim.Adam",
        {"learning_rate": 0.05, "b1": 0.8, "b2": 0.9, "eps": 0.001, "bias_correction": True, "rate_decay": 0.98},
        {"betas": [0.8, 0.9], "eps": 0.001, "amsgrad": True},
    ),
    Peer(
        "torch.optim.Adam",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "bias_correction": True},
        {"betas": [0.9, 0.999], "eps": 1e-08, "amsgrad": True},
    ),
    Peer(
        "optax.amsgrad",
        {
            "learning_rate": 0.05,
            "b1": 0.8,
            "b2": 0.95,
            "eps": 0.01,
            "bias_correction": True,
            "max_corrected": True,
            "rate_decay": 0.98,
        },
        {"b1": 0.8, "b2": 0.95, "eps": 0.01, "bias_correction_mu": True, "bias_correction_nu": True},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    bias_correction: bool = False,
    max_corrected: bool = False,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    c1, c2 = (one_minus_power(b1, t), one_minus_power(b2, t)) if bias_correction else (1.0, 1.0)
    before, after = (c2, 1.0) if max_corrected else (1.0, c2)
    v_max = state["v_max"] = np.maximum(state.get("v_max", 0.0), v / before)
    return x - learning_rate * (m / c1) / (np.sqrt(v_max / after) + eps)
