"""Whole records and manifests of made-up runs, for the tests of what reads them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.protocol import Protocol
from bench.records import Record

METRIC = "accuracy"
PROTOCOL = Protocol(trials=3).identity


def meta(**changes: Any) -> dict[str, Any]:
    """What a record says of itself."""
    return {
        **{"task": "t", "optimizer": "o", "replicate": 0, "fingerprint": "right", "protocol": PROTOCOL, "budget": 10},
        **{"metric": METRIC, "data": "t", "floor": 0.01, "paper": "", "defaults": {"learning_rate": 0.1}},
        **{"space": {"learning_rate": "log-uniform 0.01 to 1"}, "param_bytes": 8, "state_bytes": 16, "device": "cpu"},
        **{"trace_s": 1.0, "compile_s": 2.0, "compile_cached": False, "evaluation_s": 0.5},
        **{"environment": {"jax": "1.2"}, **changes},
    }


def arrays(trials: int = 3, seeds: int = 2, budget: int = 10, points: int = 2) -> dict[str, np.ndarray]:
    """Those of a record whose trials 1 and 2 were chosen, by training and by validation loss."""
    step = np.linspace(0, budget, points).astype(np.int32)
    made: dict[str, np.ndarray] = {
        "step": step,
        "chosen": np.array([1, 2], np.int32),
        "selected/train": np.array(1, np.int32),
        "selected/valid": np.array(2, np.int32),
        "hparams/learning_rate": np.linspace(0.1, 0.3, trials),
        "position/learning_rate": np.linspace(0.2, 0.8, trials),
        "open/learning_rate": np.array([True, False]),
    }
    for stage, shape in (("search", (trials,)), ("final", (2, seeds))):
        for index, split in enumerate(("train", "valid", "test")):
            for metric in ("loss", METRIC):
                made[f"{stage}/{split}/{metric}"] = np.full((*shape, points), 0.5 + index, np.float32)
        made[f"{stage}/grad_evals"] = np.broadcast_to(step, (*shape, points)).copy()
        made[f"{stage}/diverged"] = np.full(shape, -1, np.int32)
        made[f"{stage}/distance"] = np.ones(shape, np.float32)
    return made


def record(changed: Mapping[str, np.ndarray] | None = None, seeds: int = 2, **about: Any) -> Record:
    """A whole record, with other arrays or metadata where they are given."""
    return Record(meta(**about), {**arrays(seeds=seeds), **(changed or {})})


def manifest(**changes: Any) -> dict[str, Any]:
    """What run.json says of a run of that one cell."""
    return {
        **{"suite": "core", "suite_version": 1, "protocol": PROTOCOL, "replicates": 2, "seeds": 2, "tasks": ["t"]},
        **{"optimizers": ["o"], "fingerprints": {"t--o": "right"}, "failed": {}, **changes},
    }
