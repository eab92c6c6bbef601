"""L-BFGS: quasi-Newton steps from the last few differences of gradients.

Nocedal, 1980, doi:10.1090/S0025-5718-1980-0572855-7; Nocedal & Wright, 2006, Algorithms 7.4 (two loops) and 3.1
(backtracking).

    s = theta - theta before,  y = g - g before; the last `memory` pairs with y s > 1e-10 are kept
    d = -H g by the two loops, from H0 = (s y / y y) I of the newest pair, or min(1, 1 / ||g||_1) I without one
    a = lr, halved while loss(theta + a d) > loss(theta) + 1e-4 a g d, at most 20 times
    theta <- theta + a d

All arrays are one vector. Made for gradients of the whole data set: on batches a pair tells the noise of two of them.
Every loss that the line search asks for counts as an evaluation, beside the gradient's. `line_search=False` takes
a = lr (PyTorch's default, with the same first step and condition on the pairs; optax divides by ||g||_2 at first).
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from optimizers._base import Optimizer, Params, PyTree, Scalar, in_float32, inner_product, zeros_like
from optimizers._space import log_uniform


class LbfgsState(NamedTuple):
    """Where the last step began and its gradient, differences from oldest to newest, and evaluations so far."""

    params: PyTree
    grads: PyTree  # like params
    pairs: tuple[PyTree, PyTree]  # s and y, (memory, *shape) beside each parameter, zero where there is no pair yet
    spent: jax.Array  # int32 scalar


def lbfgs(
    learning_rate: Scalar = 1.0, memory: int = 10, line_search: bool = True
) -> optax.GradientTransformationExtraArgs:
    """Steps along -H g, H the inverse Hessian that the last `memory` steps suggest."""
    if memory < 1:
        raise ValueError(f"memory {memory} is not a number of steps")

    def init(params: Params) -> LbfgsState:
        none = jax.tree.map(lambda p: jnp.zeros((memory, *p.shape), p.dtype), params)
        return LbfgsState(params, zeros_like(params), (none, none), jnp.zeros((), jnp.int32))

    def direction(state: LbfgsState, grads: PyTree, params: Params) -> tuple[PyTree, tuple[PyTree, PyTree]]:
        fresh = (_plus(params, -1.0, state.params), _plus(grads, -1.0, state.grads))
        kept = inner_product(*fresh) > 1e-10
        pairs = jax.tree.map(
            lambda old, x: jnp.where(kept, jnp.concatenate([old[1:], x[None]]), old), state.pairs, fresh
        )
        return jax.tree.map(jnp.negative, _two_loops(pairs, grads, memory)), pairs

    def fixed(grads: PyTree, state: LbfgsState, params: Params) -> tuple[PyTree, LbfgsState]:
        descent, pairs = direction(state, grads, params)
        return jax.tree.map(lambda d: learning_rate * d, descent), LbfgsState(params, grads, pairs, state.spent + 1)

    def searched(
        grads: PyTree, state: LbfgsState, params: Params, value: jax.Array, value_fn: Any
    ) -> tuple[PyTree, LbfgsState]:
        descent, pairs = direction(state, grads, params)
        slope = inner_product(grads, descent)
        tried = lambda rate, halvings: (rate, halvings, value_fn(_plus(params, rate, descent)))  # noqa: E731
        rate, halvings, _ = jax.lax.while_loop(
            lambda at: (at[2] > value + 1e-4 * at[0] * slope) & (at[1] < 20),
            lambda at: tried(at[0] / 2, at[1] + 1),
            tried(jnp.asarray(learning_rate, slope.dtype), jnp.zeros_like(state.spent)),
        )
        return jax.tree.map(lambda d: rate * d, descent), LbfgsState(params, grads, pairs, state.spent + 2 + halvings)

    return in_float32(init, searched if line_search else fixed)


def _plus(x: PyTree, factor: Scalar, y: PyTree) -> PyTree:
    return jax.tree.map(lambda a, b: (a + factor * b).astype(a.dtype), x, y)


def _two_loops(pairs: tuple[PyTree, PyTree], grads: PyTree, memory: int) -> PyTree:
    """H g; pairs that are zero change nothing."""

    def ratio(numerator: jax.Array, pair: tuple[PyTree, PyTree]) -> jax.Array:
        curvature = inner_product(*pair)
        return numerator / jnp.where(curvature > 0, curvature, 1.0)

    def back(q: PyTree, pair: tuple[PyTree, PyTree]) -> tuple[PyTree, jax.Array]:
        alpha = ratio(inner_product(pair[0], q), pair)
        return _plus(q, -alpha, pair[1]), alpha

    def forth(r: PyTree, at: tuple[tuple[PyTree, PyTree], jax.Array]) -> tuple[PyTree, None]:
        return _plus(r, at[1] - ratio(inner_product(at[0][1], r), at[0]), at[0][0]), None

    q, alphas = jax.lax.scan(back, grads, pairs, memory, reverse=True)
    s, y = jax.tree.map(lambda x: x[-1], pairs)
    square = inner_product(y, y)
    length = sum((jnp.sum(jnp.abs(g)) for g in jax.tree.leaves(grads)), start=jnp.zeros(()))
    scale = jnp.where(square > 0, inner_product(s, y) / jnp.where(square > 0, square, 1.0), 1 / jnp.maximum(1, length))
    return jax.lax.scan(forth, _plus(zeros_like(q), scale, q), (pairs, alphas), memory)[0]


optimizer = Optimizer(
    make=lbfgs,
    space={"learning_rate": log_uniform(1e-3, 10.0)},
    paper="Nocedal, 1980, doi:10.1090/S0025-5718-1980-0572855-7",
    grad_evals=lambda state: state.spent,
    flat=True,
)
