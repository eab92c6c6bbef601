"""Ranger: Lookahead (Zhang et al., 2019, arXiv:1907.08610, Algorithm 1) around RAdam; evaluated at the slow weights.

RAdam is Liu et al., 2020, arXiv:1908.03265, Algorithm 2, with epsilon in PyTorch's place or in optax'.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer, one_minus_power

ERROR = 1.1e-14  # pytorch_optimizer's Lookahead around PyTorch's RAdam; its Ranger 9.1e-15, optax 1.7e-15
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-3},
    {"learning_rate": 0.02, "sync_period": 5, "slow_step_size": 0.8, "rate_decay": 0.98},
    {"learning_rate": 0.05, "sync_period": 1, "slow_step_size": 0.3, "b1": 0.95},
    {"learning_rate": 0.02, "sync_period": 7, "slow_step_size": 1.0, "b2": 0.9},
    {"learning_rate": 0.05, "b2": 0.98, "eps": 1e-2, "threshold": 10.0, "eps_hat": False},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Lookahead",
        {
            "learning_rate": 0.01,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-08,
            "threshold": 5.0,
            "sync_period": 6,
            "slow_step_size": 0.5,
        },
        {
            "base": ["torch.optim.RAdam", {"betas": [0.9, 0.999], "eps": 1e-08}],
            "k": 6,
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
            "threshold": 5.0,
            "sync_period": 5,
            "slow_step_size": 0.8,
            "rate_decay": 0.98,
        },
        {
            "base": ["torch.optim.RAdam", {"betas": [0.5, 0.99], "eps": 0.001}],
            "k": 5,
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
            "eps": 0.001,
            "threshold": 10.0,
            "eps_hat": False,
            "sync_period": 7,
            "slow_step_size": 0.3,
            "rate_decay": 0.99,
        },
        {
            "base": ["optax.radam", {"b1": 0.95, "b2": 0.99, "eps": 0.001, "eps_root": 0.0, "threshold": 10.0}],
            "sync_period": 7,
            "slow_step_size": 0.3,
            "reset_state": False,
        },
    ),
    Peer(
        "pytorch_optimizer.Ranger",
        {
            "learning_rate": 0.02,
            "b1": 0.95,
            "b2": 0.999,
            "eps": 1e-05,
            "threshold": 5.0,
            "sync_period": 6,
            "slow_step_size": 0.5,
            "rate_decay": 0.99,
        },
        {
            "betas": [0.95, 0.999],
            "eps": 1e-05,
            "k": 6,
            "alpha": 0.5,
            "n_sma_threshold": 5,
            "degenerated_to_sgd": True,
            "use_gc": False,
            "foreach": False,
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
    threshold: float = 5.0,
    eps_hat: bool = True,
    sync_period: int = 6,
    slow_step_size: float = 0.5,
) -> Leaves:
    if t == 1:
        state["m"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["v"] = {k: np.zeros_like(p) for k, p in params.items()}
        state["evaluated"] = params

    beta = Fraction(b2)  # exact: rho is a small difference of large numbers
    rho_infinity = 2 / (1 - beta) - 1
    rho = rho_infinity - 2 * t * beta**t / (1 - beta**t)
    fast = {}
    for k, g in grads.items():
        m = state["m"][k] = b1 * state["m"][k] + (1 - b1) * g
        v = state["v"][k] = b2 * state["v"][k] + (1 - b2) * g**2
        m_hat = m / one_minus_power(b1, t)
        if rho > threshold:  # the variance is tractable
            r = math.sqrt((rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho))
            c2 = one_minus_power(b2, t)
            adaptive = math.sqrt(c2) / (np.sqrt(v) + eps) if eps_hat else 1 / (np.sqrt(v / c2) + eps)
            fast[k] = params[k] - learning_rate * r * m_hat * adaptive
        else:
            fast[k] = params[k] - learning_rate * m_hat
    if t % sync_period == 0:
        slow = state["evaluated"]
        fast = state["evaluated"] = {k: slow[k] + slow_step_size * (fast[k] - slow[k]) for k in slow}
    return fast
