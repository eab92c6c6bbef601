"""The closed loop that every implementation of a rule is driven through; NumPy only, so that any package can be.

A gradient is frozen noise of slowly varying scale plus 0.3 times the parameter, so that an error in the parameters
feeds back into the gradients that follow.
"""

import numpy as np
from numpy.typing import NDArray

STEPS = 200
SHAPES: dict[str, tuple[int, ...]] = {"scalar": (), "vector": (7,), "matrix": (5, 6), "tall": (8, 3), "unused": (3,)}
SEED = 20150508  # RandomState(SEED) is a stream that NumPy has promised never to change
PULL = 0.3

Leaf = NDArray[np.float64]
Leaves = dict[str, Leaf]


def start() -> Leaves:
    """Initial parameters: float64, about 0.3 in size, none of them zero, all of them float32 numbers."""
    rng = np.random.RandomState(SEED)
    return {name: _in_float32(0.3 * rng.standard_normal(shape)) for name, shape in SHAPES.items()}


def noise() -> Leaves:
    """The noise of all steps: float64 (STEPS, *shape), all of them float32 numbers.

    Its scale swings between about 1/3 and 3, and it has a mean of -1 or 1 in each coordinate: parameters drift away
    from where they started, so that an error can be measured against the distance.
    """
    rng = np.random.RandomState(SEED + 1)
    scale = np.exp(np.sin(np.arange(STEPS) / 15.0) + 0.1)
    return {
        name: _in_float32(
            scale.reshape(-1, *[1] * len(shape)) * rng.standard_normal((STEPS, *shape)) + rng.choice([-1.0, 1.0], shape)
        )
        for name, shape in SHAPES.items()
    }


def _in_float32(x: object) -> Leaf:
    return np.asarray(x, np.float32).astype(np.float64)


def mask() -> Leaves:
    """1 where a gradient flows, 0 where it is exactly zero: one coordinate of the vector, and the unused leaf."""
    ones = {name: np.ones(shape) for name, shape in SHAPES.items()}
    ones["vector"][3] = 0.0
    ones["unused"][:] = 0.0
    return ones


def rates(learning_rate: float, rate_decay: float) -> Leaf:
    """The learning rate of each step: float64 (STEPS,), geometric; constant for a `rate_decay` of 1."""
    return learning_rate * rate_decay ** np.arange(STEPS, dtype=np.float64)


def flat(leaves: Leaves) -> Leaf:
    """All leaves side by side in the order of SHAPES, leading axes kept: (..., sum of sizes)."""
    lead = leaves["scalar"].shape
    return np.concatenate([leaves[name].reshape(*lead, -1) for name in SHAPES], axis=-1)
