"""Which rules may be given all parameters as one vector: those, and only those, to which that makes no difference."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import optimizers
from optimizers import Optimizer
from tests.driving import noise

TREE = {"matrix": noise(0, 3, 4), "vector": noise(1, 5), "tensor": noise(2, 2, 3, 2), "number": noise(3)}
SLOPES = np.logspace(-2, 0, 30)
PUSHES = noise(4, 25, 30)


def evaluated(optimizer: Optimizer, vector: bool) -> np.ndarray:
    """How far from the start the parameters to evaluate are after each step of a noisy descent, (steps, size)."""
    with jax.enable_x64(True):
        start, unravel = ravel_pytree(jax.tree.map(jnp.asarray, TREE))
        assert start.shape == SLOPES.shape

        def step(carry: tuple[object, object], push: jax.Array) -> tuple[tuple[object, object], jax.Array]:
            def loss(params: object, **_: object) -> jax.Array:
                x = ravel_pytree(params)[0]
                return jnp.sum(SLOPES * jnp.log(jnp.cosh(x))) + 0.01 * jnp.sum(x) ** 2 + push @ x

            params, state = carry
            value, grads = jax.value_and_grad(loss)(params)
            updates, state = tx.update(
                grads, state, params, value=value, grad=grads, value_fn=loss, key=jax.random.key(0)
            )
            params = optax.apply_updates(params, updates)
            return (params, state), ravel_pytree(optimizer.eval_params(state, params))[0] - start

        tx = optimizer.make()
        first = start if vector else unravel(start)
        return np.asarray(jax.jit(lambda: jax.lax.scan(step, (first, tx.init(first)), jnp.asarray(PUSHES))[1])())


QUICK = {"adam", "lookahead", "cautious_lion", "soap", "dog"}  # coordinates, a wrapper each way, matrices, one norm


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in optimizers.names()]
)
def test_a_rule_says_whether_shapes_and_leaves_matter_to_it(name: str) -> None:
    optimizer = optimizers.get(name)
    tree, vector = evaluated(optimizer, vector=False), evaluated(optimizer, vector=True)
    assert np.abs(tree).max() > 0
    assert optimizer.flat == np.allclose(vector, tree, rtol=1e-8, atol=1e-8 * np.abs(tree).max())


def test_a_wrapped_rule_is_flat_if_both_are() -> None:
    assert {spec: optimizers.get(spec).flat for spec in ("ema:sgd", "ema:muon", "cautious:sgd", "optax:sgd")} == {
        "ema:sgd": True,
        "ema:muon": False,
        "cautious:sgd": False,
        "optax:sgd": False,
    }
