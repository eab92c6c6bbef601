"""Schedule-Free AdamW. Defazio et al., 2024, arXiv:2405.15682, Algorithm 1; evaluated at x, trained at y.

As in the authors' package, the second moment is corrected inside the root and the weights are a power of the largest
learning rate so far. Means are written a + w (b - a), which leaves alone what does not move.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer, one_minus_power

ERROR = 3.2e-14  # schedulefree; optax 3.3e-15
LEARNING_RATE = 2.5e-3
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.05, "beta": 0.5, "b2": 0.99, "eps": 1e-3, "rate_decay": 0.98},
    {"learning_rate": 0.02, "beta": 0.98, "weight_decay": 0.1, "rate_decay": 1.01},
    {"learning_rate": 0.02, "weight_decay": 0.5, "weight_lr_power": 1.0, "rate_decay": 1.01},
    {"learning_rate": 0.03, "beta": 0.8, "b2": 0.9, "weight_lr_power": 0.0, "rate_decay": 1.01},
]
PEERS = [
    Peer(
        "schedulefree.AdamWScheduleFree",
        {"learning_rate": 0.01, "beta": 0.9, "b2": 0.999, "eps": 1e-08, "weight_decay": 0.0, "weight_lr_power": 2.0},
        {
            "betas": [0.9, 0.999],
            "eps": 1e-08,
            "weight_decay": 0.0,
            "warmup_steps": 0,
            "r": 0.0,
            "weight_lr_power": 2.0,
            "foreach": False,
        },
    ),
    Peer(
        "schedulefree.AdamWScheduleFree",
        {
            "learning_rate": 0.02,
            "beta": 0.8,
            "b2": 0.99,
            "eps": 0.001,
            "weight_decay": 0.5,
            "weight_lr_power": 1.0,
            "rate_decay": 1.01,
        },
        {
            "betas": [0.8, 0.99],
            "eps": 0.001,
            "weight_decay": 0.5,
            "warmup_steps": 0,
            "r": 0.0,
            "weight_lr_power": 1.0,
            "foreach": False,
        },
    ),
    Peer(
        "optax.contrib.schedule_free_adamw",
        {
            "learning_rate": 0.05,
            "beta": 0.5,
            "b2": 0.99,
            "eps": 0.001,
            "weight_decay": 0.1,
            "weight_lr_power": 2.0,
            "rate_decay": 0.98,
        },
        {"b1": 0.5, "b2": 0.99, "eps": 0.001, "warmup_steps": None, "weight_decay": 0.1, "weight_lr_power": 2.0},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    beta: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    weight_lr_power: float = 2.0,
) -> Leaves:
    y = params
    if t == 1:
        state["z"] = state["evaluated"] = params
        state["v"] = {k: np.zeros_like(p) for k, p in params.items()}
    v = state["v"] = {k: b2 * state["v"][k] + (1 - b2) * g**2 for k, g in grads.items()}
    v_hat = {k: x / one_minus_power(b2, t) for k, x in v.items()}
    d = {k: g / (np.sqrt(v_hat[k]) + eps) + weight_decay * y[k] for k, g in grads.items()}

    rate_max = state["rate_max"] = max(state.get("rate_max", 0.0), learning_rate)
    weight = rate_max**weight_lr_power
    weight_sum = state["weight_sum"] = state.get("weight_sum", 0.0) + weight
    c = weight / weight_sum
    z = state["z"] = {k: state["z"][k] - learning_rate * d[k] for k in d}
    x = state["evaluated"] = {k: x + c * (z[k] - x) for k, x in state["evaluated"].items()}
    return {k: z[k] + beta * (x[k] - z[k]) for k in z}
