"""What an optimizer does, as a short path over a fixed function: the same rule in other words has the same one.

Stored results are good as long as the rule that made them is. Its source may be edited without changing what it
does, and libraries may change what it does without its source being edited; a path tells either.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.checks import updated
from optimizers import Optimizer

STEPS = 30
SHAPES = {"kernel": (5, 4), "bias": (4,)}
SIZES = (1.0, 1e-8)  # of gradients: beside the second what keeps a rule from dividing by 0 counts
HEIGHTS = (0.3, 0.6)  # of the search space: where settings are tried beside the defaults
CLOSE = 1e-4  # of the distance travelled: rounding is a thousandth of it, and a change that matters is more


def behaviour(optimizer: Optimizer) -> np.ndarray:
    """Parameters after each step: float32 (SIZES x settings, STEPS, parameters), NaN from where a rule diverged.

    Every step is down another quadratic, so that a rule meets gradients of several sizes and both signs.
    """
    defaults = {**{k: v for k, v in optimizer.defaults.items() if isinstance(v, float)}, **optimizer.start}
    laws = {**optimizer.space, **optimizer.wide}
    inner = [{name: float(law.quantile(np.array([h]))[0]) for name, law in laws.items()} for h in HEIGHTS]
    settings = [defaults, *({**defaults, **setting} for setting in inner)]
    columns = {name: jnp.asarray([each[name] for each in settings], jnp.float32) for name in defaults}
    one = partial(_path, optimizer)
    paths = jax.jit(jax.vmap(jax.vmap(one, (0, None)) if columns else one, (None, 0)))(columns, jnp.asarray(SIZES))
    return np.asarray(paths).reshape(-1, *paths.shape[-2:])


def _path(optimizer: Optimizer, hparams: dict[str, jax.Array], size: jax.Array) -> jax.Array:
    rng = np.random.default_rng(0)
    start = {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in SHAPES.items()}
    curvature = {name: jnp.asarray(10 ** rng.uniform(-2, 0, size=shape), jnp.float32) for name, shape in SHAPES.items()}
    kicks = {name: jnp.asarray(rng.normal(size=(STEPS, *shape)) / 3, jnp.float32) for name, shape in SHAPES.items()}
    transform = optimizer.make(**hparams)

    def step(carry: Any, kick: Any) -> Any:
        params, state = carry

        def loss(p: Any) -> jax.Array:
            terms = [jnp.sum(curvature[name] / 2 * p[name] ** 2 + kick[name] * p[name]) for name in SHAPES]
            return size * sum(terms, start=jnp.zeros(()))

        updates, state = updated(transform, loss, state, params)
        params = jax.tree.map(jnp.add, params, updates)
        evaluated = optimizer.eval_params(state, params)
        return (params, state), jnp.concatenate([evaluated[name].ravel() for name in SHAPES])

    return jax.lax.scan(step, (start, transform.init(start)), kicks)[1]


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two behaviours are the same up to rounding, and diverge at the same steps."""
    if one.shape != other.shape:
        return False
    travelled = np.nanmax(np.abs(one - one[:, :1]), axis=(1, 2), initial=0.0)[:, None, None]
    both = np.isfinite(one) & np.isfinite(other)
    near = np.abs(np.where(both, one - other, 0.0)) <= CLOSE * travelled + 1e-7
    return bool((np.isfinite(one) == np.isfinite(other)).all() and near.all())
