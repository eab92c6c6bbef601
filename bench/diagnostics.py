"""Why a run went as it did: gradients, curvature, updates and the path of one run, and slices of its loss.

Nothing here trains: a cell's own program is called again for the parameters at a few points and one and two steps
further, as its runs are deterministic, and all else is computed from those. What each quantity is and can tell is in
docs/diagnostics.md. Curvature is that of the training objective on all rows of a full-batch task, else on the fixed
sample of training rows that losses are reported on; what is random in a loss is drawn once, by one key.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.flatten_util import ravel_pytree

from bench.program import Program
from bench.task import Task
from bench.tasks.mlp import sample_rows
from bench.train import GENERATOR

PyTree = Any
Product = Callable[[jax.Array], jax.Array]
Objective = Callable[[jax.Array, PyTree], jax.Array]  # (parameters (size,), rows) to the loss

ITERATIONS = 20  # of Lanczos: the top eigenvalue of a network's Hessian stands apart and is found in fewer
SHARP = 11  # points of a run at most at which its curvature is measured, as it costs more than all else
EDGE = 25  # losses along an edge of a landscape
MARGIN = 0.2  # of a square landscape around its three points, in their extent
BETWEEN = 41  # losses along the line between two ends
CHUNK = 25  # losses of a landscape that are computed in one call
QUIET = np.errstate(invalid="ignore", over="ignore")  # what diverged is not finite, and goes through


class Spectrum(NamedTuple):
    """The ends of a symmetric operator's spectrum, as far as Lanczos found them; scalars.

    Attributes:
      top, bottom: the eigenvalues of largest and of smallest algebraic value; never beyond the true ones but for
        rounding.
      error: an eigenvalue lies within so much of `top` (Parlett, 1998, The Symmetric Eigenvalue Problem, 13.2).
    """

    top: jax.Array
    bottom: jax.Array
    error: jax.Array


class Walk(NamedTuple):
    """A run's parameters, those that are evaluated, at some points and one and two steps further.

    Attributes:
      start: the initial parameters, float32 (size,).
      here, following, second: float32 (points, size).
      spent, then: gradient evaluations spent at `here` and at `following`, int (points,).
    """

    start: np.ndarray
    here: np.ndarray
    following: np.ndarray
    second: np.ndarray
    spent: np.ndarray
    then: np.ndarray


def lanczos(hvp: Product, size: int, key: jax.Array, iterations: int = ITERATIONS) -> Spectrum:
    """The ends of the spectrum of a symmetric operator on vectors (size,), which `hvp` multiplies by.

    Lanczos, 1950, doi:10.6028/jres.045.026, from a random vector, each new direction made orthogonal to all before it
    twice (Parlett, 1998, 6.9 and 13.8); where the directions so far span an invariant subspace it goes on with another
    random vector, so that with `size` iterations the ends are exact, also where eigenvalues repeat. In clusters the
    value is found long before the vector.
    """
    steps = min(iterations, size)

    def orthogonal(vector: jax.Array, basis: jax.Array) -> jax.Array:
        for _ in range(2):
            vector = vector - basis.T @ (basis @ vector)
        return vector

    def step(index: jax.Array, carry: PyTree) -> PyTree:
        basis, diagonal, beside, vector = carry
        basis = basis.at[index].set(vector)
        image = hvp(vector)
        rest = orthogonal(image, basis)
        length = jnp.linalg.norm(rest)
        spanned = length <= 10 * jnp.finfo(rest.dtype).eps * jnp.linalg.norm(image)
        anew = jax.random.normal(jax.random.fold_in(key, index), rest.shape, rest.dtype)
        rest = orthogonal(jnp.where(spanned, anew, rest / jnp.where(spanned, 1, length)), basis)
        vector = rest / jnp.maximum(jnp.linalg.norm(rest), jnp.finfo(rest.dtype).tiny)
        return basis, diagonal.at[index].set(image @ basis[index]), beside.at[index].set(length * ~spanned), vector

    first = jax.random.normal(jax.random.fold_in(key, size), (size,))
    zeros = jnp.zeros(steps, first.dtype)
    initial = (jnp.zeros((steps, size), first.dtype), zeros, zeros, first / jnp.linalg.norm(first))
    _, diagonal, beside, _ = lax.fori_loop(0, steps, step, initial)
    values, vectors = jnp.linalg.eigh(jnp.diag(diagonal) + jnp.diag(beside[:-1], 1) + jnp.diag(beside[:-1], -1))
    return Spectrum(values[-1], values[0], beside[-1] * jnp.abs(vectors[-1, -1]))


def hessian_product(objective: Objective, params: jax.Array, rows: PyTree) -> Product:
    """Multiplication by the objective's Hessian at `params`, forward over reverse (Pearlmutter, 1994,
    doi:10.1162/neco.1994.6.1.147): about the cost of two gradients, without the matrix."""
    gradient = jax.grad(objective)
    return lambda vector: jax.jvp(lambda p: gradient(p, rows), (params,), (vector,))[1]


@QUIET
def moved(walk: Walk) -> dict[str, np.ndarray]:
    """What the parameters alone tell; float64 (points,).

    ratio: |update| / |parameters|. alignment: cosine of an update and the next. distance: from the start. path: length
    of the way so far, an estimate: between points by the trapezoid rule over the lengths of the updates that are known,
    and never less than straight on. NaN is the ratio to, and the angle with, nothing.
    """
    here = walk.here.astype(np.float64)
    update, after = walk.following - here, walk.second.astype(np.float64) - walk.following
    length, later = np.linalg.norm(update, axis=1), np.linalg.norm(after, axis=1)
    pace = (length + later) / 2 / np.maximum(walk.then - walk.spent, 1)
    way = np.diff(walk.spent, prepend=walk.spent[:1]) * (pace + np.roll(pace, 1)) / 2
    straight = np.linalg.norm(np.diff(here, axis=0, prepend=here[:1]), axis=1)
    return {
        "ratio": _over(length, np.linalg.norm(here, axis=1)),
        "alignment": _over((update * after).sum(1), length * later),
        "distance": np.linalg.norm(here - walk.start, axis=1),
        "path": np.cumsum(np.maximum(way, straight)),
    }


@QUIET
def layer_ratios(walk: Walk, sizes: list[int]) -> np.ndarray:
    """|update| / |parameters| of each array of parameters, whose sizes are given: float64 (points, layers)."""
    ends = np.cumsum(sizes)[:-1]
    here, update = walk.here.astype(np.float64), walk.following.astype(np.float64) - walk.here
    pairs = zip(np.split(update, ends, 1), np.split(here, ends, 1), strict=True)
    return np.stack([_over(np.linalg.norm(u, axis=1), np.linalg.norm(h, axis=1)) for u, h in pairs], axis=1)


def _over(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)


def walk(program: Program, hparams: Mapping[str, float]) -> Walk:
    """The first replicate's first final run of a program of one lane, at the protocol's points.

    The last point is two steps before the budget, where a step takes one gradient evaluation.
    """
    start = program.start(0, "0")
    points = np.minimum(program.points, max(int(program.points[-1]) - 2, 0)).astype(np.int32)
    calls = []
    for _ in range(3):
        trajectory = program.train(start, hparams, points)
        calls.append((np.asarray(trajectory.evaluated), np.asarray(trajectory.grad_evals)))
        points = (calls[-1][1] + 1).astype(np.int32)
    (here, spent), (following, then), (second, _) = calls
    return Walk(np.asarray(ravel_pytree(start.params)[0]), here, following, second, spent, then)


def trace(
    program: Program, hparams: Mapping[str, float], sharp: int = SHARP
) -> tuple[list[str], dict[str, np.ndarray]]:
    """All that is recorded of a cell's run at a setting.

    Args:
      program: of one lane.
      sharp: points at most at which curvature is measured.

    Returns:
      The names of its arrays of parameters, and the arrays of `bench.traces.Trace`.
    """
    objective, rows = _objective(program.task), _rows(program)
    gone = walk(program, hparams)
    leaves = jax.tree_util.tree_leaves_with_path(program.start(0, "0").params)
    layers = ["/".join(str(getattr(part, "key", part)) for part in path) or "parameters" for path, _ in leaves]
    every = len(gone.spent)
    at = np.unique(np.round(np.linspace(0, every - 1, min(sharp, every))).astype(np.int64))
    loss, gradient = _slopes(objective, gone.here, rows)
    spectrum = _curvature(objective, gone.here[at], rows)
    found = {
        "evaluations": gone.spent,
        "loss": loss,
        "gradient": gradient,
        **moved(gone),
        "layers": layer_ratios(gone, [int(np.size(leaf)) for _, leaf in leaves]),
        "sharp/evaluations": gone.spent[at],
        "sharp/top": spectrum.top,
        "sharp/bottom": spectrum.bottom,
        "sharp/error": spectrum.error,
    }
    return layers, {name: _kept(values) for name, values in found.items()}


@QUIET
def landscape(programs: tuple[Program, Program], settings: tuple[Mapping[str, float], ...]) -> dict[str, np.ndarray]:
    """The loss in the plane through a start and the ends of two optimizers' runs from it, as `bench.traces.Landscape`
    has it (Garipov et al., 2018, arXiv:1802.10026, fig. 1), and on the line between the ends (Goodfellow et al., 2015,
    arXiv:1412.6544)."""
    objective, rows = _objective(programs[0].task), _rows(programs[0])
    start = programs[0].start(0, "0")
    runs = [
        np.asarray(program.train(start, hparams).evaluated, np.float64)
        for program, hparams in zip(programs, settings, strict=True)
    ]
    origin = np.asarray(ravel_pytree(start.params)[0], np.float64)
    axes = plane(runs[0][-1] - origin, runs[1][-1] - origin)
    paths = [(run - origin) @ axes.T for run in runs]
    ends = np.stack([np.zeros(2), paths[0][-1], paths[1][-1]])
    low, high = ends.min(0), ends.max(0)
    half = (0.5 + MARGIN) * max((high - low).max(), 1e-12)
    x, y = ((low[i] + high[i]) / 2 + np.linspace(-half, half, EDGE) for i in range(2))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    share = np.linspace(-MARGIN, 1 + MARGIN, BETWEEN)
    line = runs[0][-1] + share[:, None] * (runs[1][-1] - runs[0][-1])
    found = {
        "x": x,
        "y": y,
        "loss": _losses(objective, origin + grid @ axes, rows).reshape(EDGE, EDGE),
        "path/0": paths[0],
        "path/1": paths[1],
        "between/share": share,
        "between/loss": _losses(objective, line, rows),
    }
    return {name: _kept(values) for name, values in found.items()}


def plane(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Two orthonormal vectors (2, size), the first along `first`, which with the second span `second` too.

    Where that leaves a direction open, as with ends in one line, any orthogonal one is taken.
    """
    basis: list[np.ndarray] = []
    spare = np.random.RandomState(0).normal(size=(2, len(first)))
    for vector, instead in zip((first, second), spare, strict=True):
        for candidate in (vector, instead):
            rest = np.asarray(candidate, np.float64)
            for known in basis * 2:
                rest = rest - (rest @ known) * known
            if (length := np.linalg.norm(rest)) > 1e-6 * np.linalg.norm(candidate):
                basis.append(rest / length)
                break
        else:  # a single parameter has no second direction
            basis.append(np.zeros(len(first)))
    return np.stack(basis)


def _kept(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array.astype(np.int64 if array.dtype.kind == "i" else np.float64)


@lru_cache(maxsize=8)
def _objective(task: Task) -> Objective:
    """A task's training objective as a function of a vector of parameters."""
    model = task.build()
    key = jax.random.wrap_key_data(jnp.zeros(2, jnp.uint32), impl=GENERATOR)
    unravel = ravel_pytree(jax.tree.map(np.asarray, model.init(key)))[1]

    def objective(params: jax.Array, rows: PyTree) -> jax.Array:
        return model.loss(unravel(params), rows, key)

    return objective


def _rows(program: Program) -> PyTree:
    """The training rows that curvature is of; see the module."""
    every = program.data.rows
    if program.task.batch_size is None or program.task.batch_size >= every:
        return program.data.train
    kept = sample_rows(every)
    return jax.tree.map(lambda a: a[kept], program.data.train)


@partial(jax.jit, static_argnums=0)
def _slopes(objective: Objective, params: jax.Array, rows: PyTree) -> tuple[jax.Array, jax.Array]:
    """Losses and norms of gradients at vectors of parameters (points, size)."""
    of = jax.value_and_grad(objective)
    losses, gradients = lax.map(lambda p: of(p, rows), params)
    return losses, jnp.linalg.norm(gradients, axis=1)


@partial(jax.jit, static_argnums=0)
def _curvature(objective: Objective, params: jax.Array, rows: PyTree) -> Spectrum:
    """The ends of the Hessian's spectrum at vectors of parameters (points, size)."""
    key = jax.random.wrap_key_data(jnp.zeros(2, jnp.uint32), impl=GENERATOR)
    size = params.shape[1]
    return lax.map(lambda p: lanczos(hessian_product(objective, p, rows), size, key), params)


def _losses(objective: Objective, params: np.ndarray, rows: PyTree) -> np.ndarray:
    """Losses at vectors of parameters (count, size), a few at a time so that activations fit into memory."""
    parts = -(-len(params) // CHUNK)
    filled = np.concatenate([params, np.repeat(params[-1:], parts * CHUNK - len(params), 0)]).astype(np.float32)
    losses = [_chunk(objective, part, rows) for part in np.split(filled, parts)]
    return np.concatenate([np.asarray(part) for part in losses])[: len(params)]


@partial(jax.jit, static_argnums=0)
def _chunk(objective: Objective, params: jax.Array, rows: PyTree) -> jax.Array:
    return lax.map(lambda p: objective(p, rows), params)
