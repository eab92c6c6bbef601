"""DoG. Ivgi et al., 2023, arXiv:2302.12022, equation (DoG): the distance from x_0 over the root of the sum of ||g||^2.

As in the authors' package, r_0 is relative to the size of x_0 and the sum starts at init_eps; not averaged.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer

ERROR = 3.7e-14  # optax; dog-optimizer 3.2e-15
FLOAT32 = 1e-2  # measured 7.7e-3: from parameters of 0.3 a distance of 1e-6 is good to a few hundredths
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.5, "reps_rel": 1e-2},
    {"reps_rel": 0.1, "init_eps": 1e3},
    {"learning_rate": 2.0, "reps_rel": 1e-3, "init_eps": 10.0, "rate_decay": 0.99},
    {"reps_rel": 0.03, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "dog.DoG",
        {"learning_rate": 1.0, "reps_rel": 0.01, "init_eps": 1e-08},
        {"reps_rel": 0.01, "eps": 1e-08, "init_eta": None, "weight_decay": 0.0},
    ),
    Peer(
        "dog.DoG",
        {"learning_rate": 0.5, "reps_rel": 0.1, "init_eps": 10.0, "rate_decay": 0.99},
        {"reps_rel": 0.1, "eps": 10.0, "init_eta": None, "weight_decay": 0.0},
    ),
    Peer(
        "optax.contrib.dog",
        {"learning_rate": 2.0, "reps_rel": 0.01, "init_eps": 1.0, "rate_decay": 0.98},
        {"init_step": ["heuristic", 0.01], "eps": 1.0, "weight_decay": None},
    ),
    Peer(
        "optax.contrib.dog",
        {"learning_rate": 1.0, "reps_rel": 1e-06, "init_eps": 1e-08},
        {"init_step": ["heuristic", 1e-06], "eps": 1e-08, "weight_decay": None},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    reps_rel: float = 1e-6,
    init_eps: float = 1e-8,
) -> Leaves:
    if t == 1:
        state["x0"] = params
        state["r"] = reps_rel * (1 + np.sqrt(sum(np.sum(p**2) for p in params.values())))
        state["G"] = init_eps
    x0 = state["x0"]
    r = state["r"] = max(state["r"], np.sqrt(sum(np.sum((p - x0[k]) ** 2) for k, p in params.items())))
    total = state["G"] = state["G"] + sum(np.sum(g**2) for g in grads.values())
    eta = learning_rate * r / np.sqrt(total)
    return {k: p - eta * grads[k] for k, p in params.items()}
