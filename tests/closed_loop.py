"""Our optimizers in the closed loop, and how far they are from what is computed elsewhere.

All settings of an optimizer that differ in floats only go through one compiled program.
"""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import optimizers
from tests import oracles
from tests.golden import make as golden
from tests.gradients import SHAPES, STEPS, Problem, flat, rates

Setting = dict[str, Any]


def read_golden(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return json.loads(str(file["about"])), file["params"]


GOLDEN = sorted(golden.FOLDER.glob("*.npz"))
ORACLE = [(name, setting) for name in oracles.names() for setting in oracles.load(name).SETTINGS]
EVERY = ORACLE + [(about["optimizer"], about["setting"]) for about, _ in map(read_golden, GOLDEN)]
LAST_BIT = float(np.finfo(np.float64).eps)


def completed(name: str, setting: Setting) -> tuple[dict[str, float], dict[str, Any]]:
    """The setting with the defaults filled in: floats, which may be traced, and the rest."""
    full = {**optimizers.get(name).defaults, "rate_decay": 1.0, **setting}
    floats = {key: float(value) for key, value in full.items() if isinstance(value, float)}
    return floats, {key: value for key, value in full.items() if key not in floats}


def text(name: str, static: dict[str, Any], floats: dict[str, float] | None = None) -> str:
    return json.dumps([name, static, floats], sort_keys=True)


@functools.cache
def batch(name: str, static_text: str) -> dict[str, np.ndarray]:
    """float64 (steps + 1, size) trajectories by `text` of all settings of `name` that share the static part."""
    settings = [completed(n, setting) for n, setting in EVERY if n == name]
    static = next(static for _, static in settings if text(name, static) == static_text)
    lanes = list({text(name, static, floats): floats for floats, s in settings if text(name, s) == static_text}.items())
    rate = np.array([rates(floats["learning_rate"], floats["rate_decay"]) for _, floats in lanes])
    others = {
        key: np.array([floats[key] for _, floats in lanes])
        for key in lanes[0][1]
        if key not in ("learning_rate", "rate_decay")
    }
    with jax.enable_x64(True):
        path = jax.jit(jax.vmap(closed_loop(name, static, jnp.float64)))(rate, others)
        return {key: params for (key, _), params in zip(lanes, np.asarray(path), strict=True)}


def closed_loop(name: str, static: dict[str, Any], dtype: Any, length: int = STEPS) -> Callable[..., jax.Array]:
    """(rate of each step, hyperparameters) to the parameters to evaluate; the transform is made anew at each step."""
    optimizer, problem = optimizers.get(name), oracles.problem(name)
    start, noise, pull, mask = (
        {k: jnp.asarray(v, dtype) for k, v in leaves.items()}
        for leaves in (problem.start, problem.noise, problem.pull, problem.mask)
    )
    noise = {k: x[:length] for k, x in noise.items()}

    def run(rate: jax.Array, hparams: dict[str, jax.Array]) -> jax.Array:
        def step(carry: Any, x: Any) -> Any:
            params, state = carry
            rate, kick = x

            def loss(p: Any) -> jax.Array:
                return sum(jnp.sum(mask[k] * (kick[k] * p[k] + pull[k] / 2 * p[k] ** 2)) for k in p)  # type: ignore[return-value]  # no tree is empty

            grads = {k: mask[k] * (kick[k] + pull[k] * p) for k, p in params.items()}
            transform = optimizer.make(learning_rate=rate, **hparams, **static)
            updates, state = transform.update(grads, state, params, value=loss(params), grad=grads, value_fn=loss)
            params = {key: params[key] + updates[key] for key in params}
            return (params, state), optimizer.eval_params(state, params)

        state = optimizer.make(learning_rate=rate[0], **hparams, **static).init(start)
        _, path = jax.lax.scan(step, (start, state), (rate, noise))
        path = {key: jnp.concatenate([start[key][None], path[key]]) for key in SHAPES}
        return jnp.concatenate([path[key].reshape(len(rate) + 1, -1) for key in SHAPES], axis=1)

    return run


def trajectory(name: str, setting: Setting) -> np.ndarray:
    floats, static = completed(name, setting)
    return batch(name, text(name, static))[text(name, static, floats)]


def differences(
    ours: np.ndarray, theirs: np.ndarray, problem: Problem, roundings: np.ndarray | float, ulp: float = 2.0**-52
) -> np.ndarray:
    """(steps,): the largest difference over the leaves, relative to the farthest that a leaf has been from its start.

    A leaf without any gradient may never move: its difference is measured against the farthest of all.

    `roundings` units in the last place of the parameters are the number format's and not counted: a step of 1e-5
    of a parameter is only good to 1e-11 in float64.
    """
    edges = np.cumsum([0, *(int(np.prod(shape)) for _, shape in problem.shapes)])
    moved = np.maximum.accumulate(np.abs(theirs - flat(problem.start)))
    still = flat(problem.mask) == 0
    worst = np.zeros(len(ours))
    for leaf in map(slice, edges[:-1], edges[1:]):
        gap = np.abs(ours[:, leaf] - theirs[:, leaf]).max(1) - roundings * ulp * np.abs(theirs[:, leaf]).max(1)
        distance = (moved if still[leaf].all() else moved[:, leaf]).max(1)
        worst = np.maximum(worst, np.where(gap <= 0, 0.0, gap / np.where(distance > 0, distance, 1e-300)))
    return worst


def tolerance(name: str, error: float | None = None) -> float:
    """Ten times what an independent package differs by, and for an elementwise rule never more than 1e-12.

    One that agreed to the bit may be off by the last one on another processor, which fuses other operations.
    """
    oracle = oracles.load(name)
    if error is not None or not getattr(oracle, "ELEMENTWISE", True):
        return float(max(10 * (oracle.ERROR if error is None else error), LAST_BIT))
    return float(np.clip(10 * oracle.ERROR, LAST_BIT, 1e-12))


def from_oracle(name: str, setting: Setting) -> np.ndarray:
    """(steps,): what our trajectory differs by from the oracle's."""
    theirs = oracles.trajectory(name, setting)[1:]
    ours = trajectory(name, setting)[1 : len(theirs) + 1]
    return differences(ours, theirs, oracles.problem(name), oracles.roundings(name))


def from_peer(path: Path) -> np.ndarray:
    """(steps of golden.AT,): what our trajectory differs by from that of a golden file."""
    about, theirs = read_golden(path)
    kept = [step <= oracles.last_step(about["optimizer"]) for step in about["steps"]]
    ours = trajectory(about["optimizer"], about["setting"])[about["steps"]]
    problem, roundings = oracles.problem(about["optimizer"]), oracles.roundings(about["optimizer"])
    return differences(ours[kept], theirs[kept], problem, roundings)
