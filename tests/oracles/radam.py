"""RAdam. Liu et al., 2020, arXiv:1908.03265, Algorithm 2; epsilon in PyTorch's place or in optax'."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 3.4e-15  # optax
LEARNING_RATE = 1e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-4},
    {"learning_rate": 0.02, "threshold": 4.0, "eps_hat": False},
    {"learning_rate": 0.05, "b2": 0.9, "eps": 1e-2, "eps_hat": False, "rate_decay": 0.98},
    {"learning_rate": 0.05, "b1": 0.95, "b2": 0.98, "eps": 1e-3, "threshold": 10.0},
    {"learning_rate": 0.01, "b2": 0.5},
]
PEERS = [
    Peer(
        "torch.optim.RAdam",
        {"learning_rate": 0.01, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "threshold": 5.0},
        {"betas": [0.9, 0.999], "eps": 1e-08},
    ),
    Peer(
        "torch.optim.RAdam",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.9, "eps": 0.01, "threshold": 5.0, "rate_decay": 0.98},
        {"betas": [0.5, 0.9], "eps": 0.01},
    ),
    Peer(
        "optax.radam",
        {
            "learning_rate": 0.02,
            "b1": 0.9,
            "b2": 0.98,
            "eps": 0.001,
            "threshold": 10.0,
            "eps_hat": False,
            "rate_decay": 0.98,
        },
        {"b1": 0.9, "b2": 0.98, "eps": 0.001, "threshold": 10.0},
    ),
    Peer(
        "optax.radam",
        {"learning_rate": 0.02, "b1": 0.9, "b2": 0.999, "eps": 1e-08, "threshold": 5.0, "eps_hat": False},
        {"b1": 0.9, "b2": 0.999, "eps": 1e-08, "threshold": 5.0},
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
    b2: float = 0.999,
    eps: float = 1e-8,
    threshold: float = 5.0,
    eps_hat: bool = True,
) -> Leaf:
    m = state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    v = state["v"] = b2 * state.get("v", 0.0) + (1 - b2) * g**2
    m_hat = m / one_minus_power(b1, t)
    beta = Fraction(b2)  # exact: rho is a small difference of large numbers
    rho_infinity = 2 / (1 - beta) - 1
    rho = rho_infinity - 2 * t * beta**t / (1 - beta**t)
    if rho <= threshold:  # the variance is not tractable
        return theta - learning_rate * m_hat
    r = math.sqrt((rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho))
    c2 = one_minus_power(b2, t)
    adaptive = math.sqrt(c2) / (np.sqrt(v) + eps) if eps_hat else 1 / (np.sqrt(v / c2) + eps)
    return theta - learning_rate * r * m_hat * adaptive
