"""The spine against plain loops and closed forms."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import optimizers
from bench import tasks
from bench.program import Program, compile_program, epochs
from bench.protocol import Protocol
from bench.schedule import SHAPES
from bench.tasks import Custom
from bench.train import distance
from optimizers import Optimizer
from tests.toy import Quadratic

PROTOCOL = Protocol(replicates=1, trials=2, seeds=1, evaluations=4)


def cell(optimizer: Optimizer, task=Quadratic(), protocol: Protocol = PROTOCOL) -> Program:  # type: ignore[no-untyped-def]  # noqa: B008
    return compile_program(task, optimizer, protocol)


@pytest.fixture(scope="module")
def sgd_program() -> Program:
    return cell(optimizers.get("sgd"))


def test_gradient_descent_on_a_quadratic_has_its_closed_form(sgd_program: Program) -> None:
    rate, start = 0.05, sgd_program.start(0, "0")
    curves = sgd_program.run(start, {"learning_rate": rate})
    steps = PROTOCOL.points(40)
    expected = sum(0.5 * c * (1 - rate * c) ** (2.0 * steps) for c in (1.0, 10.0))
    np.testing.assert_allclose(curves.metrics["train"]["loss"], expected, rtol=1e-4)
    assert curves.distance == pytest.approx(np.hypot(1 - 0.95**40, 1 - 0.5**40), rel=1e-5)


def test_the_first_point_is_the_start_and_the_last_the_budget(sgd_program: Program) -> None:
    curves = sgd_program.run(sgd_program.start(0, "0"), {})
    assert curves.metrics["train"]["loss"][0] == pytest.approx(5.5)
    assert curves.metrics["valid"]["loss"][0] == pytest.approx(20.0)
    np.testing.assert_array_equal(curves.grad_evals, [0, 10, 20, 30, 40])


def test_training_alone_is_the_same_training(sgd_program: Program) -> None:
    start = sgd_program.start(0, "0")
    path, curves = sgd_program.train(start, {}), sgd_program.run(start, {})
    assert distance(start, path.params) == curves.distance > 0
    np.testing.assert_array_equal(path.params, path.evaluated[-1])


def test_a_shorter_run_is_the_beginning_of_a_longer_one(sgd_program: Program) -> None:
    start = sgd_program.start(0, "0")
    short = sgd_program.run(start, {}, points=np.array([0, 5, 10, 15, 20], np.int32))
    whole = sgd_program.run(start, {})
    np.testing.assert_array_equal(short.metrics["train"]["loss"][[0, 2, 4]], whole.metrics["train"]["loss"][:3])


def test_divergence_is_a_result_with_its_step(sgd_program: Program) -> None:
    curves = sgd_program.run(sgd_program.start(0, "0"), {"learning_rate": 1e5})
    # w_2 grows by 1e6 a step, so its square leaves float32 (3e38) when the fourth loss is taken.
    assert 2 <= curves.diverged <= 4
    assert not np.isfinite(curves.metrics["train"]["loss"][1:]).any()
    assert sgd_program.run(sgd_program.start(0, "0"), {}).diverged == -1


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_a_run_is_the_plain_loop(name: str) -> None:
    """One jitted step after another over the same rows, with optax's optimizer, gives the same losses."""
    task = replace(tasks.get(name), steps=30)
    program = cell(optimizers.get("adam"), task)
    start = program.start(0, "0")
    curves = program.run(start, {"learning_rate": 0.01, "b1": 0.8})

    tx, params = optax.adam(0.01, b1=0.8), start.params
    state, losses = tx.init(params), []
    gradient = jax.jit(jax.grad(lambda p, b: program.model.loss(p, b, jax.random.key(0))))
    for step in range(31):
        if step in PROTOCOL.points(30):
            losses.append(program.model.evaluate(params, program.data.evaluation)["train"]["loss"])
        if step < 30:
            batch = jax.tree.map(lambda a: a[start.order[step]], program.data.train)  # noqa: B023
            updates, state = tx.update(gradient(params, batch), state, params)
            params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(curves.metrics["train"]["loss"], losses, rtol=2e-4)


def test_sgd_on_the_whole_training_set_is_gradient_descent() -> None:
    task = replace(tasks.get("diabetes"), steps=8)
    program = cell(optimizers.get("sgd"), task)
    start = program.start(0, "0")
    assert start.order.shape == (8, 310)
    assert all(len(set(rows)) == 310 for rows in np.asarray(start.order))
    x, y = (np.asarray(program.data.train[k], np.float64) for k in "xy")
    kernel1, bias1 = (np.asarray(start.params["Dense_0"][k], np.float64) for k in ("kernel", "bias"))
    kernel2, bias2 = (np.asarray(start.params["Dense_1"][k], np.float64) for k in ("kernel", "bias"))
    losses = []
    for _ in range(9):
        hidden = np.tanh(x @ kernel1 + bias1)
        residual = hidden @ kernel2 + bias2 - y
        losses.append((residual**2).sum() / (2 * len(x)))
        upstream = residual / len(x)
        inner = (upstream @ kernel2.T) * (1 - hidden**2)
        kernel2, bias2 = kernel2 - 0.1 * hidden.T @ upstream, bias2 - 0.1 * upstream.sum(0)
        kernel1, bias1 = kernel1 - 0.1 * x.T @ inner, bias1 - 0.1 * inner.sum(0)
    curves = program.run(start, {"learning_rate": 0.1})
    np.testing.assert_allclose(curves.metrics["train"]["loss"], np.asarray(losses)[PROTOCOL.points(8)], rtol=1e-4)


def test_starts_are_paired_and_fresh() -> None:
    one, other = cell(optimizers.get("sgd")), cell(optimizers.get("momentum"))
    bits = [one.start(0, "0"), other.start(0, "0")]
    assert jax.tree.all(jax.tree.map(np.array_equal, *bits))
    orders = [np.asarray(one.start(r, s).order) for r, s in ((0, "search"), (0, "0"), (0, "1"), (1, "0"))]
    assert len({order.tobytes() for order in orders}) == 4


@given(rows=st.integers(1, 40), batch=st.integers(1, 40), steps=st.integers(1, 60))
def test_each_epoch_sees_a_row_at_most_once(rows: int, batch: int, steps: int) -> None:
    batch = min(rows, batch)
    order = epochs(rows, batch, steps, np.random.RandomState(0))
    assert order.shape == (steps, batch)
    assert order.min() >= 0
    assert order.max() < rows
    per_epoch = rows // batch
    for begin in range(0, steps, per_epoch):
        epoch = order[begin : begin + per_epoch].ravel()
        assert len(set(epoch)) == len(epoch)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear", "wsd"])
def test_a_schedule_scales_the_rate_of_each_step(schedule: str) -> None:
    program = cell(optimizers.get("sgd"), protocol=replace(PROTOCOL, schedule=schedule))
    curves = program.run(program.start(0, "0"), {"learning_rate": 0.05})
    shape = [float(SHAPES[schedule](jnp.float32(step / 40))) for step in range(40)]
    w = np.array([1.0, -1.0])
    for factor in shape:
        w = w * (1 - 0.05 * factor * np.array([1.0, 10.0]))
    assert curves.metrics["train"]["loss"][-1] == pytest.approx(0.5 * w[0] ** 2 + 5 * w[1] ** 2, rel=1e-4)


def test_a_first_length_is_the_rate_however_a_schedule_begins() -> None:
    program = cell(optimizers.get("rprop"), protocol=replace(PROTOCOL, schedule="cosine"))
    start = program.start(0, "0")
    small, large = (program.run(start, {"learning_rate": rate}).metrics["train"]["loss"] for rate in (1e-3, 0.1))
    assert large[1] < 0.9 * small[1]


def test_shapes_have_their_known_values() -> None:
    at = {name: [float(SHAPES[name](jnp.float32(s))) for s in (0.025, 0.05, 0.525, 0.9, 1.0)] for name in SHAPES}
    assert at["constant"] == [1, 1, 1, 1, 1]
    assert at["cosine"] == pytest.approx([0.5, 1, 0.5, 0.5 * (1 + np.cos(np.pi * 0.85 / 0.95)), 0], abs=1e-6)
    assert at["linear"] == pytest.approx([0.5, 1, 0.5, 0.1 / 0.95, 0], abs=1e-6)
    assert at["wsd"] == pytest.approx([0.5, 1, 1, 0.5, 0], abs=1e-6)


def test_an_optimizer_may_evaluate_other_parameters_than_it_trains() -> None:
    zeroed = replace(optimizers.get("sgd"), eval_params=lambda state, params: jax.tree.map(jnp.zeros_like, params))
    program = cell(zeroed)
    np.testing.assert_array_equal(program.run(program.start(0, "0"), {}).metrics["train"]["loss"], 0)


def test_what_is_evaluated_has_the_dtypes_of_what_is_trained() -> None:
    """An average kept in float32 beside parameters in bfloat16 is evaluated as it would be used."""

    def init(key: object) -> object:
        return jnp.ones(2, jnp.bfloat16)

    task = Custom(name="half", init=init, loss=lambda w, batch, key: jnp.sum(w**2).astype(jnp.float32), metric="loss")
    wide = replace(optimizers.get("sgd"), eval_params=lambda state, params: params.astype(jnp.float32))
    curves, plain = (
        program.run(program.start(0, "0"), {}).metrics["train"]["loss"]
        for program in (cell(wide, task), cell(optimizers.get("sgd"), task))
    )
    np.testing.assert_array_equal(curves, plain)
    assert curves[-1] < curves[0]


def test_the_budget_is_in_gradient_evaluations(sgd_program: Program) -> None:
    """Two a step with SAM, which without a reach is SGD: the same points of its path, at twice the price."""
    program = cell(optimizers.get("sam:sgd(rho=0.0)"))
    curves = program.run(program.start(0, "0"), {})
    np.testing.assert_array_equal(curves.grad_evals, [0, 10, 20, 30, 40])
    half = sgd_program.run(sgd_program.start(0, "0"), {}, points=np.array([0, 5, 10, 15, 20], np.int32))
    np.testing.assert_allclose(curves.metrics["train"]["loss"], half.metrics["train"]["loss"], rtol=1e-6)


def test_hyperparameters_are_arguments_of_one_program(sgd_program: Program) -> None:
    start = sgd_program.start(0, "0")
    ends = [sgd_program.run(start, {"learning_rate": rate}).metrics["train"]["loss"][-1] for rate in (0.01, 0.02, 0.04)]
    assert ends[0] > ends[1] > ends[2] > 0
