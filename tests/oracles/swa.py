"""SWA: the mean of the heavy ball's parameters, evaluated there. Izmailov et al., 2018, arXiv:1803.05407, Algorithm 1.

With a cycle of one step; from step burn_in + 1 on, before it the parameters themselves. Momentum in PyTorch's form.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer

ERROR = 1e-15  # PyTorch's AveragedModel
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "momentum": 0.5, "burn_in": 100},
    {"learning_rate": 0.05, "momentum": 0.98, "burn_in": 1},
    {"learning_rate": 0.3, "momentum": 0.0},
    {"learning_rate": 0.1, "burn_in": 20, "rate_decay": 0.98},
    {"learning_rate": 0.05, "burn_in": 1000},
]
PEERS = [
    Peer(
        "torch.optim.swa_utils.AveragedModel",
        {"learning_rate": 0.05, "momentum": 0.9, "burn_in": 0},
        {"base": ["torch.optim.SGD", {"momentum": 0.9}], "start": 0},
    ),
    Peer(
        "torch.optim.swa_utils.AveragedModel",
        {"learning_rate": 0.1, "momentum": 0.5, "burn_in": 50, "rate_decay": 0.98},
        {"base": ["torch.optim.SGD", {"momentum": 0.5}], "start": 50},
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    momentum: float = 0.9,
    burn_in: int = 0,
) -> Leaves:
    m = state["m"] = {k: momentum * state["m"][k] + g for k, g in grads.items()} if t > 1 else grads
    new = {k: p - learning_rate * m[k] for k, p in params.items()}
    if t <= burn_in:
        state["evaluated"] = new
    else:
        collected = state.setdefault("collected", [])
        collected.append(new)
        state["evaluated"] = {k: np.mean([w[k] for w in collected], axis=0) for k in new}
    return new
