"""AggMo. Lucas et al., 2019, arXiv:1804.00325, equation (3), with three velocities."""

from typing import Any

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 4.6e-15  # pytorch_optimizer; torch-optimizer 1.8e-15
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "b1": 0.5, "b2": 0.8, "b3": 0.95},
    {"learning_rate": 0.03, "b3": 0.999},
    {"learning_rate": 0.1, "b1": 0.3, "rate_decay": 0.98},
    {"learning_rate": 0.3, "b2": 0.0, "b3": 0.0},
]
PEERS = [
    Peer(
        "pytorch_optimizer.AggMo",
        {"learning_rate": 0.01, "b1": 0.0, "b2": 0.9, "b3": 0.99},
        {"betas": [0.0, 0.9, 0.99], "weight_decay": 0.0, "foreach": False},
    ),
    Peer(
        "torch_optimizer.AggMo",
        {"learning_rate": 0.1, "b1": 0.5, "b2": 0.8, "b3": 0.95, "rate_decay": 0.98},
        {"betas": [0.5, 0.8, 0.95], "weight_decay": 0.0},
    ),
]


@per_leaf
def step(
    t: int,
    theta: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    b1: float = 0.0,
    b2: float = 0.9,
    b3: float = 0.99,
) -> Leaf:
    v1 = state["v1"] = b1 * state.get("v1", 0.0) + g
    v2 = state["v2"] = b2 * state.get("v2", 0.0) + g
    v3 = state["v3"] = b3 * state.get("v3", 0.0) + g
    return theta - learning_rate / 3 * (v1 + v2 + v3)
