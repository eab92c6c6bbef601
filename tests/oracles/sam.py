"""SAM around the heavy ball. Foret et al., 2021, arXiv:2010.01412, Algorithm 1 with p = 2.

The norm is that of the whole gradient, plus 1e-12 as in the authors' code; the base step is momentum in PyTorch's form.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaves, Loss
from tests.oracles import Peer

ERROR = 4e-15  # optax
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "momentum": 0.5, "rho": 1.0},
    {"learning_rate": 0.05, "momentum": 0.98, "rho": 0.5},
    {"learning_rate": 0.3, "momentum": 0.0, "rho": 0.2},
    {"learning_rate": 0.1, "rho": 3.0, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "optax.contrib.sam",
        {"learning_rate": 0.01, "momentum": 0.9, "rho": 0.05},
        {"base": ["optax.sgd", {"momentum": 0.9}], "rho": 0.05},
    ),
    Peer(
        "optax.contrib.sam",
        {"learning_rate": 0.1, "momentum": 0.5, "rho": 1.0, "rate_decay": 0.98},
        {"base": ["optax.sgd", {"momentum": 0.5}], "rho": 1.0},
    ),
    Peer(
        "pytorch_optimizer.SAM",
        {"learning_rate": 0.05, "momentum": 0.9, "rho": 0.5, "rate_decay": 0.98},
        {
            "base": ["torch.optim.SGD", {"momentum": 0.9}],
            "rho": 0.5,
            "adaptive": False,
            "use_gc": False,
            "perturb_eps": 1e-12,
            "foreach": False,
        },
        error=8.2e-10,
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    loss: Loss,
    learning_rate: float,
    momentum: float = 0.9,
    rho: float = 0.05,
) -> Leaves:
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    epsilon_hat = {k: rho * g / (norm + 1e-12) for k, g in grads.items()}
    g_sam = loss.grad({k: p + epsilon_hat[k] for k, p in params.items()})
    m = state["m"] = {k: momentum * state["m"][k] + g for k, g in g_sam.items()} if t > 1 else g_sam
    return {k: p - learning_rate * m[k] for k, p in params.items()}
