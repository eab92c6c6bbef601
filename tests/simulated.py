"""Made-up scores for the tests of statistics."""

import numpy as np
from hypothesis import strategies as st

from bench import stats
from bench.stats import Array

NAN, INF = np.nan, np.inf

seeds = st.integers(0, 10_000)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))


def array(*values: object) -> Array:
    return np.array(values, dtype=float)


def simulated(seed: int, tasks: int = 4, optimizers: int = 5, replicates: int = 3, spread: float = 0.0) -> Array:
    """Log losses whose optimizers differ by `spread` times a normal draw; tasks differ in level and noise."""
    rng = np.random.default_rng(seed)
    level, noise = rng.normal(size=(tasks, 1, 1)) * 3, rng.uniform(0.1, 1.0, size=(tasks, 1, 1))
    better = spread * rng.normal(size=(1, optimizers, 1))
    return level + noise * (better + rng.normal(size=(tasks, optimizers, replicates)))


def ragged(seed: int, shape: tuple[int, int, int]) -> Array:
    """Scores with missing and diverged replicates among them."""
    scores = simulated(seed, *shape, spread=1.0)
    fate = np.random.default_rng(seed).random(scores.shape)
    return np.where(fate < 0.1, NAN, np.where(fate > 0.9, INF, scores))


def standard(scores: Array) -> Array:
    return stats.scaled(scores, stats.scales(scores))


def same(a: Array, b: Array) -> bool:
    return np.allclose(a, b, rtol=1e-7, atol=1e-7, equal_nan=True)
