"""SGD: x <- x - a g. Robbins & Monro, 1951."""

from typing import Any

from tests.gradients import Leaf
from tests.oracles import Peer, per_leaf

ERROR = 7.7e-16  # PyTorch
LEARNING_RATE = 0.1
SETTINGS: list[dict[str, Any]] = [{}, {"learning_rate": 0.5}, {"learning_rate": 0.3, "rate_decay": 0.98}]
PEERS = [
    Peer("torch.optim.SGD", {"learning_rate": 0.1}, {}),
    Peer("torch.optim.SGD", {"learning_rate": 0.9, "rate_decay": 0.98}, {}),
    Peer("keras.optimizers.SGD", {"learning_rate": 0.3}, {}),
]


@per_leaf
def step(t: int, x: Leaf, g: Leaf, state: dict[str, Leaf], learning_rate: float) -> Leaf:
    return x - learning_rate * g
