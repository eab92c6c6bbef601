"""Rows times a matrix, with a gradient that the CPU's fast kernel takes.

The gradient of the matrix is x^T dy. As XLA's CPU compiler has it, its kernel for products in row-major order does not
take that one, for its transposed operand, and the kernel that does spends four fifths of its time on repacking x: a
sixth of a whole step where inputs are wide. Taken as (dy^T x)^T, with the two transposes, of small arrays, made real
arrays that the compiler may not fold back into the product, it is the fast kernel's.

It is a primitive, and not a function with a custom gradient, so that it can be differentiated both ways and any number
of times: rules that want products with the Hessian do that.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

_product_p = Primitive("product")


def product(x: jax.Array, matrix: jax.Array) -> jax.Array:
    """x (rows, inputs) times a matrix (inputs, outputs)."""
    return _product_p.bind(x, matrix)


def _by_matrix(gradient: jax.Array, x: jax.Array) -> jax.Array:
    """(inputs, outputs) from the gradient of the product (rows, outputs)."""
    across = lax.optimization_barrier(gradient.T)
    return lax.optimization_barrier(product(across, x)).T


_product_p.def_impl(jax.jit(jnp.matmul))
_product_p.def_abstract_eval(lambda x, matrix: jax.core.ShapedArray((x.shape[0], matrix.shape[1]), x.dtype))
mlir.register_lowering(_product_p, mlir.lower_fun(jnp.matmul, multiple_results=False))
ad.defbilinear(
    _product_p,
    lambda gradient, x, matrix: product(gradient, matrix.T),
    lambda gradient, x, matrix: _by_matrix(gradient, x),
)


def _batched(arguments: list[jax.Array], axes: list[int | None]) -> tuple[jax.Array, int]:
    return jax.vmap(jnp.matmul, in_axes=axes)(*arguments), 0


batching.primitive_batchers[_product_p] = _batched
