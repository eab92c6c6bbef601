"""The networks: shapes, initial values and dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.network import INITIALIZERS, Perceptron, initial_params, squared_kernels

VARIANCES = {"glorot_uniform": 2 / 500, "glorot_normal": 2 / 500, "he_normal": 2 / 300, "lecun_normal": 1 / 300}


@pytest.mark.parametrize("name", VARIANCES)
def test_initial_weights_have_their_variance(name: str) -> None:
    weights = INITIALIZERS[name](np.random.RandomState(0), (300, 200))
    assert weights.var() == pytest.approx(VARIANCES[name], rel=0.03)
    assert weights.mean() == pytest.approx(0, abs=4 * weights.std() / weights.size**0.5)
    if name == "glorot_uniform":
        assert abs(weights).max() == pytest.approx((6 / 500) ** 0.5, rel=0.01)


@pytest.mark.parametrize("shape", [(30, 10), (10, 30), (10, 10)])
def test_orthogonal_weights_are_orthonormal(shape: tuple[int, int]) -> None:
    weights = INITIALIZERS["orthogonal"](np.random.RandomState(0), shape)
    assert weights.shape == shape
    gram = weights.T @ weights if shape[0] >= shape[1] else weights @ weights.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-12)


def test_every_initialiser_is_tested() -> None:
    assert set(INITIALIZERS) == {*VARIANCES, "orthogonal"}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_key_decides_the_weights_and_biases_are_zero(name: str) -> None:
    network = Perceptron((8, 5, 3), jnp.tanh)
    first, again, other = (initial_params(network, 4, jax.random.key(k), INITIALIZERS[name]) for k in (1, 1, 2))
    assert [layer["kernel"].shape for layer in first.values()] == [(4, 8), (8, 5), (5, 3)]
    for layer, params in first.items():
        np.testing.assert_array_equal(params["kernel"], again[layer]["kernel"])
        assert (params["kernel"] != other[layer]["kernel"]).any()
        assert not params["bias"].any()


def test_a_network_without_hidden_layers_is_linear() -> None:
    network = Perceptron((2,), jnp.tanh)
    params = initial_params(network, 3, jax.random.key(0))
    x = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(np.asarray(network.apply({"params": params}, x)), params["Dense_0"]["kernel"], rtol=1e-6)


def test_dropout_leaves_out_its_share_of_hidden_units_and_keeps_their_mean() -> None:
    network = Perceptron((1000, 1), lambda x: x, dropout=0.3)
    ones = {"kernel": np.ones((1, 1000), np.float32), "bias": np.zeros(1000, np.float32)}
    last = {"kernel": np.ones((1000, 1), np.float32), "bias": np.zeros(1, np.float32)}
    params = {"Dense_0": ones, "Dense_1": last}
    x = np.ones((1, 1), np.float32)
    kept = np.asarray(
        [network.apply({"params": params}, x, True, rngs={"dropout": jax.random.key(k)}) for k in range(20)]
    ).ravel()
    assert float(np.asarray(network.apply({"params": params}, x))[0, 0]) == 1000
    np.testing.assert_allclose(kept * 0.7, np.round(kept * 0.7), atol=0.05)  # units that count 1 / 0.7 each
    assert kept.mean() == pytest.approx(1000, rel=0.02)
    assert len(set(kept.round(2))) > 10


def test_the_penalty_is_the_sum_of_squared_weights() -> None:
    params = {"a": {"kernel": jnp.array([[1.0, 2.0]]), "bias": jnp.array([9.0])}, "b": {"kernel": jnp.array([[3.0]])}}
    assert float(squared_kernels(params)) == 14
