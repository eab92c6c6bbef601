"""Shampoo. Gupta et al., 2018, arXiv:1802.09568, Algorithm 1; a vector by Algorithm 2 with k = 1, a scalar by SGD."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 2.5e-13  # pytorch_optimizer
ELEMENTWISE = False
FLOAT32 = 3e-4  # measured 1.0e-4, in the first steps: inverse roots of nearly singular matrices
LEARNING_RATE = 0.1
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.5, "eps": 1.0},
    {"learning_rate": 0.1, "momentum": 0.9, "eps": 1e-2},
    {"learning_rate": 0.3, "momentum": 0.5, "eps": 0.1, "rate_decay": 0.98},
    {"learning_rate": 1.0, "eps": 10.0},
]
PEERS = [
    Peer(
        "pytorch_optimizer.Shampoo",
        {"learning_rate": 0.1, "eps": 0.0001, "momentum": 0.0},
        {"matrix_eps": 0.0001, "momentum": 0.0, "weight_decay": 0.0, "preconditioning_compute_steps": 1},
    ),
    Peer(
        "pytorch_optimizer.Shampoo",
        {"learning_rate": 0.5, "eps": 1.0, "momentum": 0.0, "rate_decay": 0.98},
        {"matrix_eps": 1.0, "momentum": 0.0, "weight_decay": 0.0, "preconditioning_compute_steps": 1},
    ),
]


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    eps: float = 1e-4,
    momentum: float = 0.0,
) -> Leaf:
    def power(symmetric: Leaf, exponent: float) -> Leaf:
        values, vectors = np.linalg.eigh(symmetric)
        return np.asarray(vectors * values**exponent @ vectors.T)

    if t == 1:
        state["v"] = np.zeros_like(w)
        if w.ndim > 0:
            state["l"] = eps * np.eye(w.shape[0])
        if w.ndim > 1:
            state["r"] = eps * np.eye(w.shape[1])
    if w.ndim == 2:
        left = state["l"] = state["l"] + g @ g.T
        right = state["r"] = state["r"] + g.T @ g
        preconditioned = power(left, -1 / 4) @ g @ power(right, -1 / 4)
    elif w.ndim == 1:
        left = state["l"] = state["l"] + np.outer(g, g)
        preconditioned = power(left, -1 / 2) @ g
    else:
        preconditioned = g
    v = state["v"] = momentum * state["v"] + preconditioned
    return w - learning_rate * v
