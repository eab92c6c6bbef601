"""Writes the golden files: what independent packages do in the closed loop, in float64.

    .venv-peers/bin/python tests/golden/make.py

Each case is one file NAME--PACKAGE-NUMBER.npz without pickles: `params`, float64 (len(AT), size), the parameters after
the steps of AT, the leaves side by side; and `about`, a JSON text that says where they are from: package, version,
class, flags, seed, date, and the optimizer and setting of ours that must give the same.

Every flag that matters is written out, on both sides: the packages' defaults may change.
"""

import datetime
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.gradients import PULL, SEED, STEPS, Leaves, flat, mask, noise, rates, start

FOLDER = Path(__file__).parent
AT = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100, 150, 200)


class Case(NamedTuple):
    """One file.

    Attributes:
      name, setting: the optimizer of ours and its hyperparameters; the learning rate is the package's too, and shrinks
        by `rate_decay` a step if the setting has it.
      package, cls, flags: what is run; `flags` are all arguments but the learning rate.
    """

    name: str
    setting: dict[str, Any]
    package: str
    cls: str
    flags: dict[str, Any]


_BETAS = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}

CASES = [
    Case("sgd", {"learning_rate": 0.1}, "torch", "SGD", {}),
    Case("sgd", {"learning_rate": 0.9, "rate_decay": 0.98}, "torch", "SGD", {}),
    Case("sgd", {"learning_rate": 0.3}, "keras", "SGD", {}),
    Case("momentum", {"learning_rate": 0.01, "momentum": 0.9}, "torch", "SGD", {"momentum": 0.9}),
    Case("momentum", {"learning_rate": 0.1, "momentum": 0.5, "rate_decay": 0.97}, "torch", "SGD", {"momentum": 0.5}),
    Case(
        "momentum",
        {"learning_rate": 0.05, "momentum": 0.95, "rate_decay": 0.97, "rate_in_buffer": True},
        "keras",
        "SGD",
        {"momentum": 0.95},
    ),
    Case("nesterov", {"learning_rate": 0.01, "momentum": 0.9}, "torch", "SGD", {"momentum": 0.9, "nesterov": True}),
    Case(
        "nesterov",
        {"learning_rate": 0.1, "momentum": 0.5, "rate_decay": 0.97},
        "torch",
        "SGD",
        {"momentum": 0.5, "nesterov": True},
    ),
    Case(
        "nesterov",
        {"learning_rate": 0.05, "momentum": 0.95, "rate_decay": 0.97, "rate_in_buffer": True},
        "keras",
        "SGD",
        {"momentum": 0.95, "nesterov": True},
    ),
    Case("adagrad", {"learning_rate": 0.1}, "torch", "Adagrad", {"initial_accumulator_value": 0.0, "eps": 1e-10}),
    Case(
        "adagrad",
        {"learning_rate": 1.0, "initial_accumulator_value": 0.5, "eps": 1e-3, "rate_decay": 0.99},
        "torch",
        "Adagrad",
        {"initial_accumulator_value": 0.5, "eps": 1e-3},
    ),
    Case(
        "adagrad",
        {"learning_rate": 0.1, "initial_accumulator_value": 0.1, "eps": 1e-7, "eps_in_sqrt": True},
        "keras",
        "Adagrad",
        {"initial_accumulator_value": 0.1, "epsilon": 1e-7},
    ),
    Case("rmsprop", {"learning_rate": 0.01, "decay": 0.99}, "torch", "RMSprop", {"alpha": 0.99, "eps": 1e-8}),
    Case(
        "rmsprop",
        {"learning_rate": 0.01, "decay": 0.9, "momentum": 0.9, "rate_decay": 0.98},
        "torch",
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-8, "momentum": 0.9},
    ),
    Case(
        "rmsprop",
        {"learning_rate": 0.01, "decay": 0.95, "eps": 1e-3, "centered": True},
        "torch",
        "RMSprop",
        {"alpha": 0.95, "eps": 1e-3, "centered": True},
    ),
    Case(
        "rmsprop",
        {"learning_rate": 0.01, "decay": 0.9, "eps": 1e-7, "eps_in_sqrt": True},
        "keras",
        "RMSprop",
        {"rho": 0.9, "epsilon": 1e-7},
    ),
    Case(
        "rmsprop",
        {
            "learning_rate": 0.01,
            "decay": 0.95,
            "eps": 1e-2,
            "eps_in_sqrt": True,
            "centered": True,
            "momentum": 0.8,
            "rate_in_buffer": True,
            "rate_decay": 0.98,
        },
        "keras",
        "RMSprop",
        {"rho": 0.95, "epsilon": 1e-2, "centered": True, "momentum": 0.8},
    ),
    Case("adam", {"learning_rate": 1e-3}, "torch", "Adam", {"betas": [0.9, 0.999], "eps": 1e-8}),
    Case(
        "adam",
        {"learning_rate": 0.05, "b1": 0.5, "b2": 0.99, "eps": 1e-4, "rate_decay": 0.99},
        "torch",
        "Adam",
        {"betas": [0.5, 0.99], "eps": 1e-4},
    ),
    Case("adam", {"learning_rate": 0.01, "eps": 1e-7, "eps_hat": True}, "keras", "Adam", _BETAS),
    Case(
        "adamw",
        {"learning_rate": 0.01, "weight_decay": 0.1},  # at 1e-5 a step the rounding of PyTorch's 1 - lr decay shows
        "torch",
        "AdamW",
        {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.1},
    ),
    Case(
        "adamw",
        {"learning_rate": 0.05, "b1": 0.8, "b2": 0.98, "weight_decay": 0.5, "rate_decay": 0.98},
        "torch",
        "AdamW",
        {"betas": [0.8, 0.98], "eps": 1e-8, "weight_decay": 0.5},
    ),
    Case(
        "adamw",
        {"learning_rate": 0.02, "weight_decay": 0.2, "decay_form": "coupled"},
        "torch",
        "Adam",
        {"betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.2},
    ),
    Case(
        "adamw",
        {"learning_rate": 0.01, "weight_decay": 0.1, "eps": 1e-7, "eps_hat": True},
        "keras",
        "AdamW",
        {**_BETAS, "weight_decay": 0.1},
    ),
]


def files() -> dict[Path, Case]:
    """Every case with its file, numbered per optimizer and package in the order above."""
    named: dict[Path, Case] = {}
    for case in CASES:
        stem = f"{case.name}--{case.package}"
        number = 1 + sum(path.name.startswith(f"{stem}-") for path in named)
        named[FOLDER / f"{stem}-{number}.npz"] = case
    return named


def drive(case: Case) -> np.ndarray:
    """Parameters after the steps of AT: float64 (len(AT), size)."""
    params, all_noise, flows = start(), noise(), mask()
    advance = PACKAGES[case.package](case, params)
    rate = rates(case.setting["learning_rate"], case.setting.get("rate_decay", 1.0))
    kept = []
    for t in range(1, STEPS + 1):
        grads = {key: flows[key] * (all_noise[key][t - 1] + PULL * params[key]) for key in params}
        params = advance(float(rate[t - 1]), grads)
        if t in AT:
            kept.append(flat(params))
    return np.array(kept)


def torch_stepper(case: Case, params: Leaves) -> Any:
    """(rate, gradients) -> parameters after a step of torch.optim."""
    import torch

    leaves = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in params.items()}
    optimizer = getattr(torch.optim, case.cls)(leaves.values(), lr=case.setting["learning_rate"], **case.flags)

    def advance(rate: float, grads: Leaves) -> Leaves:
        optimizer.param_groups[0]["lr"] = rate
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(grads[key])
        optimizer.step()
        return {key: leaf.detach().numpy().copy() for key, leaf in leaves.items()}

    return advance


def keras_stepper(case: Case, params: Leaves) -> Any:
    """(rate, gradients) -> parameters after a step of keras.optimizers, on PyTorch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")  # on TensorFlow its hyperparameters pass through float32
    import keras

    keras.config.set_floatx("float64")  # or the optimizer's own scalars are float32
    leaves = {key: keras.Variable(value, dtype="float64", name=key) for key, value in params.items()}
    optimizer = getattr(keras.optimizers, case.cls)(learning_rate=case.setting["learning_rate"], **case.flags)
    optimizer.build(list(leaves.values()))

    def advance(rate: float, grads: Leaves) -> Leaves:
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(grads[key], dtype="float64") for key in leaves])
        return {key: np.array(keras.ops.convert_to_numpy(leaf.value)) for key, leaf in leaves.items()}

    return advance


PACKAGES = {"torch": torch_stepper, "keras": keras_stepper}


def main() -> None:
    """Makes all files anew and removes those that no case names."""
    for stale in set(FOLDER.glob("*.npz")) - set(files()):
        stale.unlink()
    for path, case in files().items():
        params = drive(case)
        about = {
            "optimizer": case.name,
            "setting": case.setting,
            "package": case.package,
            "version": sys.modules[case.package].__version__,
            "class": case.cls,
            "flags": case.flags,
            "steps": AT,
            "seed": SEED,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }
        np.savez_compressed(path, params=params, about=np.array(json.dumps(about)))
        print(path.name)


if __name__ == "__main__":
    main()
