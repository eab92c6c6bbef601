"""The closed loop that every implementation of a rule is driven through; NumPy only, so that any package can be.

The loss of step t is <noise_t, p> + <pull, p^2> / 2, so its gradient is frozen noise plus `pull` times the parameter,
and an error in the parameters feeds back into the gradients that follow.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

STEPS = 200
SEED = 20150508  # RandomState(SEED) is a stream that NumPy has promised never to change

Leaf = NDArray[np.float64]
Leaves = dict[str, Leaf]
Shapes = dict[str, tuple[int, ...]]

SHAPES: Shapes = {"scalar": (), "vector": (7,), "matrix": (5, 6), "tall": (8, 3), "unused": (3,)}


@dataclass(frozen=True)
class Problem:
    """What is minimised: leaves of some shapes, under a noisy gradient or an exact one.

    Attributes:
      shapes: of the leaves.
      noisy: whether each step has noise of its own; else all have that of the first, and the loss is one fixed
        quadratic of condition number 100.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = tuple(SHAPES.items())
    noisy: bool = True

    @cached_property
    def start(self) -> Leaves:
        """Initial parameters: about 0.3 in size, none of them zero, all of them float32 numbers."""
        rng = np.random.RandomState(SEED)
        return {name: _in_float32(0.3 * rng.standard_normal(shape)) for name, shape in self.shapes}

    @cached_property
    def noise(self) -> Leaves:
        """The noise of all steps: (STEPS, *shape), all of them float32 numbers.

        Its scale swings between about 1/3 and 3, and it has a mean of -1 or 1 in each coordinate: parameters drift
        away from where they started, so that an error can be measured against the distance.
        """
        rng = np.random.RandomState(SEED + 1)
        scale = np.exp(np.sin(np.arange(STEPS) / 15.0) + 0.1)
        noise = {
            name: _in_float32(
                scale.reshape(-1, *[1] * len(shape)) * rng.standard_normal((STEPS, *shape))
                + rng.choice([-1.0, 1.0], shape)
            )
            for name, shape in self.shapes
        }
        return noise if self.noisy else {name: np.repeat(x[:1], STEPS, axis=0) for name, x in noise.items()}

    @cached_property
    def pull(self) -> Leaves:
        """The loss's curvature in each coordinate."""
        rng = np.random.RandomState(SEED + 2)
        spread = {name: _in_float32(0.3 * 10 ** rng.uniform(-1, 1, shape)) for name, shape in self.shapes}
        return {name: np.full(shape, 0.3) for name, shape in self.shapes} if self.noisy else spread

    @cached_property
    def mask(self) -> Leaves:
        """1 where a gradient flows, 0 where it is exactly zero: one coordinate of the vector, and the unused leaf."""
        ones = {name: np.ones(shape) for name, shape in self.shapes}
        ones["vector"][3] = 0.0
        ones["unused"][:] = 0.0
        return ones

    def loss(self, t: int) -> "Loss":
        """The loss of step t = 1, 2, ..."""
        return Loss({name: x[t - 1] for name, x in self.noise.items()}, self.pull, self.mask)


@dataclass(frozen=True)
class Loss:
    """One step's loss as a function of the parameters."""

    noise: Leaves
    pull: Leaves
    mask: Leaves

    def value(self, params: Leaves) -> float:
        terms = (self.mask[k] * (self.noise[k] * p + self.pull[k] * p**2 / 2) for k, p in params.items())
        return float(sum(np.sum(term) for term in terms))

    def grad(self, params: Leaves) -> Leaves:
        return {k: self.mask[k] * (self.noise[k] + self.pull[k] * p) for k, p in params.items()}


PROBLEMS = {
    "noise": Problem(),
    # One fixed quadratic, for rules that take differences of gradients at their word.
    "bowl": Problem(noisy=False),
    # Gradients whose Gram matrices have at most one null vector, for rules that take their eigenvectors.
    "square": Problem(tuple({**SHAPES, "tall": (4, 3)}.items())),
}


def _in_float32(x: object) -> Leaf:
    return np.asarray(x, np.float32).astype(np.float64)


def rates(learning_rate: float, rate_decay: float) -> Leaf:
    """The learning rate of each step: float64 (STEPS,), geometric; constant for a `rate_decay` of 1."""
    return learning_rate * rate_decay ** np.arange(STEPS, dtype=np.float64)


def flat(leaves: Leaves) -> Leaf:
    """All leaves side by side in the order of SHAPES, leading axes kept: (..., sum of sizes)."""
    lead = leaves["scalar"].shape
    return np.concatenate([leaves[name].reshape(*lead, -1) for name in SHAPES], axis=-1)
