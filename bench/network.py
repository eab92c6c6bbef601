"""The networks: multilayer perceptrons in flax, and their initial parameters.

Initial values are drawn with NumPy, not with JAX: they are then the same on every device and in every version, and
cost no compilation, which for JAX's generator takes longer than for the whole training program.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

PyTree = Any
Initializer = Callable[[np.random.RandomState, tuple[int, ...]], np.ndarray]


class Perceptron(nn.Module):
    """Dense layers with one activation between them; the last layer is linear.

    Attributes:
      widths: outputs of each layer, the last one the network's.
      activation: elementwise function after every layer but the last.
    """

    widths: tuple[int, ...]
    activation: Callable[[jax.Array], jax.Array]

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Rows (n, features) to outputs (n, widths[-1])."""
        for width in self.widths[:-1]:
            x = self.activation(nn.Dense(width)(x))
        return nn.Dense(self.widths[-1])(x)


def glorot_uniform(rng: np.random.RandomState, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform within sqrt(6 / (inputs + outputs)) of zero (Glorot & Bengio, 2010), Keras's default for dense layers."""
    bound = math.sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def initial_params(network: nn.Module, features: int, key: jax.Array, kernel: Initializer = glorot_uniform) -> PyTree:
    """Parameters of `network` for rows of `features` numbers: kernels by `kernel`, biases zero, float32.

    The key's bits seed a generator whose stream is frozen across versions of NumPy.
    """
    rows = jax.ShapeDtypeStruct((1, features), np.float32)
    shapes = jax.eval_shape(network.init, jax.random.key(0), rows)["params"]
    rng = np.random.RandomState(np.asarray(jax.random.key_data(key), np.uint32))

    def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        if path[-1].key == "bias":
            return np.zeros(leaf.shape, np.float32)
        return kernel(rng, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)
