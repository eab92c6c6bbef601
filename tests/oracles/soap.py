"""SOAP. Vyas et al., 2024, arXiv:2409.11321, Algorithms 3 and 4, without weight decay.

As in the authors' code: the first step only builds the bases, so that Adam's count is t - 1, and epsilon is outside the
root, before the correction. Leaves that are no matrices have no basis: Adam in the same form, from the second step on.
"""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, one_minus_power, per_leaf

ERROR = 2.6e-14  # pytorch_optimizer, QR in float64
ELEMENTWISE = False
LEARNING_RATE = 3e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.02, "b1": 0.8, "b2": 0.99, "eps": 1e-3, "precondition_frequency": 1},
    {"learning_rate": 0.03, "precondition_frequency": 7, "rate_decay": 0.98},
    {"learning_rate": 0.01, "b1": 0.0, "b2": 0.9, "precondition_frequency": 3},
    {"learning_rate": 0.02, "b1": 0.9, "b2": 0.98, "eps": 1e-2, "precondition_frequency": 50},
]
PEERS = [
    Peer(
        "pytorch_optimizer.SOAP",
        {"learning_rate": 0.01, "b1": 0.95, "b2": 0.95, "eps": 1e-08, "precondition_frequency": 10},
        {
            "betas": [0.95, 0.95],
            "eps": 1e-08,
            "precondition_frequency": 10,
            "shampoo_beta": None,
            "weight_decay": 0.0,
            "max_precondition_dim": 10000,
            "merge_dims": False,
            "precondition_1d": False,
            "correct_bias": True,
            "normalize_gradient": False,
        },
    ),
    Peer(
        "pytorch_optimizer.SOAP",
        {"learning_rate": 0.03, "b1": 0.8, "b2": 0.99, "eps": 0.001, "precondition_frequency": 3, "rate_decay": 0.98},
        {
            "betas": [0.8, 0.99],
            "eps": 0.001,
            "precondition_frequency": 3,
            "shampoo_beta": None,
            "weight_decay": 0.0,
            "max_precondition_dim": 10000,
            "merge_dims": False,
            "precondition_1d": False,
            "correct_bias": True,
            "normalize_gradient": False,
        },
    ),
]
PROBLEM = "square"


@per_leaf
def step(
    t: int,
    w: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.95,
    b2: float = 0.95,
    eps: float = 1e-8,
    precondition_frequency: int = 10,
) -> Leaf:
    if t == 1:
        state["m"], state["v"] = np.zeros_like(w), np.zeros_like(w)
        if w.ndim == 2:
            state["l"], state["r"] = (1 - b2) * g @ g.T, (1 - b2) * g.T @ g
            state["ql"] = np.linalg.eigh(state["l"])[1][:, ::-1]  # the largest eigenvalue first
            state["qr"] = np.linalg.eigh(state["r"])[1][:, ::-1]
        return w

    k = t - 1
    alpha = learning_rate * math.sqrt(one_minus_power(b2, k)) / one_minus_power(b1, k)
    m = state["m"] = b1 * state["m"] + (1 - b1) * g
    if w.ndim != 2:
        v = state["v"] = b2 * state["v"] + (1 - b2) * g**2
        return w - alpha * m / (np.sqrt(v) + eps)

    ql, qr = state["ql"], state["qr"]
    g_rotated = ql.T @ g @ qr
    m_rotated = ql.T @ m @ qr
    v = state["v"] = b2 * state["v"] + (1 - b2) * g_rotated**2
    n_rotated = m_rotated / (np.sqrt(v) + eps)
    w = w - alpha * ql @ n_rotated @ qr.T

    left = state["l"] = b2 * state["l"] + (1 - b2) * g @ g.T
    right = state["r"] = b2 * state["r"] + (1 - b2) * g.T @ g
    if k % precondition_frequency == 0:
        # One power iteration, on the columns in the order of their Rayleigh quotients; v's axes follow.
        rows = np.argsort(-np.diag(ql.T @ left @ ql), kind="stable")
        columns = np.argsort(-np.diag(qr.T @ right @ qr), kind="stable")
        state["v"] = v[rows][:, columns]
        state["ql"] = np.linalg.qr(left @ ql[:, rows])[0]
        state["qr"] = np.linalg.qr(right @ qr[:, columns])[0]
    return w
