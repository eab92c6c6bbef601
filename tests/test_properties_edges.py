"""Single rules where a constant of theirs matters, which it does not on the way that the oracles go."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from optimizers._base import average
from tests.driving import history, minimised, moves, path

RATE = 0.01


@pytest.mark.parametrize("name", ["shampoo", "soap"])
def test_a_side_longer_than_512_has_no_matrix(name: str) -> None:
    params = {"longest": jnp.zeros((512, 1)), "longer": jnp.zeros((513, 1))}
    grams = jax.eval_shape(optimizers.get(name).make().init, params).grams
    assert {axis: x.shape for axis, x in grams["longest"].items()} == {0: (512, 512), 1: (1, 1)}
    assert {axis: x.shape for axis, x in grams["longer"].items()} == {1: (1, 1)}


def test_shampoo_and_soap_leave_a_long_side_alone() -> None:
    """On a matrix of one row Shampoo then divides by the root of its length, and SOAP steps as Adam does."""
    g, hparams = np.full((3, 1, 4), 2.0) * [1.0, 2.0, 3.0, 4.0], {"learning_rate": RATE, "max_dim": 3}
    shampoo = moves(path("shampoo", g[:1], np.zeros((1, 4)), eps=1e-12, **hparams))
    np.testing.assert_allclose(shampoo[0], -RATE * g[0] / np.linalg.norm(g[0]) ** 0.5, rtol=1e-9)
    soap = moves(path("soap", g, np.zeros((1, 4)), eps=1e-12, **hparams))
    np.testing.assert_allclose(soap[1:], np.full((2, 1, 4), -RATE), rtol=1e-9)


def test_average_that_ends_near_the_new_value_is_as_exact_as_that() -> None:
    """From an old one that is a thousand times as large as what is left of it, in float32."""
    weight = np.float32(0.999)
    mean = average(jnp.float32(3e7), jnp.float32(0.0), jnp.float32(weight))
    np.testing.assert_allclose(float(mean), 3e7 * (1 - float(weight)), rtol=1e-6)


def test_sam_is_given_the_loss_of_parameters_as_they_are_trained() -> None:
    params, seen = jnp.ones(2, jnp.bfloat16), []

    def loss(p: jax.Array) -> jax.Array:
        seen.append(p.dtype)
        return jnp.sum(p)

    transform = optimizers.get("sam").make()
    transform.update(params, transform.init(params), params, value_fn=loss)
    assert seen == [jnp.bfloat16]
    with pytest.raises(ValueError, match="this rule needs value_fn"):
        transform.update(params, transform.init(params), params)


def test_cautious_magnifies_a_lonely_step_by_a_thousand_at_most() -> None:
    """Of 2000 coordinates one goes downhill after a step that all went."""
    g = np.ones((2, 2000))
    g[1, 1:] = -0.1
    steps = moves(path("cautious:momentum", g, np.zeros(2000), learning_rate=RATE, momentum=0.9))
    np.testing.assert_allclose(steps[0], -RATE, rtol=1e-9)
    np.testing.assert_allclose(steps[1], [-RATE * 1.9 * 1000, *[0.0] * 1999], rtol=1e-9)


@pytest.mark.parametrize("mask_scale", ["mean", "count"])
def test_cautious_stays_where_the_gradient_is_zero(mask_scale: str) -> None:
    g = np.array([[1.0, -1.0, 1.0, -1.0], [0.0, 0.0, 1.0, -1.0]])
    steps = moves(path(f"cautious:momentum(mask_scale={mask_scale!r})", g, np.zeros(4), learning_rate=RATE))
    larger = 4 / 2 if mask_scale == "mean" else 4 / 3
    np.testing.assert_allclose(steps[1], larger * RATE * 1.9 * np.array([0.0, 0.0, -1.0, 1.0]), rtol=1e-9)


def bowl(p: Any) -> Any:
    return jnp.sum(p**2)


def test_sam_reaches_less_far_where_the_gradient_is_no_longer_than_its_epsilon() -> None:
    """Half of rho uphill for a gradient of 1e-12."""
    trained = minimised("sam:sgd", bowl, np.array([5e-13]), 1, learning_rate=0.1, rho=0.5).trained
    np.testing.assert_allclose(trained[0], -0.1 * 2 * 0.25, rtol=1e-9)


def test_muon_does_not_magnify_a_gradient_shorter_than_its_epsilon() -> None:
    """The iteration on the one singular value starts from a tenth; four columns a row double the step."""
    direction = np.array([[0.6, 0.0, -0.8, 0.0]])
    step = moves(path("muon", 1e-8 * direction[None], np.zeros((1, 4)), learning_rate=RATE, momentum=0.0))[0]
    x = 0.1
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    np.testing.assert_allclose(step, -RATE * 2 * x * direction, rtol=1e-9)


@pytest.mark.parametrize("spec", ["lbfgs(memory=1)", "soap(precondition_frequency=1)", "lookahead(sync_period=1)"])
def test_one_is_a_number_of_steps(spec: str) -> None:
    assert optimizers.get(spec).make() is not None


def lbfgs_after(curvature: float, **hparams: Any) -> float:
    """What a gradient of 0.1 gives after a step of 1e-5 along which the gradient grew by `curvature` times as much."""
    transform = optimizers.get("lbfgs").make(line_search=False, **hparams)
    with jax.enable_x64(True):
        before, after = jnp.array([0.1 - 1e-5 * curvature]), jnp.array([0.1])
        _, state = transform.update(before, transform.init(jnp.zeros(1)), jnp.zeros(1))
        updates, _ = transform.update(after, state, jnp.array([1e-5]))
        return float(updates[0])


def test_lbfgs_learns_nothing_from_a_pair_whose_product_is_rounding() -> None:
    """At most 1e-10 with PyTorch; a curvature c then gives a step of g / c, else one of g."""
    assert lbfgs_after(1.5) == pytest.approx(-0.1 / 1.5, rel=1e-9)
    assert lbfgs_after(0.9) == pytest.approx(-0.1, rel=1e-9)


def test_lbfgs_without_line_search_costs_a_gradient_a_step() -> None:
    spent = optimizers.get("lbfgs").grad_evals
    assert spent is not None
    states = history("lbfgs", np.ones((3, 2)), np.zeros(2), line_search=False).states
    np.testing.assert_array_equal(spent(states), [1, 2, 3])


def shelf(p: Any) -> Any:
    """Falls to the left of zero by so much at once that half the slope there only promises it at a rate of two."""
    return jnp.where(p[0] < -0.1, -3e-4, p[0])


def test_lbfgs_asks_for_a_ten_thousandth_of_what_the_slope_promises() -> None:
    """From a slope of one: 4e-4 at a rate of four, which the shelf does not hold, and 2e-4 at one of two."""
    ours = minimised("lbfgs", shelf, np.zeros(1), 1, learning_rate=4.0)
    np.testing.assert_allclose(ours.trained, [[-2.0]], rtol=1e-12)


def test_lbfgs_does_not_search_where_the_slope_is_zero() -> None:
    spent = optimizers.get("lbfgs").grad_evals
    assert spent is not None
    np.testing.assert_array_equal(spent(minimised("lbfgs", bowl, np.zeros(2), 2).states), [2, 4])


@pytest.mark.parametrize("joint_norm", [False, True])
def test_lars_steps_as_momentum_from_zero(joint_norm: bool) -> None:
    """There the trust ratio would never let it leave."""
    step = path("lars", np.array([[3.0, -1.0]]), np.zeros(2), learning_rate=RATE, joint_norm=joint_norm)[0]
    np.testing.assert_allclose(step, [-3 * RATE, RATE], rtol=1e-9)


def test_schedule_free_waits_for_a_rate_above_zero() -> None:
    """As a warmup may begin with; no weight has been given yet."""
    ours = history("schedule_free_sgd", np.ones((2, 3)), np.ones(3), learning_rate=0.0)
    np.testing.assert_array_equal(ours.trained, 1.0)
    np.testing.assert_array_equal(ours.evaluated, 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", optimizers.names())
def test_step_counts_the_steps_taken(name: str) -> None:
    """Also where a rule only asks whether it is the first, or which of a period: a user may read it."""
    transform, params = optimizers.get(name).make(), jnp.ones(2)

    def step(state: Any, _: None) -> tuple[Any, Any]:
        return transform.update(params, state, params, value=jnp.sum(params), value_fn=jnp.sum)[1], None

    state = transform.init(params)
    if hasattr(state, "step"):
        assert jax.jit(lambda state: jax.lax.scan(step, state, None, 3)[0])(state).step == 3


def spike(p: Any) -> Any:
    """Slopes up at zero, where alone it is low: no step along the slope is good."""
    return p[0] + jnp.where(p[0] == 0, 0.0, 1.0)


def test_lbfgs_gives_up_after_twenty_halvings() -> None:
    ours = minimised("lbfgs", spike, np.zeros(1), 1, learning_rate=1.0)
    np.testing.assert_allclose(ours.trained, [[-(2.0**-20)]], rtol=1e-12)
    spent = optimizers.get("lbfgs").grad_evals
    assert spent is not None
    assert spent(ours.states)[0] == 1 + 1 + 20
