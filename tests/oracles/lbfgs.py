"""L-BFGS. Nocedal, 1980, "Updating quasi-Newton matrices with limited storage"; the two-loop recursion.

The first step and the condition on the pairs are PyTorch's; the line search is Armijo's backtracking by halves.
"""

from typing import Any

import numpy as np

from tests.gradients import Leaf, Leaves, Loss
from tests.oracles import Peer

ERROR = 1.1e-14  # PyTorch and optax, without a line search
FLOAT32 = 3e-4  # measured 2.2e-4: differences of nearly equal gradients
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"line_search": False, "learning_rate": 0.5},
    {"memory": 3, "learning_rate": 2.0},
    {"memory": 5, "learning_rate": 0.3, "line_search": False},
    {"memory": 20, "rate_decay": 0.98},
]
PEERS = [
    Peer(
        "torch.optim.LBFGS",
        {"learning_rate": 1.0, "memory": 10, "line_search": False},
        {
            "max_iter": 1,
            "max_eval": 1,
            "tolerance_grad": 0.0,
            "tolerance_change": 0.0,
            "history_size": 10,
            "line_search_fn": None,
        },
    ),
    Peer(
        "torch.optim.LBFGS",
        {"learning_rate": 0.3, "memory": 5, "line_search": False, "rate_decay": 0.99},
        {
            "max_iter": 1,
            "max_eval": 1,
            "tolerance_grad": 0.0,
            "tolerance_change": 0.0,
            "history_size": 5,
            "line_search_fn": None,
        },
    ),
    Peer(
        "optax.lbfgs",
        {"learning_rate": 0.03, "memory": 3, "line_search": False},
        {"memory_size": 3, "scale_init_precond": True, "linesearch": None},
    ),
]
PROBLEM = "bowl"
UNTIL = 60  # by then the loss is at its minimum to 1e-10, and soon the line search compares roundings


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    loss: Loss,
    learning_rate: float,
    memory: int = 10,
    line_search: bool = True,
) -> Leaves:
    x = np.concatenate([p.ravel() for p in params.values()])
    g = np.concatenate([grads[k].ravel() for k in params])
    pairs: list[tuple[Leaf, Leaf]] = state.setdefault("pairs", [])
    if t > 1:
        s, y = x - state["x"], g - state["g"]
        if y @ s > 1e-10:  # the curvature is positive
            pairs.append((s, y))
    del pairs[:-memory]
    state["x"], state["g"] = x, g

    q = g
    alphas = []
    for s, y in reversed(pairs):
        alpha = (s @ q) / (y @ s)
        q = q - alpha * y
        alphas.append(alpha)
    if pairs:
        s, y = pairs[-1]
        r = (s @ y) / (y @ y) * q
    else:
        norm = np.sum(np.abs(g))
        r = (1 / norm if norm > 1 else 1.0) * q
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r = r + (alpha - (y @ r) / (y @ s)) * s
    d = -r

    def unraveled(flat: Leaf) -> Leaves:
        ends = np.cumsum([p.size for p in params.values()])
        parts = np.split(flat, ends[:-1])
        return {k: part.reshape(p.shape) for part, (k, p) in zip(parts, params.items(), strict=True)}

    a = learning_rate
    if line_search:
        now, slope = loss.value(params), g @ d
        halvings = 0
        while halvings < 20 and loss.value(unraveled(x + a * d)) > now + 1e-4 * a * slope:
            a = a / 2
            halvings += 1
    return unraveled(x + a * d)
