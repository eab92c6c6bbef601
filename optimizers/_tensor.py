"""Products along one axis of an array, for rules that keep a matrix beside each axis."""

import jax
import jax.numpy as jnp

Matrices = dict[int, jax.Array]  # by axis, (length, length); axes that a rule leaves alone are absent


def axes(x: jax.Array, longest: int) -> dict[int, int]:
    """Lengths by axis, but for those longer than `longest`; none at all of an empty array."""
    return {axis: n for axis, n in enumerate(x.shape) if n <= longest and x.size}


def gram(x: jax.Array, axis: int) -> jax.Array:
    """Products of the slices along an axis with each other: (length, length); x x^T for rows, x^T x for columns."""
    slices = jnp.moveaxis(x, axis, 0).reshape(x.shape[axis], -1)
    return slices @ slices.T


def turned(x: jax.Array, matrices: Matrices, back: bool = False) -> jax.Array:
    """Each axis of x multiplied by its matrix; by the transpose, if it is the way `back` of a rotation."""
    for axis, q in matrices.items():
        x = jnp.moveaxis(jnp.tensordot(q.T if back else q, x, (1, axis)), 0, axis)
    return x
