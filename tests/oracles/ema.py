"""Exponential averaging of Adam's parameters (Polyak & Juditsky, 1992, with weights that decay), evaluated there.

The average starts at p_1; with debias it starts at 0 and is divided by 1 - d^t as Adam's moments are. The inner rule
is Adam, Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer, one_minus_power

ERROR = 2e-14  # PyTorch's AveragedModel; optax 1.7e-14
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3, "ema_decay": 0.9},
    {"learning_rate": 0.02, "debias": True},
    {"learning_rate": 0.05, "b1": 0.95, "ema_decay": 0.98, "debias": True, "rate_decay": 0.98},
    {"learning_rate": 0.02, "b2": 0.9, "ema_decay": 0.0},
]
ROUNDINGS = 20  # an average over a thousand steps keeps the rounding of each
PEERS = [
    Peer(
        "torch.optim.swa_utils.AveragedModel",
        {"learning_rate": 0.02, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "ema_decay": 0.99},
        {"base": ["torch.optim.Adam", {"betas": [0.9, 0.999], "eps": 1e-08}], "decay": 0.99, "start": 0},
    ),
    Peer(
        "torch.optim.swa_utils.AveragedModel",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 0.001, "ema_decay": 0.9, "rate_decay": 0.98},
        {"base": ["torch.optim.Adam", {"betas": [0.5, 0.99], "eps": 0.001}], "decay": 0.9, "start": 0},
    ),
    Peer(
        "optax.ema",
        {
            "learning_rate": 0.02,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-08,
            "ema_decay": 0.5,
            "debias": True,
            "rate_decay": 0.99,
        },
        {"base": ["optax.adam", {"b1": 0.9, "b2": 0.999, "eps": 1e-08}], "decay": 0.5, "debias": True},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    ema_decay: float = 0.999,
    debias: bool = False,
) -> Leaves:
    if t == 1:
        state["m"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["v"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["sum"] = {k: np.zeros_like(p) for k, p in params.items()}
    new = {}
    for k, g in grads.items():
        m = state["m"][k] = b1 * state["m"][k] + (1 - b1) * g
        v = state["v"][k] = b2 * state["v"][k] + (1 - b2) * g**2
        m_hat = m / one_minus_power(b1, t)
        v_hat = v / one_minus_power(b2, t)
        new[k] = params[k] - learning_rate * m_hat / (np.sqrt(v_hat) + eps)

    if debias:
        state["sum"] = {k: ema_decay * state["sum"][k] + (1 - ema_decay) * p for k, p in new.items()}
        state["evaluated"] = {k: s / one_minus_power(ema_decay, t) for k, s in state["sum"].items()}
    elif t == 1:
        state["evaluated"] = new
    else:
        average = state["evaluated"]
        state["evaluated"] = {k: ema_decay * average[k] + (1 - ema_decay) * p for k, p in new.items()}
    return new
