"""DoWG. Khaled et al., 2023, arXiv:2305.16284, Algorithm 1, with the authors' epsilon beside the root."""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer

ERROR = 2.8e-15  # optax
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.5, "init_estim_sq_dist": 1e-2},
    {"init_estim_sq_dist": 0.1, "eps": 10.0},
    {"learning_rate": 2.0, "init_estim_sq_dist": 1e-3, "eps": 0.1, "rate_decay": 0.99},
    {"init_estim_sq_dist": 0.3, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "optax.contrib.dowg",
        {"learning_rate": 1.0, "init_estim_sq_dist": 0.0001, "eps": 0.0001},
        {"init_estim_sq_dist": 0.0001, "eps": 0.0001, "weight_decay": None},
    ),
    Peer(
        "optax.contrib.dowg",
        {"learning_rate": 0.5, "init_estim_sq_dist": 0.1, "eps": 10.0, "rate_decay": 0.98},
        {"init_estim_sq_dist": 0.1, "eps": 10.0, "weight_decay": None},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    init_estim_sq_dist: float = 1e-4,
    eps: float = 1e-4,
) -> Leaves:
    if t == 1:
        state["x0"], state["r2"], state["v"] = params, init_estim_sq_dist, 0.0
    x0 = state["x0"]
    r2 = state["r2"] = max(state["r2"], sum(np.sum((p - x0[k]) ** 2) for k, p in params.items()))
    v = state["v"] = state["v"] + r2 * sum(np.sum(g**2) for g in grads.values())
    eta = learning_rate * r2 / (np.sqrt(v) + eps)
    return {k: p - eta * grads[k] for k, p in params.items()}
