"""What theory says of rules that go by signs of gradients, and of mixtures of momenta."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from tests.driving import few, minimised, moves, noise, path, traced, weighted_means

RATE = 0.01
seeds = st.integers(0, 1000)


@few
@given(seeds)
def test_sign_sgd_does_not_see_the_scale_of_any_coordinate(seed: int) -> None:
    g = noise(seed, 20, 4)
    g[::5, 0] = 0.0
    scaled = path("sign_sgd", g * np.exp(5 * noise(seed + 1, 20, 4)), np.zeros(4), learning_rate=RATE)
    np.testing.assert_allclose(scaled, -RATE * np.cumsum(np.sign(g), axis=0), rtol=1e-9, atol=1e-15)


def test_signum_steps_by_the_rate_until_a_spike_is_outweighed() -> None:
    """After a gradient of 10 at 0.9, k of -1 leave a mean of 2 0.9^k - 1, below zero from k = 7."""
    g = np.array([10.0] + [-1.0] * 20)[:, None]
    steps = moves(path("signum", g, np.zeros(1), learning_rate=RATE, momentum=0.9))[:, 0]
    np.testing.assert_allclose(steps, np.where(np.arange(21) < 7, -RATE, RATE), rtol=1e-9)


@few
@given(seeds, st.floats(0.0, 0.99), st.floats(0.0, 0.99))
def test_lion_steps_by_the_rate_or_not_at_all(seed: int, b1: float, b2: float) -> None:
    g = noise(seed, 20, 4)
    g[:, 0] = 0.0
    steps = np.abs(moves(path("lion", g, np.zeros(4), learning_rate=RATE, b1=b1, b2=b2)))
    np.testing.assert_allclose(steps[:, 1:], RATE, rtol=1e-9)
    np.testing.assert_array_equal(steps[:, 0], 0.0)


def test_lion_leans_towards_the_new_gradient_and_remembers_longer() -> None:
    """After a gradient of 100 at b2 = 0.99, k of -1 leave a mean of 2 0.99^k - 1; b1 times that outweighs 1 - b1
    while it is above 1/9, which is up to k = 58: in steps 2 + k.
    """
    g = np.array([100.0] + [-1.0] * 99)[:, None]
    steps = moves(path("lion", g, np.zeros(1), learning_rate=RATE, b1=0.9, b2=0.99))[:, 0]
    np.testing.assert_allclose(steps, np.where(np.arange(1, 101) <= 2 + 58, -RATE, RATE), rtol=1e-9)


def distance(p: np.ndarray) -> np.ndarray:
    return abs(p).sum()


def test_rprop_halves_its_step_at_each_overshoot() -> None:
    """On |x|: each step 1.2 times the last, until x has turned; then a rest, half a step, and on again."""
    start = np.array([10.0, -0.37])
    trained = minimised("rprop", distance, start, 80, learning_rate=1.0, min_step=0.0).trained
    for x, steps in zip(trained.T, moves(trained, start).T, strict=True):
        overshot = steps * x > 0
        assert overshot.sum() > 5
        for t in range(78):
            expected = [0.0, -steps[t] / 2] if overshot[t] else [1.2 * steps[t]] if steps[t] else []
            np.testing.assert_allclose(steps[t + 1 : t + 1 + len(expected)], expected, rtol=1e-9, atol=1e-15)
        assert abs(x[-1]) < 1e-3
    np.testing.assert_array_equal(np.abs(trained[0] - start), 1.0)


def test_rprop_keeps_its_steps_between_its_limits() -> None:
    hparams = {"learning_rate": 1.0, "min_step": 0.25, "max_step": 1.5}
    longest = moves(path("rprop", np.ones((5, 1)), np.zeros(1), **hparams))[:, 0]
    np.testing.assert_allclose(longest, [-1.0, -1.2, -1.44, -1.5, -1.5], rtol=1e-9)
    g = np.array([1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0])
    shortest = moves(path("rprop", g[:, None], np.zeros(1), **hparams))[:, 0]
    np.testing.assert_allclose(shortest, [-1.0, 0.0, 0.5, 0.0, -0.25, 0.0, 0.25, 0.0, -0.25], rtol=1e-9)


@pytest.mark.parametrize(("name", "inner"), [("cautious_adamw", "adam"), ("cautious_lion", "lion")])
def test_cautious_rules_go_downhill_or_nowhere_in_every_coordinate(name: str, inner: str) -> None:
    """Both read off a path of open-loop gradients; each scale makes up for the masked in its way."""
    g, hparams = noise(0, 30, 3), {"learning_rate": RATE}
    plain = moves(path(inner, g, np.zeros(3), **hparams))
    downhill = plain * g < 0
    assert 0.5 < downhill.mean() < 0.95
    count = downhill.sum(axis=1, keepdims=True)
    decay = {"weight_decay": 0.0} if name == "cautious_adamw" else {}
    for mask_scale, scale in (("mean", 3 / np.maximum(count, 1)), ("count", 3 / (count + 1))):
        ours = moves(path(name, g, np.zeros(3), mask_scale=mask_scale, **hparams, **decay))
        assert (ours * g <= 0).all()
        np.testing.assert_allclose(ours, np.where(downhill, plain * scale, 0.0), rtol=1e-9, atol=1e-15)


def test_cautious_adamw_does_not_mask_its_decay() -> None:
    start = np.array([1.0, -2.0, 0.5])
    trained = path("cautious_adamw", np.zeros((30, 3)), start, learning_rate=0.1, weight_decay=0.2)
    np.testing.assert_allclose(trained, start * 0.98 ** np.arange(1, 31)[:, None], rtol=1e-9)


@few
@given(seeds)
def test_grams_goes_against_the_gradient_as_far_as_adam(seed: int) -> None:
    g = noise(seed, 30, 3)
    ours, adam = (moves(path(name, g, np.zeros(3), learning_rate=RATE)) for name in ("grams", "adam"))
    assert (adam * g > 0).any()
    np.testing.assert_allclose(ours, -np.sign(g) * np.abs(adam), rtol=1e-9, atol=1e-15)


def test_grams_and_cautious_around_another_rule() -> None:
    g = noise(0, 30, 3)
    momentum = moves(path("momentum", g, np.zeros(3), learning_rate=RATE, momentum=0.9))
    grams = moves(path("grams:momentum", g, np.zeros(3), learning_rate=RATE, momentum=0.9))
    np.testing.assert_allclose(grams, -np.sign(g) * np.abs(momentum), rtol=1e-9, atol=1e-15)
    cautious = moves(path("cautious:momentum(mask_scale='count')", g, np.zeros(3), learning_rate=RATE, momentum=0.9))
    downhill = momentum * g < 0
    expected = momentum * downhill * 3 / (downhill.sum(axis=1, keepdims=True) + 1)
    np.testing.assert_allclose(cautious, expected, rtol=1e-9, atol=1e-15)


def test_qhm_lies_between_sgd_and_momentum() -> None:
    """Linear in nu, from SGD at 0 to momentum at 1, there with the rate times 1 - beta."""
    g, beta = noise(0, 30, 3), 0.9
    sgd, mixed, heavy = (
        path("qhm", g, np.zeros(3), learning_rate=RATE, momentum=beta, nu=nu) for nu in (0.0, 0.7, 1.0)
    )
    np.testing.assert_allclose(sgd, -RATE * np.cumsum(g, axis=0), rtol=1e-9, atol=1e-14)
    momentum = path("momentum", g, np.zeros(3), learning_rate=RATE * (1 - beta), momentum=beta)
    np.testing.assert_allclose(heavy, momentum, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(mixed, 0.3 * sgd + 0.7 * heavy, rtol=1e-9, atol=1e-14)


def test_aggmo_of_equal_momenta_is_momentum() -> None:
    g = noise(0, 30, 3)
    ours = path("aggmo", g, np.zeros(3), learning_rate=RATE, b1=0.9, b2=0.9, b3=0.9)
    np.testing.assert_allclose(
        ours, path("momentum", g, np.zeros(3), learning_rate=RATE, momentum=0.9), rtol=1e-9, atol=1e-14
    )


def test_aggmo_means_the_velocities_of_its_momenta() -> None:
    """Each is a decaying sum: a weighted mean times the sum of its weights."""
    g, betas, t = noise(0, 30, 3), (0.0, 0.9, 0.99), np.arange(1, 31)[:, None]
    velocities = [weighted_means(b, g) * (1 - b**t) / (1 - b) for b in betas]
    steps = moves(path("aggmo", g, np.zeros(3), learning_rate=RATE))
    np.testing.assert_allclose(steps, -RATE * np.mean(velocities, axis=0), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["cautious_lion", "rprop"])
def test_signs_are_compared_where_a_product_would_be_zero(name: str) -> None:
    """A gradient of 1e-30 has a square that is no float32, and the same sign as any other."""
    walk = traced(name, "learning_rate")
    tiny, plain = (walk(np.full((5, 3), size), np.zeros(3), RATE) for size in (1e-30, 1.0))
    np.testing.assert_array_equal(tiny, plain)
    assert (plain[-1] < 0).all()
