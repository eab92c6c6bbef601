"""Prodigy. Mishchenko & Defazio, 2023, arXiv:2306.06101, Algorithm 4 (Adam).

As in the authors' package: r and s are sums divided by d_0, and the new d stands before epsilon.
"""

import math
from typing import Any

import numpy as np

from tests.gradients import Leaves
from tests.oracles import Peer, one_minus_power

ERROR = 1.1e-13  # pytorch_optimizer; prodigyopt 2e-14, optax 5.7e-15
FLOAT32 = 1e-3  # measured 7.5e-4: so is its way from the start, while it is short
LEARNING_RATE = 1.0
SETTINGS: list[dict[str, Any]] = [
    {},
    {"bias_correction": True},
    {"learning_rate": 2.0, "b1": 0.5, "b2": 0.99, "eps": 1e-2, "d0": 1e-3},
    {"learning_rate": 0.5, "d0": 1e-2, "d_coef": 2.0, "weight_decay": 0.5, "b2": 0.98},
    {"d0": 1e-4, "b1": 0.8, "b2": 0.95, "weight_decay": 0.1, "bias_correction": True, "rate_decay": 0.98},
    {"d0": 0.01, "d_coef": 0.5, "eps": 1.0},
]
PEERS = [
    Peer(
        "prodigyopt.Prodigy",
        {
            "learning_rate": 1.0,
            "b1": 0.9,
            "b2": 0.999,
            "eps": 1e-08,
            "d0": 1e-06,
            "d_coef": 1.0,
            "weight_decay": 0.0,
            "bias_correction": False,
        },
        {
            "betas": [0.9, 0.999],
            "beta3": None,
            "eps": 1e-08,
            "d0": 1e-06,
            "d_coef": 1.0,
            "weight_decay": 0.0,
            "decouple": True,
            "use_bias_correction": False,
            "safeguard_warmup": False,
            "slice_p": 1,
        },
    ),
    Peer(
        "prodigyopt.Prodigy",
        {
            "learning_rate": 1.0,
            "b1": 0.8,
            "b2": 0.95,
            "eps": 1e-08,
            "d0": 0.0001,
            "d_coef": 1.0,
            "weight_decay": 0.1,
            "bias_correction": True,
            "rate_decay": 0.98,
        },
        {
            "betas": [0.8, 0.95],
            "beta3": None,
            "eps": 1e-08,
            "d0": 0.0001,
            "d_coef": 1.0,
            "weight_decay": 0.1,
            "decouple": True,
            "use_bias_correction": True,
            "safeguard_warmup": False,
            "slice_p": 1,
        },
    ),
    Peer(
        "pytorch_optimizer.Prodigy",
        {
            "learning_rate": 0.5,
            "b1": 0.9,
            "b2": 0.98,
            "eps": 0.01,
            "d0": 0.01,
            "d_coef": 2.0,
            "weight_decay": 0.5,
            "bias_correction": False,
            "rate_decay": 0.99,
        },
        {
            "betas": [0.9, 0.98],
            "beta3": None,
            "eps": 0.01,
            "d0": 0.01,
            "d_coef": 2.0,
            "weight_decay": 0.5,
            "weight_decouple": True,
            "fixed_decay": False,
            "bias_correction": False,
            "safeguard_warmup": False,
            "foreach": False,
        },
    ),
    Peer(
        "optax.contrib.prodigy",
        {
            "learning_rate": 1.0,
            "b1": 0.9,
            "b2": 0.99,
            "eps": 1e-08,
            "d0": 0.001,
            "d_coef": 0.5,
            "weight_decay": 0.0,
            "bias_correction": True,
            "rate_decay": 0.99,
        },
        {
            "betas": [0.9, 0.99],
            "beta3": None,
            "eps": 1e-08,
            "estim_lr0": 0.001,
            "estim_lr_coef": 0.5,
            "weight_decay": 0.0,
            "safeguard_warmup": False,
        },
    ),
]


def step(
    t: int,
    params: Leaves,
    grads: Leaves,
    state: dict[str, Any],
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    d0: float = 1e-6,
    d_coef: float = 1.0,
    weight_decay: float = 0.0,
    bias_correction: bool = False,
) -> Leaves:
    if t == 1:
        state["x0"], state["d"], state["r"] = params, d0, 0.0
        for name in ("m", "v", "s"):
            state[name] = {k: np.zeros_like(p) for k, p in params.items()}
    d = state["d"]
    b3 = math.sqrt(b2)
    rate = d * learning_rate
    if bias_correction:
        rate *= math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t)

    inner = sum(float(np.sum(g * (state["x0"][k] - params[k]))) for k, g in grads.items())
    r = state["r"] = b3 * state["r"] + d / d0 * rate * inner
    s = state["s"] = {k: b3 * state["s"][k] + d / d0 * rate * g for k, g in grads.items()}
    m = state["m"] = {k: b1 * state["m"][k] + (1 - b1) * d * g for k, g in grads.items()}
    v = state["v"] = {k: b2 * state["v"][k] + (1 - b2) * d**2 * g**2 for k, g in grads.items()}
    s_norm = sum(float(np.sum(np.abs(x))) for x in s.values())
    if s_norm == 0:
        return params
    d_next = state["d"] = max(d, d_coef * r / s_norm)
    return {k: p - rate * weight_decay * p - rate * m[k] / (np.sqrt(v[k]) + d_next * eps) for k, p in params.items()}
