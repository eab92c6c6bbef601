"""The product of the dense layers is the ordinary one, however it is differentiated or batched."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.product import product
from tests.driving import noise

X, W = noise(0, 6, 5).astype(np.float32), noise(1, 5, 3).astype(np.float32)
Product = Callable[[Any, Any], jax.Array]


def curved(multiply: Product) -> Callable[[Any, Any], jax.Array]:
    """A scalar that depends on both arguments in every order."""
    return lambda x, w: jnp.sum(jnp.tanh(multiply(jnp.tanh(multiply(x, w)), w.T[:, :4])) ** 2)


USES: dict[str, Callable[[Product], Any]] = {
    "value": lambda m: curved(m)(X, W),
    "gradients": lambda m: jax.grad(curved(m), (0, 1))(X, W),
    "product with the Hessian": lambda m: jax.jvp(jax.grad(lambda w: curved(m)(X, w)), (W,), (W,)),
    "Hessian, reverse over reverse": lambda m: jax.jacrev(jax.jacrev(lambda w: curved(m)(X, w)))(W),
    "linear part": lambda m: jax.linearize(lambda w: curved(m)(X, w), W)[1](W),
    "gradients of several": lambda m: jax.vmap(jax.grad(lambda w: curved(m)(X, w)))(np.stack([W, 2 * W])),
    "batch of rows along another axis": lambda m: jax.vmap(m, (2, None), 1)(np.stack([X, 2 * X], 2), W),
    "value and gradient": lambda m: jax.value_and_grad(curved(m))(X, W),
}


@pytest.mark.parametrize("use", USES)
def test_it_is_the_ordinary_product(use: str) -> None:
    ours, plain = (jax.jit(partial(USES[use], multiply))() for multiply in (product, jnp.matmul))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), ours, plain)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_it_keeps_shape_and_dtype(dtype: Any) -> None:
    arguments = jnp.asarray(X, dtype), jnp.asarray(W, dtype)
    traced, done = jax.eval_shape(product, *arguments), product(*arguments)
    assert (traced.shape, traced.dtype) == (done.shape, done.dtype) == ((6, 3), dtype)


def test_the_gradient_of_the_matrix_is_a_product_of_plain_arrays() -> None:
    """The point of it: no operand of a product in the compiled gradient is taken across its rows."""

    def across(multiply: Product) -> bool:
        gradient = jax.jit(jax.grad(lambda w: jnp.sum(multiply(X, w) ** 2)))
        return "lhs_contracting_dims={0}" in str(gradient.lower(W).compile().as_text())

    assert across(jnp.matmul)
    assert not across(product)
