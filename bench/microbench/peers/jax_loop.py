"""The tutorial's JAX code: a compiled step called from a Python loop, a batch of NumPy rows at a time."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Params = dict[str, jax.Array]
adam = optax.adam(1e-3)


def loss(params: Params, x: jax.Array, y: jax.Array) -> jax.Array:
    """Mean cross-entropy of a batch: x (rows, features), y one-hot (rows, classes)."""
    hidden = jax.nn.relu(x @ params["w1"] + params["b1"])
    return optax.softmax_cross_entropy(hidden @ params["w2"] + params["b2"], y).mean()


@partial(jax.jit, donate_argnums=(0, 1))
def step(params: Params, state: Any, x: jax.Array, y: jax.Array) -> tuple[Params, Any]:
    """One update; the old parameters and state give their memory to the new."""
    grads = jax.grad(loss)(params, x, y)
    updates, state = adam.update(grads, state, params)
    return optax.apply_updates(params, updates), state


class Training:
    """Parameters, an optimizer's state and the order of rows."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y
        self.rng = np.random.default_rng(0)
        self.reset()

    def reset(self) -> None:
        """New parameters, Glorot uniform and zero."""
        draw = jax.nn.initializers.glorot_uniform()
        first, second = jax.random.split(jax.random.key(int(self.rng.integers(2**31))))
        self.params = {
            "w1": draw(first, (self.x.shape[1], 32)),
            "b1": jnp.zeros(32),
            "w2": draw(second, (32, self.y.shape[1])),
            "b2": jnp.zeros(self.y.shape[1]),
        }
        self.state = adam.init(self.params)

    def train(self, epochs: int) -> int:
        """An epoch is all full batches: one of another size would be compiled on its own."""
        batches = len(self.x) // 128
        for _ in range(epochs):
            order = self.rng.permutation(len(self.x))
            for rows in order[: batches * 128].reshape(batches, 128):
                self.params, self.state = step(self.params, self.state, self.x[rows], self.y[rows])
        jax.block_until_ready(self.params)
        return epochs * batches

    def weights(self) -> np.ndarray:
        """The first layer's, (features, 32)."""
        return np.array(self.params["w1"])
