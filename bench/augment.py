"""Augmentation inside the compiled step: frozen descriptions that change a batch's features by a key.

JAX is imported when a step is traced, so that a task can be described without it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import jax


class Augmentation(Protocol):
    """A random change of features."""

    def __call__(self, x: "jax.Array", key: "jax.Array") -> "jax.Array":
        """x (rows, features) to the same shape."""
        ...


@dataclass(frozen=True)
class Shift:
    """Square images of `side` pixels a side, each moved by up to `by` pixels each way, zeros moving in."""

    side: int
    by: int

    def __call__(self, x: "jax.Array", key: "jax.Array") -> "jax.Array":
        """x (rows, side^2) to the same shape."""
        import jax
        import jax.numpy as jnp
        from jax import lax

        framed = jnp.pad(x.reshape(-1, self.side, self.side), ((0, 0), (self.by, self.by), (self.by, self.by)))
        # A remainder of 32 random bits is as good as uniform, and a third of what `randint` costs.
        corners = (jax.random.bits(key, (len(x), 2)) % (2 * self.by + 1)).astype(jnp.int32)

        def window(image: jax.Array, corner: jax.Array) -> jax.Array:
            return lax.dynamic_slice(image, (corner[0], corner[1]), (self.side, self.side))

        return jax.vmap(window)(framed, corners).reshape(x.shape)


@dataclass(frozen=True)
class Noise:
    """Adds independent noise of standard deviation `scale`, uniform over 256 levels: a random byte a number, as finer
    or normal noise costs more than the rest of a step."""

    scale: float

    def __call__(self, x: "jax.Array", key: "jax.Array") -> "jax.Array":
        """x of any shape to the same."""
        import jax
        from jax import lax

        words = jax.random.bits(key, (-(-x.size // 4),))
        levels = lax.bitcast_convert_type(words, "uint8").reshape(-1)[: x.size].reshape(x.shape)
        return x + (levels.astype(x.dtype) - 127.5) * (self.scale * (12 / (256**2 - 1)) ** 0.5)
