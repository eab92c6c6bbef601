"""What theory says of single rules, apart from any reference implementation."""

from collections.abc import Sequence

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import optimizers
from tests.driving import descent, few, steps, traced

RATE = 0.01
betas = st.floats(0.0, 0.9999)
gradients = st.lists(st.floats(1e-3, 1e3), min_size=4, max_size=4).map(lambda g: np.array(g) * [1, -1, 1, -1])

adam = traced("adam", "learning_rate", "b1", "b2")
rmsprop = traced("rmsprop", "learning_rate", "decay")
adagrad = traced("adagrad", "learning_rate", "eps")
momentum = traced("momentum", "learning_rate", "momentum")


@few
@given(gradients, betas, betas)
def test_adam_begins_with_a_step_of_the_rate(g: np.ndarray, b1: float, b2: float) -> None:
    first = adam(g[None], np.zeros(4), RATE, b1, b2)[0]
    # The float32 weight that bias correction undoes is good to 1e-7; epsilon takes 1e-8 / 1e-3.
    np.testing.assert_allclose(first, -RATE * np.sign(g), rtol=2e-5)


@pytest.mark.parametrize("b2", [0.999, 0.9999, 0.99999])
def test_adam_corrects_its_bias_to_float32(b2: float) -> None:
    """With a constant gradient every step is the rate; a correction by 1 - b2^t would be off by 1e-4 and more."""
    path = jax.jit(lambda g: steps("adam", g, jnp.zeros(1), learning_rate=1.0, b2=b2, eps=0.0))(jnp.ones((50, 1)))
    np.testing.assert_allclose(np.diff(np.asarray(path)[:, 0]), -1.0, rtol=5e-6)


@few
@given(st.integers(0, 1000), st.floats(0.0, 0.99), st.floats(0.5, 0.9999))
def test_adam_never_steps_beyond_its_bound(seed: int, b1: float, b2: float) -> None:
    """Cauchy's inequality between the two means; for t = 1 the bound is the rate, and a single spike attains it.

    The paper's bound in section 2.1, rate max(1, (1 - b1) / sqrt(1 - b2)), is a rule of thumb: gradients that grow by
    b2 / b1 a step attain the bound here, which is larger.
    """
    rng = np.random.RandomState(seed)
    g = rng.standard_normal((20, 4)) * 10.0 ** rng.randint(-3, 4, (20, 1))
    path = np.concatenate([np.zeros((1, 4)), adam(g, np.zeros(4), RATE, b1, b2)])
    ages = np.arange(20)
    weights = [np.array([(1 - b) * b ** ages[: t + 1] / (1 - b ** (t + 1)) for b in (b1, b2)]) for t in ages]
    bound = [RATE * np.sum(first**2 / second) ** 0.5 for first, second in weights]
    assert (np.abs(np.diff(path, axis=0)).max(axis=1) <= np.array(bound) * 1.001).all()


@few
@given(gradients, st.floats(0.0, 0.9999))
def test_rmsprop_begins_with_a_step_of_the_rate_over_the_root_of_its_weight(g: np.ndarray, decay: float) -> None:
    first = rmsprop(g[None], np.zeros(4), RATE, decay)[0]
    weight = 1.0 - float(np.float32(decay))
    np.testing.assert_allclose(first, -RATE / weight**0.5 * np.sign(g), rtol=1e-3)  # epsilon: 1e-8 / (1e-3 weight^1/2)


@few
@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_adagrad_does_not_see_the_scale_of_the_gradients(seed: int, scale: float) -> None:
    g = np.random.RandomState(seed).standard_normal((20, 4))
    once, scaled = (adagrad(c * g, np.zeros(4), RATE, 0.0) for c in (1.0, scale))
    np.testing.assert_allclose(scaled, once, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(once[0], -RATE * np.sign(g[0]), rtol=1e-5)


def test_adagrad_slows_down_like_the_root_of_time() -> None:
    path = adagrad(np.ones((100, 1)), np.zeros(1), RATE, 0.0)[:, 0]
    np.testing.assert_allclose(path, -RATE * np.cumsum(np.arange(1, 101) ** -0.5), rtol=1e-4)


@pytest.mark.parametrize(("form", "factor"), [("scaled", 1 - 0.1 * 0.2), ("independent", 1 - 0.2)])
def test_adamw_without_gradient_shrinks_geometrically(form: str, factor: float) -> None:
    start = jnp.array([1.0, -2.0, 0.0])
    path = steps("adamw", jnp.zeros((30, 3)), start, learning_rate=0.1, weight_decay=0.2, decay_form=form)
    expected = np.asarray(start) * factor ** np.arange(1, 31)[:, None]
    np.testing.assert_allclose(path, expected, rtol=1e-5)


def test_adamw_with_a_coupled_decay_is_adam_with_a_penalty() -> None:
    """From a zero gradient the penalty's is all there is, and Adam makes it a step of the rate."""
    path = steps("adamw", jnp.zeros((1, 2)), jnp.array([3.0, -0.5]), learning_rate=0.1, decay_form="coupled")
    np.testing.assert_allclose(path[0], [2.9, -0.4], rtol=1e-5)


def test_adamw_names_its_mistakes() -> None:
    with pytest.raises(ValueError, match="'l2' is none of scaled, independent, coupled"):
        optimizers.get("adamw").make(decay_form="l2")
    transform = optimizers.get("adamw").make()
    with pytest.raises(ValueError, match="this rule needs params: give it to update beside the gradients"):
        transform.update(jnp.zeros(1), transform.init(jnp.zeros(1)))


CURVATURES = np.array([0.1, 0.7, 2.0, 5.0])


def rotated(curvatures: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric matrix of these eigenvalues, and its eigenvectors in the columns."""
    basis = np.linalg.qr(np.random.RandomState(0).standard_normal((len(curvatures), len(curvatures))))[0]
    return basis * np.asarray(curvatures) @ basis.T, basis


def test_sgd_contracts_each_eigendirection_by_its_own_factor() -> None:
    """Error times |1 - rate l| a step, so it converges if and only if the rate is below 2 / (largest curvature)."""
    matrix, basis = rotated(CURVATURES)
    limit = 2 / CURVATURES.max()
    fractions = np.array([0.05, 0.5, 0.95, 1.0, 1.05])
    with jax.enable_x64(True):
        run = lambda rate: descent("sgd", lambda p: jnp.asarray(matrix) @ p, jnp.ones(4), 60, learning_rate=rate)  # noqa: E731
        paths = np.asarray(jax.jit(jax.vmap(run))(fractions * limit)) @ basis
    factors = (1 - fractions[:, None] * limit * CURVATURES)[:, None, :] ** np.arange(1, 61)[:, None]
    np.testing.assert_allclose(paths, factors * (np.ones(4) @ basis), rtol=1e-9, atol=1e-12)
    steepest = np.abs(paths[:, -1, 3] / (np.ones(4) @ basis[:, 3]))
    assert (steepest[:3] < 0.01).all()
    assert steepest[3] == pytest.approx(1.0)
    assert steepest[4] > 100


@few
@given(gradients, st.floats(0.0, 0.9))
def test_momentum_amplifies_a_constant_gradient(g: np.ndarray, beta: float) -> None:
    path = momentum(np.tile(g, (200, 1)), np.zeros(4), RATE, beta)
    np.testing.assert_allclose(path[0], -RATE * g, rtol=1e-5)
    velocity = (path[-1] - path[-101]) / (-RATE * 100)
    np.testing.assert_allclose(velocity, g / (1 - beta), rtol=1e-3)


def test_momentum_at_its_critical_value_contracts_by_its_root() -> None:
    """With momentum (1 - sqrt(rate l))^2 both eigenvalues of the heavy ball's matrix are the root of the momentum."""
    rate, curvature = 0.1, 0.4
    beta = (1 - (rate * curvature) ** 0.5) ** 2
    with jax.enable_x64(True):
        path = np.asarray(
            descent("momentum", lambda p: curvature * p, jnp.ones(1), 400, learning_rate=rate, momentum=beta)
        )[:, 0]
    t = np.arange(1, 401)
    # A double eigenvalue: p_t = (1 + c t) r^t, with c from the first step.
    r = beta**0.5
    c = (1 - rate * curvature) / r - 1
    np.testing.assert_allclose(path, (1 + c * t) * r**t, rtol=1e-8)


@pytest.mark.parametrize("in_buffer", [False, True])
def test_nesterov_is_the_velocity_form_looked_ahead(in_buffer: bool) -> None:
    matrix, _ = rotated(CURVATURES)
    rate, beta, length = 0.05, 0.9, 50
    with jax.enable_x64(True):
        hparams = {"learning_rate": rate, "momentum": beta, "rate_in_buffer": in_buffer}
        path = np.asarray(descent("nesterov", lambda p: jnp.asarray(matrix) @ p, jnp.ones(4), length, **hparams))
    theta, v, expected = np.ones(4), np.zeros(4), []
    for _ in range(length):
        v = beta * v - rate * matrix @ (theta + beta * v)
        theta = theta + v
        expected.append(theta + beta * v)
    np.testing.assert_allclose(path, expected, rtol=1e-10, atol=1e-12)


def test_nesterov_and_momentum_without_memory_are_sgd() -> None:
    g = jnp.asarray(np.random.RandomState(0).standard_normal((10, 3)), jnp.float32)
    plain = steps("sgd", g, jnp.zeros(3), learning_rate=RATE)
    for name in ("momentum", "nesterov"):
        np.testing.assert_array_equal(steps(name, g, jnp.zeros(3), learning_rate=RATE, momentum=0.0), plain)


@pytest.mark.parametrize(("name", "hparams"), [("adam", {"b1": 0.0, "b2": 0.0}), ("laprop", {"b1": 0.0, "b2": 0.0})])
def test_a_mean_without_memory_forgets_a_large_gradient(name: str, hparams: dict[str, float]) -> None:
    """In float32, where 1e4 - (1e4 - 1e-4) is not 1e-4: every step is the rate, as with any constant of averaging."""
    path = jax.jit(lambda g: steps(name, g, jnp.zeros(1), learning_rate=RATE, eps=0.0, **hparams))
    gradients = jnp.array([[1e4], [1e-4], [1e-4]])
    np.testing.assert_allclose(path(gradients)[:, 0], -RATE * np.arange(1, 4), rtol=1e-5)
