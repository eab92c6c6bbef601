"""Fromage. Bernstein et al., 2020, arXiv:2002.03432, Algorithm 1."""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 6.3e-13  # optax, in which 1 / sqrt(1 + rate^2) - 1 cancels
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1},
    {"learning_rate": 0.3, "rate_decay": 0.98},
    {"learning_rate": 0.03, "rate_decay": 0.99},
]
PEERS = [
    Peer("pytorch_optimizer.Fromage", {"learning_rate": 0.01}, {"foreach": False}),
    Peer("optax.fromage", {"learning_rate": 0.1}, {"min_norm": 1e-12}),
    Peer("pytorch_optimizer.Fromage", {"learning_rate": 0.3, "rate_decay": 0.98}, {"foreach": False}),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
) -> Leaf:
    w_norm, g_norm = np.sqrt(np.sum(w**2)), np.sqrt(np.sum(g**2))
    step = w_norm / g_norm * g if w_norm > 0 and g_norm > 0 else 0.0
    return (w - learning_rate * step) / math.sqrt(1 + learning_rate**2)
