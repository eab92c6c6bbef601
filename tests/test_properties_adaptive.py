"""What theory says of rules with a rate for every coordinate, as in test_optimizer_properties.py."""

from fractions import Fraction

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import optimizers
from tests.driving import few, history, moves, noise, path, weighted_means

RATE = 0.01
seeds = st.integers(0, 1000)


def on_reddis_stream(name: str, **hparams: float) -> float:
    """Where p in [-1, 1] ends under gradients of 4 in every third step and of -1 else, whose sum is least at -1."""
    transform = optimizers.get(name).make(learning_rate=RATE, **hparams)

    def step(carry: tuple[jax.Array, object], g: jax.Array) -> tuple[tuple[jax.Array, object], None]:
        updates, state = transform.update(g, carry[1], carry[0])
        return (jnp.clip(carry[0] + updates, -1.0, 1.0), state), None

    grads = jnp.asarray(np.where(np.arange(1200) % 3 == 0, 4.0, -1.0))
    return float(jax.jit(lambda p: jax.lax.scan(step, (p, transform.init(p)), grads)[0][0])(jnp.zeros(())))


@pytest.mark.parametrize(("name", "end"), [("adam", 1.0), ("amsgrad", -1.0), ("adopt", -1.0), ("yogi", -1.0)])
def test_amsgrad_adopt_and_yogi_converge_where_adam_goes_the_wrong_way(name: str, end: float) -> None:
    """Reddi et al., Theorem 1, with their b2 = 1 / (1 + C^2); the gradient of C comes too rarely to be remembered."""
    assert on_reddis_stream(name, b1=0.0, b2=1 / 17) == pytest.approx(end, abs=4 * RATE)


def test_amsgrad_never_raises_its_rates() -> None:
    g = noise(0, 50, 4)
    rates = -moves(path("amsgrad", g, np.zeros(4), learning_rate=RATE, b1=0.0, b2=0.5, eps=0.0)) / g
    assert (np.diff(rates, axis=0) <= 1e-12 * rates[:-1]).all()
    largest = np.maximum.accumulate(weighted_means(0.5, g**2) * (1 - 0.5 ** np.arange(1, 51))[:, None])
    np.testing.assert_allclose(rates, RATE / largest**0.5, rtol=1e-9)


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_adadelta_does_not_see_the_scale_of_the_gradients(seed: int, scale: float) -> None:
    """From epsilon alone, its steps grow like sqrt(d + eps) with d = 0, eps, ... before them."""
    g = noise(seed, 30, 4)
    once, scaled = (path("adadelta", c * g, np.zeros(4), rho=0.9, eps=1e-30) for c in (1.0, scale))
    np.testing.assert_allclose(scaled, once, rtol=1e-9, atol=1e-9 * np.abs(once).max())
    second = moves(once)[1] / np.sqrt(2e-30 / (0.09 * g[0] ** 2 + 0.1 * g[1] ** 2))
    np.testing.assert_allclose(once[0], -np.sqrt(1e-30 / 0.1) * np.sign(g[0]), rtol=1e-9)
    np.testing.assert_allclose(second, -g[1], rtol=1e-9)


@few
@given(seeds, st.floats(0.0, 0.95), st.floats(0.96, 0.9999))
def test_adamax_never_steps_beyond_its_bound(seed: int, b1: float, b2: float) -> None:
    """Its maximum is at least b2^k |g| of k steps ago, and is that for all k under gradients that fall by b2 a step.

    The paper's bound in section 7.1, the rate, is a little less.
    """
    run = lambda g: moves(path("adamax", g, np.zeros(2), learning_rate=RATE, b1=b1, b2=b2, eps=0.0))  # noqa: E731
    falling = np.tile(b2 ** np.arange(30.0), (2, 1)).T
    bound = RATE * weighted_means(b1, falling) / falling
    np.testing.assert_allclose(run(falling), -bound, rtol=1e-9)
    g = noise(seed, 30, 2) * 10.0 ** np.random.RandomState(seed).randint(-3, 4, (30, 1))
    steps = run(g)
    assert (np.abs(steps) <= bound * (1 + 1e-9)).all()
    np.testing.assert_allclose(steps[0], -RATE * np.sign(g[0]), rtol=1e-9)


@pytest.mark.parametrize("variant", ["schedule", "constant"])
def test_nadam_looks_ahead_under_a_constant_gradient(variant: str) -> None:
    """There m = (1 - b1^t) g, v^ = g^2 and all else are the weights of the look-ahead; at last they sum to one."""
    t, b1 = np.arange(1, 101), 0.9
    path_ = path("nadam", np.full((100, 1), -3.0), np.zeros(1), learning_rate=RATE, b1=b1, eps=0.0, variant=variant)
    b = b1 * (1 - 0.5 * 0.96 ** (0.004 * np.arange(1, 102))) if variant == "schedule" else np.full(101, b1)
    product = np.cumprod(b)
    weights = b[1:] * (1 - b1**t) / (1 - product[1:]) + (1 - b[:-1]) / (1 - product[:-1])
    np.testing.assert_allclose(moves(path_)[:, 0], RATE * weights, rtol=1e-9)
    if variant == "constant":
        assert weights[0] == pytest.approx(1 + b1 / (1 + b1))


def test_radam_takes_five_steps_of_momentum_and_then_rectifies() -> None:
    """A constant gradient g gives steps rate g, then rate r sign(g): with b2 = 0.999 from the sixth on."""
    g = np.tile([[3.0, -0.5, 1.0]], (30, 1))
    steps = moves(path("radam", g, np.zeros(3), learning_rate=RATE, b2=0.999, eps=0.0))
    np.testing.assert_allclose(steps[:5], -RATE * g[:5], rtol=1e-9)
    t = np.arange(6, 31)
    rho = 1999 - 2 * t * 0.999**t / (1 - 0.999**t)
    r = np.sqrt((rho - 4) * (rho - 2) / rho / ((1999 - 4) * (1999 - 2) / 1999))
    np.testing.assert_allclose(steps[5:], -RATE * r[:, None] * np.sign(g[5:]), rtol=1e-9)


@pytest.mark.parametrize("b2", [0.999, 0.9999, 0.99999])
def test_radam_rectifies_to_float32(b2: float) -> None:
    """rho = 2 / (1 - b2) - 1 - ..., computed as it stands, is off by 1e-4 and more of the step."""
    transform, one = optimizers.get("radam").make(learning_rate=1.0, b2=b2, eps=0.0), jnp.ones(1)
    walk = jax.jit(
        lambda: jax.lax.scan(lambda state, _: transform.update(one, state)[::-1], transform.init(one), None, 12)
    )
    exact, limit = Fraction(b2), 2 / (1 - b2) - 1
    rho = np.array([float(2 / (1 - exact) - 1 - 2 * t * exact**t / (1 - exact**t)) for t in range(6, 13)])
    r = np.sqrt((rho - 4) * (rho - 2) / rho / ((limit - 4) * (limit - 2) / limit))
    np.testing.assert_allclose(-np.asarray(walk()[1])[5:, 0], r, rtol=2e-6)


def test_radam_ends_as_adam() -> None:
    """With b2 = 0.7 rho is within 1e-3 of its limit 17/3 after 30 steps, which turns r by a part in 2e3 at most."""
    g = noise(0, 30, 3)
    ours, adams = (moves(path(name, g, np.zeros(3), learning_rate=RATE, b2=0.7)) for name in ("radam", "adam"))
    np.testing.assert_allclose(ours[-1], adams[-1], rtol=1e-3)


def test_adabelief_speeds_up_where_the_gradient_is_as_expected() -> None:
    """Under a constant gradient g - m = b1^t g, so s is a geometric sum; the first step is the rate over b1."""
    b1, b2, t = 0.9, 0.99, np.arange(1, 51)
    hparams = {"learning_rate": RATE, "b1": b1, "b2": b2, "eps": 0.0}
    steps = moves(path("adabelief", np.full((50, 1), -2.0), np.zeros(1), **hparams))[:, 0]
    spread = (1 - b2) * b1**2 * (b2**t - b1 ** (2 * t)) / (b2 - b1**2) / (1 - b2**t)
    np.testing.assert_allclose(steps, RATE / np.sqrt(spread), rtol=1e-9)
    assert steps[0] == pytest.approx(RATE / b1)
    assert (np.diff(steps) > 0).all()


@few
@given(seeds, st.floats(0.5, 0.9999))
def test_yogi_moves_its_second_moment_by_a_part_of_the_square(seed: int, b2: float) -> None:
    g = noise(seed, 60, 3)
    nu = history("yogi", g, np.zeros(3), b2=b2, initial_accumulator_value=1.0).states.nu
    changes = moves(nu, 1.0)
    np.testing.assert_allclose(np.abs(changes), (1 - b2) * g**2, rtol=1e-9, atol=1e-14)
    before = np.concatenate([np.ones((1, 3)), nu[:-1]])
    assert (changes * (g**2 - before) >= 0).all()


def test_yogi_forgets_a_spike_linearly() -> None:
    g, b2, t = np.ones((60, 3)), 0.99, np.arange(1, 61)[:, None]
    g[0] = 100.0
    hparams = {"learning_rate": RATE, "b1": 0.0, "b2": b2, "eps": 0.0, "initial_accumulator_value": 0.0}
    steps = moves(path("yogi", g, np.zeros(3), **hparams))
    nu = 0.01 * 1e4 - 0.01 * (t - 1)
    np.testing.assert_allclose(steps, -RATE * g * np.sqrt((1 - b2**t) / nu), rtol=1e-9)


@few
@given(seeds, st.floats(1e-4, 1.0))
def test_adabound_keeps_its_rates_within_the_band(seed: int, gamma: float) -> None:
    g = noise(seed, 30, 3) * 10.0 ** np.random.RandomState(seed).randint(-3, 4, 3)
    hparams = {"learning_rate": RATE, "b1": 0.0, "final_learning_rate": 0.1, "gamma": gamma}
    rates = -moves(path("adabound", g, np.zeros(3), **hparams)) / g
    t = np.arange(1, 31)[:, None]
    assert (rates >= 0.1 * (1 - 1 / (gamma * t + 1)) * (1 - 1e-9)).all()
    assert (rates <= 0.1 * (1 + 1 / (gamma * t)) * (1 + 1e-9)).all()


def test_adabound_goes_from_adam_to_sgd_with_momentum() -> None:
    g, t = noise(0, 30, 3), np.arange(1, 31)[:, None]
    hparams = {"learning_rate": RATE, "b1": 0.9, "final_learning_rate": 0.1}
    wide, narrow = (path("adabound", g, np.zeros(3), gamma=gamma, **hparams) for gamma in (1e-13, 1e13))
    np.testing.assert_allclose(wide, path("adam", g, np.zeros(3), learning_rate=RATE, eps_hat=True), rtol=1e-9)
    np.testing.assert_allclose(moves(narrow), -0.1 * (1 - 0.9**t) * weighted_means(0.9, g), rtol=1e-9)


def test_qhadam_mixes_adam_with_its_memoryless_limits() -> None:
    """Its numerator is linear in nu1, the square of its denominator in nu2."""
    g = noise(0, 30, 3)

    def steps(nu1: float, nu2: float) -> np.ndarray:
        return moves(path("qhadam", g, np.zeros(3), learning_rate=RATE, nu1=nu1, nu2=nu2, eps=0.0))

    np.testing.assert_allclose(steps(0.0, 0.0), -RATE * np.sign(g), rtol=1e-9)
    adam = moves(path("adam", g, np.zeros(3), learning_rate=RATE, eps=0.0))
    np.testing.assert_allclose(steps(1.0, 1.0), adam, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(steps(0.7, 1.0), 0.3 * steps(0.0, 1.0) + 0.7 * adam, rtol=1e-9, atol=1e-14)
    spread = 0.4 * steps(0.7, 0.0) ** -2.0 + 0.6 * steps(0.7, 1.0) ** -2.0
    np.testing.assert_allclose(steps(0.7, 0.6) ** -2.0, spread, rtol=1e-9)


def test_adan_under_a_constant_gradient_steps_by_the_rate() -> None:
    steps = moves(path("adan", np.tile([[3.0, -0.5]], (30, 1)), np.zeros(2), learning_rate=RATE, eps=0.0))
    np.testing.assert_allclose(steps, np.tile([[-RATE, RATE]], (30, 1)), rtol=1e-9)


def test_adan_looks_ahead_along_a_ramp() -> None:
    """Gradients t have differences 0, 1, 1, ..., so that every term is a weighted mean of known numbers."""
    b1, b2, b3 = 0.9, 0.8, 0.95
    hparams = {"learning_rate": RATE, "b1": b1, "b2": b2, "b3": b3, "eps": 0.0}
    ramp = np.arange(1.0, 31.0)[:, None] * [1.0, 7.0]
    change = moves(ramp, ramp[0])
    ahead = weighted_means(b1, ramp) + b2 * weighted_means(b2, change)
    expected = -RATE * ahead / np.sqrt(weighted_means(b3, (ramp + b2 * change) ** 2))
    np.testing.assert_allclose(moves(path("adan", ramp, np.zeros(2), **hparams)), expected, rtol=1e-9)


def test_adan_without_gradient_shrinks_proximally() -> None:
    path_ = path("adan", np.zeros((30, 2)), np.array([1.0, -2.0]), learning_rate=0.1, weight_decay=0.2)
    np.testing.assert_allclose(path_, [1.0, -2.0] / 1.02 ** np.arange(1, 31)[:, None], rtol=1e-9)


def test_laprop_is_bounded_where_adam_is_not() -> None:
    """With b2 = 0 each gradient is normalised to its sign before it is averaged; Adam averages a spike first."""
    signs = np.sign(noise(0, 30, 3))
    g = signs * np.where(np.arange(30) == 10, 1e3, 1.0)[:, None]
    hparams = {"learning_rate": RATE, "b1": 0.9, "b2": 0.0, "eps": 0.0}
    laprop, adam = (moves(path(name, g, np.zeros(3), **hparams)) for name in ("laprop", "adam"))
    np.testing.assert_allclose(laprop, -RATE * weighted_means(0.9, signs), rtol=1e-9, atol=1e-11)  # 1e6 left v
    assert np.abs(adam).max() > 90 * RATE


def test_laprop_without_momentum_is_adam() -> None:
    g = noise(0, 30, 3)
    hparams = {"learning_rate": RATE, "b1": 0.0, "b2": 0.99, "eps": 0.0}
    laprop, adam = (path(name, g, np.zeros(3), **hparams) for name in ("laprop", "adam"))
    np.testing.assert_allclose(laprop, adam, rtol=1e-9)


@few
@given(seeds)
def test_diffgrad_halves_adams_step_where_the_gradient_stays(seed: int) -> None:
    g = noise(seed, 30, 3)
    g[10:15] = g[10]
    adam = moves(path("adam", g, np.zeros(3), learning_rate=RATE, eps_hat=True))
    friction = moves(path("diffgrad", g, np.zeros(3), learning_rate=RATE)) / adam
    assert (friction >= 0.5 - 1e-9).all()
    assert (friction < 1).all()
    np.testing.assert_allclose(friction[11:15], 0.5, rtol=1e-9)
    change = np.abs(moves(g))
    np.testing.assert_allclose(np.log(friction / (1 - friction))[:10], change[:10], rtol=1e-9, atol=1e-9)


def test_adopt_divides_by_the_past_alone() -> None:
    """The first gradient only sets the scale; then v is 4 and 20, and ratios are cut at 1 and 2^(1/4)."""
    g = np.array([[2.0], [6.0], [-8.0], [1.0]])
    hparams = {"learning_rate": RATE, "b1": 0.0, "b2": 0.5}
    free, clipped = (moves(path("adopt", g, np.zeros(1), clip=clip, **hparams))[:3, 0] for clip in (False, True))
    np.testing.assert_allclose(free, [0.0, -3 * RATE, 8 * RATE / 20**0.5], rtol=1e-9)
    np.testing.assert_allclose(clipped, [0.0, -RATE, 2**0.25 * RATE], rtol=1e-9)


def test_ademamix_without_its_slow_mean_is_adam() -> None:
    g = noise(0, 30, 3)
    ours = path("ademamix", g, np.zeros(3), learning_rate=RATE, alpha=0.0)
    np.testing.assert_allclose(ours, path("adam", g, np.zeros(3), learning_rate=RATE), rtol=1e-9)


@pytest.mark.parametrize("warmup", [0, 20])
def test_ademamix_adds_a_slow_mean_that_starts_from_zero(warmup: int) -> None:
    """A constant gradient: m^ is g and the slow mean (1 - product of all b3) g; half-lives of b3 rise linearly."""
    b1, b3, alpha, t = 0.9, 0.999, 5.0, np.arange(1, 31)
    hparams = {"learning_rate": RATE, "b1": b1, "b3": b3, "alpha": alpha, "eps": 0.0, "warmup": warmup}
    steps = moves(path("ademamix", np.tile([-2.0, 0.1, 30.0], (30, 1)), np.zeros(3), **hparams))
    part = np.minimum(t / warmup, 1) if warmup else np.ones(30)
    half_life = (1 - part) * np.log(0.5) / np.log(b1) + part * np.log(0.5) / np.log(b3)
    slow = 1 - np.cumprod(0.5 ** (1 / half_life))
    np.testing.assert_allclose(steps, RATE * np.outer(1 + part * alpha * slow, [1, -1, -1]), rtol=1e-9)


def test_mars_without_correction_is_adam_on_gradients_no_longer_than_one() -> None:
    g = noise(0, 30, 3)
    hparams = {"learning_rate": RATE, "b1": 0.95, "b2": 0.99}
    cut = g / np.maximum(1, np.linalg.norm(g, axis=1, keepdims=True))
    assert 0 < (cut != g).all(axis=1).sum() < 30
    ours, adam = path("mars", g, np.zeros(3), gamma=0.0, **hparams), path("adam", cut, np.zeros(3), **hparams)
    np.testing.assert_allclose(ours, adam, rtol=1e-9)


def test_mars_is_adam_on_gradients_that_lead_their_change() -> None:
    g = 0.01 * noise(0, 30, 3)
    hparams = {"learning_rate": RATE, "b1": 0.9, "b2": 0.99}
    led = g + 0.1 * 0.9 / (1 - 0.9) * moves(g, g[0])
    ours, adam = path("mars", g, np.zeros(3), gamma=0.1, **hparams), path("adam", led, np.zeros(3), **hparams)
    np.testing.assert_allclose(ours, adam, rtol=1e-9)


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_madgrad_goes_by_the_cube_root_of_the_gradients_scale(seed: int, scale: float) -> None:
    g = noise(seed, 20, 3)
    once, scaled = (path("madgrad", c * g, np.zeros(3), momentum=0.9, eps=0.0) for c in (1.0, scale))
    np.testing.assert_allclose(scaled, once * scale ** (1 / 3), rtol=1e-9, atol=1e-12 * scale ** (1 / 3))


def test_madgrad_under_a_constant_gradient_weighs_by_the_root_of_time() -> None:
    """s = W g and n = W g^2 with W the sum of all weights, so that z is W^(2/3) g^(1/3) from the start."""
    total = RATE * np.cumsum(np.arange(1, 21) ** 0.5)[:, None]
    hparams = {"learning_rate": RATE, "momentum": 0.0, "eps": 0.0}
    path_ = path("madgrad", np.tile([-8.0, 1.0, 27.0], (20, 1)), np.ones(3), **hparams)
    np.testing.assert_allclose(path_, 1 + total ** (2 / 3) * [2.0, -1.0, -3.0], rtol=1e-9)
