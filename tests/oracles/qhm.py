"""QHM. Ma & Yarats, 2019, arXiv:1810.06801, equations 3 and 4."""

from typing import Any

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 1.5e-15  # torch-optimizer, pytorch_optimizer
LEARNING_RATE = 0.1
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.3, "momentum": 0.9},
    {"learning_rate": 0.2, "momentum": 0.99, "nu": 0.9},
    {"learning_rate": 0.5, "momentum": 0.95, "nu": 1.0, "rate_decay": 0.98},
    {"learning_rate": 0.2, "momentum": 0.8, "nu": 0.3},
]
PEERS = [
    Peer(
        "torch_optimizer.QHM",
        {"learning_rate": 0.1, "momentum": 0.999, "nu": 0.7},
        {"momentum": 0.999, "nu": 0.7, "weight_decay": 0.0},
    ),
    Peer(
        "pytorch_optimizer.QHM",
        {"learning_rate": 0.5, "momentum": 0.95, "nu": 0.9, "rate_decay": 0.98},
        {"momentum": 0.95, "nu": 0.9, "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "torch_optimizer.QHM",
        {"learning_rate": 0.2, "momentum": 0.8, "nu": 0.3, "rate_decay": 0.99},
        {"momentum": 0.8, "nu": 0.3, "weight_decay": 0.0},
    ),
]


@per_leaf
def step(
    t: int,
    theta: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.999,
    nu: float = 0.7,
) -> Leaf:
    buffer = state["buffer"] = momentum * state.get("buffer", 0.0) + (1 - momentum) * g
    return theta - learning_rate * ((1 - nu) * g + nu * buffer)
