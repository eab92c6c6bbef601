"""The heavy ball. Polyak, 1964: x_{t+1} = x_t - a g + b (x_t - x_{t-1}); with a velocity in PyTorch's form."""

from typing import Any

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 1.5e-15  # PyTorch
LEARNING_RATE = 0.01
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 0.1, "momentum": 0.5},
    {"learning_rate": 0.05, "momentum": 0.99},
    {"learning_rate": 0.3, "momentum": 0.0},
    {"learning_rate": 0.1, "rate_decay": 0.97},
    {"learning_rate": 0.1, "rate_decay": 0.97, "rate_in_buffer": True},
    {"nesterov": True},
]
PEERS = [
    Peer("torch.optim.SGD", {"learning_rate": 0.01, "momentum": 0.9}, {"momentum": 0.9}),
    Peer("torch.optim.SGD", {"learning_rate": 0.1, "momentum": 0.5, "rate_decay": 0.97}, {"momentum": 0.5}),
    Peer(
        "keras.optimizers.SGD",
        {"learning_rate": 0.05, "momentum": 0.95, "rate_decay": 0.97, "rate_in_buffer": True},
        {"momentum": 0.95},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    momentum: float = 0.9,
    nesterov: bool = False,
    rate_in_buffer: bool = False,
) -> Leaf:
    if rate_in_buffer:
        previous = state.get("x", x)
        state["x"] = x
        return x - learning_rate * g + momentum * (x - previous)
    m = state["m"] = momentum * state["m"] + g if t > 1 else g
    return x - learning_rate * (g + momentum * m if nesterov else m)
