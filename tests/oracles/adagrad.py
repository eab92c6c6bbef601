"""AdaGrad with diagonal matrices. Duchi, Hazan & Singer, 2011: H = delta I + diag(G)^1/2, x <- x - eta g / H."""

from typing import Any

import numpy as np

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 7.6e-16  # PyTorch
LEARNING_RATE = 0.1
SETTINGS: list[dict[str, Any]] = [
    {},
    {"learning_rate": 1.0, "initial_accumulator_value": 0.1},
    {"learning_rate": 0.3, "eps": 1e-2},
    {"initial_accumulator_value": 0.1, "eps": 1e-7, "eps_in_sqrt": True},
    {"learning_rate": 0.5, "rate_decay": 0.99},
]
PEERS = [
    Peer("torch.optim.Adagrad", {"learning_rate": 0.1}, {"initial_accumulator_value": 0.0, "eps": 1e-10}),
    Peer(
        "torch.optim.Adagrad",
        {"learning_rate": 1.0, "initial_accumulator_value": 0.5, "eps": 0.001, "rate_decay": 0.99},
        {"initial_accumulator_value": 0.5, "eps": 0.001},
    ),
    Peer(
        "keras.optimizers.Adagrad",
        {"learning_rate": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-07, "eps_in_sqrt": True},
        {"initial_accumulator_value": 0.1, "epsilon": 1e-07},
    ),
]


@per_leaf
def step(
    t: int,
    x: Leaf,
    g: Leaf,
    state: dict[str, Leaf],
    learning_rate: float,
    initial_accumulator_value: float = 0.0,
    eps: float = 1e-10,
    eps_in_sqrt: bool = False,
) -> Leaf:
    # The whole past, not a running sum.
    past = state["g"] = np.concatenate([state.get("g", np.zeros((0, *g.shape))), g[None]])
    squares: Leaf = initial_accumulator_value + np.sum(past**2, axis=0)
    h = np.sqrt(squares + eps) if eps_in_sqrt else eps + np.sqrt(squares)
    return x - learning_rate * g / h
