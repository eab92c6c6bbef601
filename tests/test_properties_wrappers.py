"""What theory says of rules around rules, and of rules that go by the loss or by the way they have come."""

from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given

import optimizers
from tests.driving import few, history, minimised, moves, noise, path, weighted_means

RATE = 0.01
seeds = st.integers(0, 1000)
CURVATURES = np.array([0.1, 0.3, 1.0, 2.0, 5.0, 10.0])


@pytest.mark.parametrize(("name", "inner", "period"), [("lookahead", "adam", 5), ("ranger", "radam", 6)])
def test_lookahead_goes_a_part_of_the_inner_way_in_every_period(name: str, inner: str, period: int) -> None:
    """Under gradients that do not depend on p, as the inner rule goes on as if it had never been drawn back."""
    g, start = noise(0, 30, 3), np.ones(3)
    fast = np.concatenate([start[None], path(inner, g, start, learning_rate=RATE, b2=0.9)])
    ours = history(name, g, start, learning_rate=RATE, b2=0.9, slow_step_size=0.3)
    synced = np.arange(1, 31) // period * period
    slow = start + 0.3 * (fast[synced] - start)
    np.testing.assert_allclose(ours.evaluated, slow, rtol=1e-9)
    np.testing.assert_allclose(ours.trained, slow + fast[1:] - fast[synced], rtol=1e-9)


def test_lookahead_in_every_step_is_sgd_of_a_smaller_rate() -> None:
    g = noise(0, 20, 3)
    ours = path("lookahead:sgd(sync_period=1, slow_step_size=0.3)", g, np.zeros(3), learning_rate=RATE)
    np.testing.assert_allclose(ours, -0.3 * RATE * np.cumsum(g, axis=0), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("debias", [False, True])
def test_ema_evaluates_a_weighted_mean_and_trains_as_without(debias: bool) -> None:
    """Debiased, weights fall by the decay a step of age; else the first step's stands for all before it."""
    g = noise(0, 30, 3)
    plain = path("adam", g, np.ones(3), learning_rate=0.1)
    ours = history("ema", g, np.ones(3), learning_rate=0.1, ema_decay=0.9, debias=debias)
    np.testing.assert_allclose(ours.trained, plain, rtol=1e-12)
    seen = plain if debias else np.concatenate([np.repeat(plain[:1], 1000, axis=0), plain[1:]])
    np.testing.assert_allclose(ours.evaluated, weighted_means(0.9, seen)[-30:], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("burn_in", [0, 10])
def test_swa_evaluates_the_mean_of_all_after_the_burn_in(burn_in: int) -> None:
    g = noise(0, 30, 3)
    plain = path("momentum", g, np.ones(3), learning_rate=0.1)
    ours = history("swa", g, np.ones(3), learning_rate=0.1, burn_in=burn_in)
    np.testing.assert_allclose(ours.trained, plain, rtol=1e-12)
    expected = [plain[t] if t <= burn_in else plain[burn_in : t + 1].mean(axis=0) for t in range(30)]
    np.testing.assert_allclose(ours.evaluated, expected, rtol=1e-9)


def bowl(p: Any) -> Any:
    """Curvature 2 in all directions of all arrays."""
    return sum(jnp.sum(x**2) for x in jax.tree.leaves(p))


def test_sam_on_a_bowl_contracts_as_if_from_further_away() -> None:
    """The gradient rho uphill is l (r + rho) at distance r, so r + rho falls by 1 - rate l a step; ||g|| is of all."""
    start = {"a": np.array([3.0, 0.0]), "b": np.array(-4.0)}
    trained = minimised("sam:sgd", bowl, start, 8, learning_rate=0.05, rho=0.5).trained
    radius = (5.0 + 0.5) * 0.9 ** np.arange(1, 9) - 0.5
    np.testing.assert_allclose(trained["a"], radius[:, None] * [0.6, 0.0], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(trained["b"], radius * -0.8, rtol=1e-9)


def test_sam_without_reach_is_momentum_at_twice_the_evaluations() -> None:
    sam = minimised("sam", bowl, np.ones(2), 8, learning_rate=0.05, rho=0.0)
    momentum = minimised("momentum", bowl, np.ones(2), 8, learning_rate=0.05)
    np.testing.assert_allclose(sam.trained, momentum.trained, rtol=1e-9)
    spent = optimizers.get("sam").grad_evals
    assert spent is not None
    np.testing.assert_array_equal(spent(sam.states), 2 * np.arange(1, 9))


def test_wrappers_around_a_wrapper_do_what_each_does() -> None:
    """SAM's path as above, averaged outside it, the decay of the rate times 0.2 inside it, on p itself."""
    hparams = {"learning_rate": 0.05, "rho": 0.5, "ema_decay": 0.9, "debias": True, "weight_decay": 0.2}
    ours = minimised("ema:sam:decoupled_decay:sgd", bowl, np.array([5.0]), 8, **hparams)
    r, radius = 5.0, []
    for _ in range(8):
        r += -0.05 * 2 * (r + 0.5) - 0.05 * 0.2 * r
        radius.append([r])
    np.testing.assert_allclose(ours.trained, radius, rtol=1e-9)
    np.testing.assert_allclose(ours.evaluated, weighted_means(0.9, np.array(radius)), rtol=1e-9)
    spent = optimizers.get("ema:sam:decoupled_decay:sgd").grad_evals
    assert spent is not None
    np.testing.assert_array_equal(spent(ours.states), 2 * np.arange(1, 9))


def test_lbfgs_with_exact_line_searches_ends_in_as_many_steps_as_dimensions() -> None:
    """It then goes as conjugate gradients do; the length of its steps is set here, as a rate cannot know it."""
    basis = np.linalg.qr(noise(0, 6, 6))[0]
    hessian = basis * CURVATURES @ basis.T
    transform = optimizers.get("lbfgs").make(line_search=False)

    def step(carry: Any, _: None) -> Any:
        p, state = carry
        g = jnp.asarray(hessian) @ p
        u, state = transform.update(g, state, p)
        p = p - (g @ u) / (u @ hessian @ u) * u
        return (p, state), p

    with jax.enable_x64(True):
        start = jnp.asarray(basis.sum(axis=1))
        p = np.asarray(jax.jit(lambda p: jax.lax.scan(step, (p, transform.init(p)), None, 6)[1])(start))
    assert (np.linalg.norm(p, axis=1)[:5] > 0.05).all()
    np.testing.assert_allclose(p[5], 0.0, atol=1e-9)


def oval(p: Any) -> Any:
    return jnp.sum(jnp.array([1.0, 2.0, 5.0]) * p**2) / 2


def test_lbfgs_is_bfgs_of_its_last_steps_from_the_scale_of_the_newest() -> None:
    start = np.ones(3)
    trained = minimised("lbfgs", oval, start, 8, learning_rate=0.3, memory=2, line_search=False).trained
    p = np.concatenate([start[None], trained])
    g = p * [1.0, 2.0, 5.0]
    s, y = np.diff(p, axis=0), np.diff(g, axis=0)
    np.testing.assert_allclose(s[0], -0.3 * g[0] / 8, rtol=1e-9)  # ||g||_1 = 8
    for t in range(1, 8):
        inverse = (s[t - 1] @ y[t - 1]) / (y[t - 1] @ y[t - 1]) * np.eye(3)
        for i in range(max(0, t - 2), t):
            project = np.eye(3) - np.outer(s[i], y[i]) / (s[i] @ y[i])
            inverse = project @ inverse @ project.T + np.outer(s[i], s[i]) / (s[i] @ y[i])
        np.testing.assert_allclose(s[t], -0.3 * inverse @ g[t], rtol=1e-9, atol=1e-12)


def rosenbrock(p: Any) -> Any:
    return 100 * (p[1] - p[0] ** 2) ** 2 + (1 - p[0]) ** 2


def test_lbfgs_descends_enough_in_every_step_and_finds_the_minimum() -> None:
    """Armijo's condition, of the loss and of the slope along the step."""
    start = np.array([-1.2, 1.0])
    ours = minimised("lbfgs", rosenbrock, start, 60)
    before = np.concatenate([start[None], ours.trained[:-1]])
    x, y = before.T
    slope = np.stack([-400 * x * (y - x**2) - 2 * (1 - x), 200 * (y - x**2)], axis=1)
    along = np.sum(slope * moves(ours.trained, start), axis=1)
    losses = rosenbrock(ours.trained.T)
    enough = losses <= rosenbrock(before.T) + 1e-4 * along
    moving = losses > 1e-20
    assert enough[moving].all()
    assert (along[moving] < 0).all()
    assert 10 < moving.sum() < 50
    np.testing.assert_allclose(ours.trained[-1], [1.0, 1.0], atol=1e-9)


@pytest.mark.parametrize(("rate", "ends", "spent"), [(1.0, [2.0, 0.0], [2, 4]), (16.0, [-1.0, 0.0], [4, 10])])
def test_lbfgs_learns_a_curvature_in_a_step_and_counts_its_losses(rate: float, ends: Any, spent: Any) -> None:
    """On x^2 from 3 the first direction is -1; the secant then knows that Newton's is -x. 16 is halved to 4, then to 1.

    A step costs its gradient, a loss and one more for each halving.
    """
    ours = minimised("lbfgs", bowl, np.array([3.0]), 2, learning_rate=rate)
    np.testing.assert_allclose(ours.trained[:, 0], ends, atol=1e-14)
    evaluations = optimizers.get("lbfgs").grad_evals
    assert evaluations is not None
    np.testing.assert_array_equal(evaluations(ours.states), spent)


def test_schedule_free_evaluates_the_mean_of_its_undamped_iterates() -> None:
    """Under given gradients these are SGD's or, without momentum, Adam's; y lies between them and their mean."""
    g = noise(0, 30, 3)
    hparams = {"learning_rate": 0.1, "beta": 0.8}
    for name, inner, fixed in (("schedule_free_sgd", "sgd", {}), ("schedule_free_adamw", "adam", {"b1": 0.0})):
        z = path(inner, g, np.ones(3), learning_rate=0.1, **fixed)
        x = np.cumsum(z, axis=0) / np.arange(1, 31)[:, None]
        ours = history(name, g, np.ones(3), **hparams)
        np.testing.assert_allclose(ours.evaluated, x, rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(ours.trained, 0.8 * x + 0.2 * z, rtol=1e-9, atol=1e-12, err_msg=name)


def test_schedule_free_weighs_by_the_square_of_the_largest_rate_so_far() -> None:
    rates = np.array([0.1, 0.2, 0.4, 0.4, 0.2, 0.1])
    g = noise(0, 6, 3)
    optimizer = optimizers.get("schedule_free_sgd")

    def step(carry: Any, given: Any) -> Any:
        g, rate = given
        transform = optimizer.make(learning_rate=rate)
        updates, state = transform.update(g, carry[1], carry[0])
        params = carry[0] + updates
        return (params, state), optimizer.eval_params(state, params)

    with jax.enable_x64(True):
        start = jnp.ones(3), optimizer.make().init(jnp.ones(3))
        x = jax.jit(lambda start: jax.lax.scan(step, start, (g, rates))[1])(start)
    z = 1 - np.cumsum(rates[:, None] * g, axis=0)
    weights = np.maximum.accumulate(rates)[:, None] ** 2
    np.testing.assert_allclose(x, np.cumsum(weights * z, axis=0) / np.cumsum(weights, axis=0), rtol=1e-9)


def test_schedule_free_adamw_decays_where_it_trains() -> None:
    """By 0.1 of y, which is 1, 0.9 and 0.9 * (0.9 + 0.81) / 2 + 0.1 * 0.81 before the three steps."""
    hparams = {"learning_rate": 0.5, "beta": 0.9, "weight_decay": 0.2}
    ours = history("schedule_free_adamw", np.zeros((3, 1)), np.ones(1), **hparams)
    np.testing.assert_allclose(ours.trained[:2, 0], [0.9, 0.8505], rtol=1e-9)
    np.testing.assert_allclose(ours.evaluated[2, 0], (0.9 + 0.81 + (0.81 - 0.08505)) / 3, rtol=1e-9)


def taxicab(p: Any) -> Any:
    return jnp.sum(jnp.abs(p - 3))


@pytest.mark.parametrize("bias_correction", [False, True])
def test_prodigys_estimate_rises_to_the_order_of_the_distance(bias_correction: bool) -> None:
    """From far below. Never above it: each <g, p0 - p> is at most <g, p0 - p*>, so r <= <s, p0 - p*> <= ||s||_1 D."""
    for d0 in (1e-8, 1e-5, 1e-2):
        ours = minimised("prodigy", taxicab, np.zeros(4), 1000, d0=d0, bias_correction=bias_correction)
        d = ours.states.distance
        assert d[0] == pytest.approx(d0)
        assert (np.diff(d) >= 0).all()
        assert 3 / 4 < d[-1] <= 3


def test_prodigys_estimate_is_a_weighted_mean_of_how_far_it_has_come() -> None:
    """Under a constant gradient, by sqrt(b2) a step of age and the square of the estimate of the day."""
    gradient = np.array([3.0, -1.0])
    ours = history("prodigy", np.tile(gradient, (150, 1)), np.zeros(2), d0=1e-6, b2=0.99, eps=0.0)
    d = np.concatenate([[1e-6], ours.states.distance])
    far = np.concatenate([[0.0], -ours.trained @ gradient / 4])
    for t in range(1, 151):
        weights = 0.99 ** (np.arange(t)[::-1] / 2) * d[:t] ** 2
        assert d[t] == pytest.approx(max(d[t - 1], weights @ far[:t] / weights.sum()), rel=1e-9)
    assert d[-1] > 1e3 * d[0]
    first = 1e-6 * 0.1 / 0.01**0.5
    np.testing.assert_allclose(ours.trained[0], [-first, first], rtol=1e-9)


def test_prodigy_stays_where_there_is_no_gradient() -> None:
    ours = history("prodigy", np.zeros((3, 2)), np.ones(2), weight_decay=0.1)
    np.testing.assert_array_equal(ours.trained, 1.0)
    np.testing.assert_array_equal(ours.states.distance, 1e-6)


PARAMETER_FREE = {
    "dog": ("reps_rel", {"init_eps": 0.0}, 1.0 + 5.0),
    "dowg": ("init_estim_sq_dist", {"eps": 0.0}, 1.0),
}


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_dog_and_dowg_do_not_see_the_scale_of_the_gradients(seed: int, scale: float) -> None:
    """Their first step is as long as the guessed distance, for DoG in units of 1 + ||p0||."""
    g, start = noise(seed, 20, 2), np.array([3.0, -4.0])
    for name, (guess, no_eps, unit) in PARAMETER_FREE.items():
        once, scaled = (path(name, c * g, start, **{guess: 0.01}, **no_eps) for c in (1.0, scale))
        np.testing.assert_allclose(scaled, once, rtol=1e-9, atol=1e-9)
        first = 0.01 * unit if name == "dog" else 0.01**0.5
        np.testing.assert_allclose(once[0] - start, -first * g[0] / np.linalg.norm(g[0]), rtol=1e-9, atol=1e-12)


def slope(p: Any) -> Any:
    return jnp.sum(jnp.array([1.0, 0.3, 0.1]) * (p - 3) ** 2) / 2


@pytest.mark.parametrize("name", PARAMETER_FREE)
def test_dog_and_dowg_find_the_minimum_from_any_guess_of_the_distance(name: str) -> None:
    """Six orders of magnitude below to a hundredth of it, in as many steps as the worst needs to grow."""
    guess, no_eps, _ = PARAMETER_FREE[name]
    for distance in (1e-8, 1e-6, 1e-4, 1e-2):
        value = distance if name == "dog" else distance**2
        trained = minimised(name, slope, np.zeros(3), 500, **{guess: value}, **no_eps).trained
        assert slope(trained[-1]) < 1e-3 * slope(np.zeros(3))


def test_dog_and_dowg_go_by_the_largest_distance_so_far() -> None:
    """1-D gradients -1, -1, 4 from 0 with a guess of 1: far by 1, then by more, then back."""
    g = np.array([[-1.0], [-1.0], [4.0], [-1.0]])
    dog = path("dog", g, np.zeros(1), reps_rel=1.0, init_eps=0.0)[:, 0]
    second = 1 + 1 / 2**0.5
    third = second - second * 4 / 18**0.5
    np.testing.assert_allclose(dog, [1.0, second, third, third + second / 19**0.5], rtol=1e-9)
    dowg = path("dowg", g, np.zeros(1), init_estim_sq_dist=1.0, eps=0.0)[:, 0]
    weighed = 2 + 16 * second**2
    third = second - second**2 * 4 / weighed**0.5
    np.testing.assert_allclose(dowg, [1.0, second, third, third + second**2 / (weighed + second**2) ** 0.5], rtol=1e-9)
