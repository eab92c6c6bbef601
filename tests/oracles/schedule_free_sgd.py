"""Schedule-Free SGD. Defazio et al., 2024, arXiv:2405.15682, equations (4)-(6); evaluated at x, trained at y.

With the authors' weights, a power of the largest learning rate so far. Means are written a + w (b - a), which leaves
alone what does not move.
"""

from typing import Any

from tests.gradients import Leaves
from tests.oracles import Peer

ERROR = 6.4e-15  # schedulefree; optax 2.2e-15
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.3, "beta": 0.5, "rate_decay": 0.98},
    {"learning_rate": 0.1, "beta": 0.98, "rate_decay": 1.01},
    {"learning_rate": 0.1, "beta": 0.8, "weight_lr_power": 1.0, "rate_decay": 1.01},
    {"learning_rate": 0.05, "weight_lr_power": 0.0, "rate_decay": 1.01},
]
PEERS = [
    Peer(
        "schedulefree.SGDScheduleFree",
        {"learning_rate": 1.0, "beta": 0.9, "weight_lr_power": 2.0},
        {"momentum": 0.9, "weight_decay": 0.0, "warmup_steps": 0, "r": 0.0, "weight_lr_power": 2.0, "foreach": False},
    ),
    Peer(
        "schedulefree.SGDScheduleFree",
        {"learning_rate": 0.1, "beta": 0.8, "weight_lr_power": 1.0, "rate_decay": 1.01},
        {"momentum": 0.8, "weight_decay": 0.0, "warmup_steps": 0, "r": 0.0, "weight_lr_power": 1.0, "foreach": False},
    ),
    Peer(
        "optax.contrib.schedule_free_sgd",
        {"learning_rate": 0.3, "beta": 0.5, "weight_lr_power": 2.0, "rate_decay": 0.98},
        {"b1": 0.5, "warmup_steps": None, "weight_decay": None, "weight_lr_power": 2.0},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    beta: float = 0.9,
    weight_lr_power: float = 2.0,
) -> Leaves:
    z = state.get("z", params)
    x = state.get("evaluated", params)
    rate_max = state["rate_max"] = max(state.get("rate_max", 0.0), learning_rate)
    weight = rate_max**weight_lr_power
    weight_sum = state["weight_sum"] = state.get("weight_sum", 0.0) + weight
    c = weight / weight_sum
    z = state["z"] = {k: z[k] - learning_rate * g for k, g in grads.items()}
    x = state["evaluated"] = {k: x[k] + c * (z[k] - x[k]) for k in z}
    return {k: z[k] + beta * (x[k] - z[k]) for k in z}
