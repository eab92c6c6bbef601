"""The networks: multilayer perceptrons in flax, and their initial parameters.

Initial values are drawn with NumPy, not with JAX: they are then the same on every device and in every version, and
cost no compilation, which for JAX's generator takes longer than for the whole training program.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from bench.product import product

PyTree = Any
Initializer = Callable[[np.random.RandomState, tuple[int, ...]], np.ndarray]


class Perceptron(nn.Module):
    """Dense layers with one activation between them; the last layer is linear.

    Attributes:
      widths: outputs of each layer, the last one the network's.
      activation: elementwise function after every layer but the last.
      dropout: share of the hidden units left out in training (Srivastava et al., 2014), the others scaled up.
    """

    widths: tuple[int, ...]
    activation: Callable[[jax.Array], jax.Array]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, x: jax.Array, training: bool = False) -> jax.Array:
        """Rows (n, features) to outputs (n, widths[-1]); training with dropout takes an rng named dropout."""
        for width in self.widths[:-1]:
            x = self.activation(nn.Dense(width, dot_general=_product)(x))
            if self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not training)(x)
        return nn.Dense(self.widths[-1], dot_general=_product)(x)


def _product(x: jax.Array, kernel: jax.Array, dimensions: object, precision: object) -> jax.Array:
    """As flax asks for it; of a dense layer the dimensions are always these."""
    del dimensions, precision
    return product(x, kernel)


def squared_kernels(params: PyTree) -> jax.Array:
    """Sum of the squares of all weights, biases aside: what an L2 penalty is a multiple of."""
    kernels = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params) if path[-1].key == "kernel"]
    return jnp.stack([(kernel**2).sum() for kernel in kernels]).sum()


def glorot_uniform(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within sqrt(6 / (inputs + outputs)) of zero (Glorot & Bengio, 2010), Keras's default for dense layers."""
    bound = math.sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def glorot_normal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Normal of variance 2 / (inputs + outputs) (Glorot & Bengio, 2010)."""
    return rng.normal(0, math.sqrt(2 / sum(shape)), shape)


def he_normal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Normal of variance 2 / inputs, for rectified units (He et al., 2015, arXiv:1502.01852)."""
    return rng.normal(0, math.sqrt(2 / shape[0]), shape)


def lecun_normal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Normal of variance 1 / inputs (LeCun et al., 1998), flax's default but for its truncation."""
    return rng.normal(0, math.sqrt(1 / shape[0]), shape)


def orthogonal(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """A random matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014, arXiv:1312.6120)."""
    tall = rng.normal(size=(max(shape), min(shape)))
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))  # makes the draw uniform
    return q if q.shape == shape else q.T


INITIALIZERS: Mapping[str, Initializer] = {
    draw.__name__: draw for draw in (glorot_uniform, glorot_normal, he_normal, lecun_normal, orthogonal)
}


@lru_cache
def _shapes(network: nn.Module, features: int) -> PyTree:
    rows = jax.ShapeDtypeStruct((1, features), np.float32)
    return jax.eval_shape(network.init, jax.random.key(0), rows)["params"]


def initial_params(network: nn.Module, features: int, key: jax.Array, kernel: Initializer = glorot_uniform) -> PyTree:
    """Parameters of `network` for rows of `features` numbers: kernels by `kernel`, biases zero, float32.

    The key's bits seed a generator whose stream is frozen across versions of NumPy.
    """
    shapes = _shapes(network, features)
    rng = np.random.RandomState(np.asarray(jax.random.key_data(key), np.uint32))

    def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if path[-1].key == "bias":
            return np.zeros(leaf.shape, np.float32)
        return kernel(rng, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)
