"""Lookahead around Adam. Zhang et al., 2019, arXiv:1907.08610, Algorithm 1; evaluated at the slow weights.

The inner rule is Adam, Kingma & Ba, 2015, arXiv:1412.6980, Algorithm 1, whose moments the slow step leaves alone.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer, one_minus_power

ERROR = 5.1e-15  # pytorch_optimizer; optax 1.9e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "sync_period": 6, "slow_step_size": 0.8, "rate_decay": 0.98},
    {"learning_rate": 0.05, "sync_period": 1, "slow_step_size": 0.3, "b1": 0.95},
    {"learning_rate": 0.02, "sync_period": 7, "slow_step_size": 1.0, "b2": 0.9},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Lookahead",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "sync_period": 5, "slow_step_size": 0.5},
        {
            "base": ["torch.optim.Adam", {"betas": [0.9, 0.999], "eps": 1e-08}],
            "k": 5,
            "alpha": 0.5,
            "pullback_momentum": "none",
        },
    ),
    Peer(
        "pytorch_optimizer.Lookahead",
        {
            "learning_rate": 0.05,
            "b1": 0.5,
            "b2": 0.99,
            "eps": 0.001,
            "sync_period": 6,
            "slow_step_size": 0.8,
            "rate_decay": 0.98,
        },
        {
            "base": ["torch.optim.Adam", {"betas": [0.5, 0.99], "eps": 0.001}],
            "k": 6,
            "alpha": 0.8,
            "pullback_momentum": "none",
        },
    ),
    Peer(
        "optax.lookahead",
        {
            "learning_rate": 0.02,
            "b1": 0.95,
            "b2": 0.99,
            "eps": 1e-06,
            "sync_period": 7,
            "slow_step_size": 0.3,
            "rate_decay": 0.99,
        },
        {
            "base": ["optax.adam", {"b1": 0.95, "b2": 0.99, "eps": 1e-06}],
            "sync_period": 7,
            "slow_step_size": 0.3,
            "reset_state": False,
        },
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
    sync_period: int = 5,
    slow_step_size: float = 0.5,
) -> Leaves:
    if t == 1:
        state["m"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["v"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["evaluated"] = params
    fast = {}
    for k, g in grads.items():
        m = state["m"][k] = b1 * state["m"][k] + (1 - b1) * g
        v = state["v"][k] = b2 * state["v"][k] + (1 - b2) * g**2
        m_hat = m / one_minus_power(b1, t)
        v_hat = v / one_minus_power(b2, t)
        fast[k] = params[k] - learning_rate * m_hat / (np.sqrt(v_hat) + eps)
    if t % sync_period == 0:
        slow = state["evaluated"]
        fast = state["evaluated"] = {k: slow[k] + slow_step_size * (fast[k] - slow[k]) for k in slow}
    return fast
