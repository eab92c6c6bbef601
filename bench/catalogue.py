"""What can be said of an optimizer before it is run: where it is from, what it costs, what it was verified against."""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np

import optimizers
from bench.checks import updated
from bench.code import closure, code_digest
from optimizers import Optimizer

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "optimizers" / "verified.json"

# The parameters of a network of 784 inputs, 32 hidden units and 10 outputs, for what depends on their shapes.
REFERENCE = {
    "hidden": {"kernel": (784, 32), "bias": (32,)},
    "output": {"kernel": (32, 10), "bias": (10,)},
}


class Agreement(TypedDict):
    """What an optimizer's trajectories differed by from another implementation's.

    Attributes:
      against: "oracle", the rule once more in NumPy, or a package with its version.
      difference: the largest over 200 steps and all settings compared, relative to the distance travelled.
    """

    against: str
    difference: float


class Verification(TypedDict):
    """One optimizer's part of the record that the last check left.

    Attributes:
      code, evidence: hashes of what was checked, and of what it was checked against.
      costs: what a step of it costs.
    """

    code: str
    evidence: str
    date: str
    agreements: list[Agreement]
    costs: "Costs"


class Costs(TypedDict):
    """What a step costs beside its gradient.

    Attributes:
      state: numbers in the optimizer's state for each parameter of the reference network.
      gradients_a_step: gradient evaluations.
    """

    state: float
    gradients_a_step: float


def facts(optimizer: Optimizer) -> dict[str, Any]:
    """Everything about an optimizer of the catalogue, for `optgrid list`."""
    return {
        "name": optimizer.name,
        "paper": optimizer.paper,
        **(recorded["costs"] if (recorded := current(optimizer.name)) else costs(optimizer)),
        "searched": {name: str(law) for name, law in optimizer.space.items()},
        "searched_wide": {name: str(law) for name, law in optimizer.wide.items()},
        "hyperparameters": optimizer.defaults,
        "verified_against": verified_against(optimizer.name),
    }


def costs(optimizer: Optimizer) -> Costs:
    """What a step of it costs, found by tracing and trying it."""
    return {"state": state_size(optimizer), "gradients_a_step": evaluations(optimizer)}


def state_size(optimizer: Optimizer) -> float:
    """Numbers in the optimizer's state for each parameter of the reference network."""
    params = jax.tree.map(
        lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), REFERENCE, is_leaf=lambda x: isinstance(x, tuple)
    )
    state = jax.eval_shape(optimizer.make().init, params)
    sizes = [sum(x.size for x in jax.tree.leaves(tree)) for tree in (state, params)]
    return round(sizes[0] / sizes[1], 2)


def evaluations(optimizer: Optimizer) -> float:
    """Gradient evaluations that a step costs: one unless the optimizer says otherwise; then the mean of ten steps on a
    quadratic."""
    count = optimizer.grad_evals
    if count is None:
        return 1.0
    transform = optimizer.make()
    curvature = np.linspace(0.1, 3.0, 8, dtype=np.float32)

    def step(_: int, carry: Any) -> Any:
        params, state = carry
        updates, state = updated(transform, lambda p: jnp.sum(curvature * p**2), state, params)
        return params + updates, state

    start = jnp.ones(8)
    _, state = jax.jit(partial(jax.lax.fori_loop, 0, 10, step))((start, transform.init(start)))
    return int(count(state)) / 10


@cache
def code(name: str) -> str:
    """Hash of what an optimizer of the catalogue computes: its file and all that it imports of the project."""
    return code_digest(*closure(set(optimizers.source_files(name)), ROOT, ("optimizers",), frozenset()))


@cache
def record() -> dict[str, Verification]:
    """What the last check of the whole catalogue found, by optimizer."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {}


def current(name: str) -> Verification | None:
    """What the last check found of an optimizer, if it is still the same."""
    entry = record().get(name)
    return entry if entry is not None and entry["code"] == code(name) else None


def verified_against(name: str) -> list[str]:
    """Independent implementations that an optimizer agreed with when it was last checked, if it is still the same."""
    if (entry := current(name)) is not None:
        return [agreement["against"] for agreement in entry["agreements"]]
    return [f"changed since {record()[name]['date']}"] if name in record() else []
