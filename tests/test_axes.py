"""Axes of studies: each makes valid tasks or refuses in a line, and those of data touch training rows alone."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import axes, study, studying, tasks
from bench.errors import UserError
from bench.perturb import FIFTH, Erase, Subsample, Unbalance
from bench.preprocess import Step, Table
from bench.tasks.mlp import Mlp
from tests.toy import quadratic

REGRESSION = "diabetes"
FOR_CLASSES = ("label-noise", "imbalance")
DATA = ("label-noise", "data-fraction", "imbalance", "missing-values")
ROWS = {"train": np.arange(0, 400), "valid": np.arange(400, 430), "test": np.arange(430, 460)}


@pytest.mark.parametrize("axis", axes.AXES)
def test_every_axis_turns_the_reference_task(axis: str) -> None:
    made = study.plan(axis).setups
    assert len(made) >= 2
    names = [setup.task.name for setup in made]
    assert len(set(names)) == (len(made) if axes.AXES[axis].task else 1)
    for setup in made:
        assert pickle.loads(pickle.dumps(setup.task)) == setup.task
        setup.task.build()
    for name, grid in studying.grids(study.plan(axis)).items():
        assert "/" not in name
        assert len(grid.fingerprints()) == len(grid.tasks) * len(grid.optimizers)


@pytest.mark.parametrize("axis", axes.AXES)
def test_every_axis_turns_a_regression_or_says_why_not(axis: str) -> None:
    if axis in FOR_CLASSES:
        with pytest.raises(UserError, match=f"study {axis} of {REGRESSION}: .* no classes.*digits would do") as refused:
            study.plan(axis, REGRESSION)
        assert "\n" not in str(refused.value)
        return
    for setup in study.plan(axis, REGRESSION).setups:
        assert isinstance(setup.task, Mlp)
        assert setup.task.table().x.shape[1] == setup.task.widths[0]


@pytest.mark.parametrize("axis", axes.AXES)
def test_one_thing_is_replaced(axis: str) -> None:
    planned = study.plan(axis)
    for setup in planned.setups:
        changed = [
            f.name
            for f in fields(setup.task)
            if f.name != "name" and getattr(setup.task, f.name) != getattr(planned.task, f.name)
        ]
        assert len(changed) <= 1
    if planned.own:
        own = planned.setups[planned.base]
        assert replace(own.task, name=planned.task.name) == planned.task


def test_the_tasks_own_value_is_found() -> None:
    found = {}
    for name in axes.AXES:
        planned = study.plan(name)
        if planned.own:
            found[name] = planned.setups[planned.base].value
    assert found.items() >= {
        "width": 32, "depth": 1, "activation": "relu", "initialiser": "glorot_uniform", "batch-size": 128,
        "schedule": "constant", "selection": "valid", "loss": "softmax_cross_entropy", "preprocessing": "own",
        "augmentation": "none",
        "label-noise": 0, "data-fraction": 1, "missing-values": 0, "regularization": 0, "budget": 270,
    }.items()  # fmt: skip


@pytest.mark.parametrize(
    ("axis", "task", "values", "words"),
    [
        ("width", "mnist_5k", [0, 8], "study width: 0 is not among its values, which are whole numbers of at least 1"),
        ("width", "mnist_5k", [2.5, 8], "2.5 is not among its values"),
        (
            "selection",
            "digits(batch_size=900)",
            ["valid", "kfold:2"],
            "'kfold:2' does not go: it leaves 764 training rows, and a batch takes 900",
        ),
        ("l2", "mnist_5k", [0.0, float("inf")], "study l2: inf is not finite; give numbers that are"),
        ("label-noise", "mnist_5k", [0, 0.0], "0 alone is no study; give two values or more"),
        ("depth", "autoencoder", None, "unequal widths .*equal ones would do"),
        ("activation", "mnist_5k", ["rleu", "relu"], "'rleu' is not among its values, which are relu, tanh"),
        ("batch-size", "diabetes", [64, 100000], "100000 does not go: there are 310 training rows"),
        ("loss", "mnist_5k", ["huber", "focal"], "'huber' does not go: with this task's targets go softmax_cross"),
        (
            "loss",
            "diabetes",
            ["focal", "huber"],
            "with this task's targets go half_squared_error, squared_err",
        ),
        ("augmentation", "diabetes", ["none", "shift"], "this task takes none, noise, more-noise"),
        ("data-fraction", "mnist_5k", [0.001, 1], "leaves 10 training rows, and a batch takes 128"),
        ("data-fraction", "mnist_5k", [0, 1], "0 is not among its values, which are shares above 0 and at most 1"),
        ("imbalance", "digits", [1, 10000], "a smaller ratio would do"),
        ("width", "mnist_5k", [8, 8], "8 alone is no study; give two values or more"),
        ("dropout", "mnist_5k", [0, 1.5], "1.5 does not go: .*dropout must be at least 0 and below 1"),
        ("dropout", "mnist_5k", None, "study dropout: a field has no usual values; give some"),
        (
            "l2",
            "mnist_5k",
            ["much", 0.1],
            "'much' is not among its values, which are of the kind of 0.0, the task's own",
        ),
        ("augment", "mnist_5k", ["a", "b"], "a study holds this field of a task"),
        ("metric", "mnist_5k", ["a", "b"], "a study holds this field of a task; turn one of batch_size"),
        ("widht", "mnist_5k", None, "there is no axis 'widht'; did you mean width"),
    ],
)
def test_bad_values_are_refused_in_a_line(axis: str, task: str, values: list[object] | None, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        study.plan(axis, task, values=values)
    assert "\n" not in str(refused.value)
    assert axis in str(refused.value)


def test_noise_that_is_there_is_turned_where_it_is() -> None:
    planned = study.plan("label-noise", "mnist_5k_noisy", values=[0.0, 0.4])
    assert (planned.base, planned.own) == (1, True)


def test_what_is_missing_are_features_as_the_network_has_them() -> None:
    for setup in study.plan("missing-values", "mnist_5k_clean", values=[0, 0.5]).setups[1:]:
        steps = [type(step).__name__ for step in axes.network(setup.task).preprocessing]
        assert steps.index("Pool") < steps.index("Erase") < steps.index("Fill")
    spoiled = axes.network(study.plan("missing-values", "diabetes", values=[0, 0.5]).setups[1].task).preprocessing
    assert [type(step).__name__ for step in spoiled].index("Erase") == 0  # what is fitted is fitted to what is left


def test_what_is_no_network_has_its_fields_and_no_width() -> None:
    with pytest.raises(UserError, match="turns a network on data, and this task is none; learning-rate"):
        study.plan("width", quadratic)
    planned = study.plan("noise", quadratic, ["sgd"], values=[0.0, 0.5, 2.0])
    assert [setup.task.name for setup in planned.setups] == [f"quadratic(noise={v})" for v in ("0.0", "0.5", "2.0")]
    assert planned.own
    assert planned.axis.scale == axes.LINEAR


def test_rates_need_a_rate() -> None:
    with pytest.raises(UserError, match=r"mnist_5k: 0\.1 does not go with adadelta"):
        study.plan("learning-rate", optimizer_specs=["adadelta(nothing=1)"], values=[0.1, 1.0])
    with pytest.raises(UserError, match="has its learning_rate fixed already"):
        study.plan("learning-rate", optimizer_specs=["sgd(learning_rate=1.0)"], values=[0.1, 1.0])


# Data


def table(seed: int, classes: int = 4) -> Table:
    rng = np.random.RandomState(seed)
    x = rng.normal(size=(460, 5)).astype(np.float32)
    return Table(x, rng.randint(0, classes, 460), np.ones(460), ROWS)


STEPS = (
    *(Subsample(share) for share in (0.05, 0.3, 1.0)),
    *(Unbalance(ratio) for ratio in (1, 3, 20)),
    *(Erase(share) for share in (0.0, 0.4, 0.9)),
)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.sampled_from(STEPS))
def test_only_training_rows_are_touched(seed: int, step: Step) -> None:
    before = table(seed)
    after = step(before)
    assert set(after.train) <= set(before.train)
    for split in ("valid", "test"):
        np.testing.assert_array_equal(after.rows[split], before.rows[split])
        np.testing.assert_array_equal(after.x[after.rows[split]], before.x[before.rows[split]])
        np.testing.assert_array_equal(after.y[after.rows[split]], before.y[before.rows[split]])
    np.testing.assert_array_equal(after.train, step(before).train)
    np.testing.assert_array_equal(after.x, step(before).x)
    other = before._replace(x=before.x.copy(), y=before.y.copy())
    other.x[400:], other.y[400:] = 7.0, 0
    again = step(other)
    np.testing.assert_array_equal(again.train, after.train)
    np.testing.assert_array_equal(again.x[again.train], after.x[after.train])


@pytest.mark.parametrize("axis", DATA)
def test_validation_and_test_rows_stay_the_tasks_own(axis: str) -> None:
    own = tasks.get("digits")
    assert isinstance(own, Mlp)
    before = own.table()
    for setup in study.plan(axis, "digits", values=[1, 10] if axis == "imbalance" else [0.2, 0.5]).setups:
        assert isinstance(setup.task, Mlp)
        after = setup.task.table()
        assert not np.array_equal(after.train, before.train) or (
            not np.array_equal(after.x[after.train], before.x[before.train])
            or not np.array_equal(after.y[after.train], before.y[before.train])
        )
        for split in ("valid", "test"):
            rows = before.rows[split]
            np.testing.assert_array_equal(after.rows[split], rows)
            np.testing.assert_array_equal(after.x[rows], before.x[rows])
            np.testing.assert_array_equal(after.y[rows], before.y[rows])


def test_less_of_something_is_part_of_more() -> None:
    before = table(1)
    few, many = Subsample(0.1)(before), Subsample(0.4)(before)
    assert set(few.train) < set(many.train)
    assert len(many.train) == pytest.approx(160, abs=4)
    holes, more = (np.isnan(Erase(share)(before).x[ROWS["train"]]) for share in (0.2, 0.6))
    assert (more | ~holes).all()
    assert holes.mean() == pytest.approx(0.2, abs=0.03)


def test_a_share_keeps_the_classes_and_at_least_a_row_of_each() -> None:
    done = Subsample(0.001)(table(2))
    assert np.bincount(done.y[done.train]).tolist() == [1, 1, 1, 1]


def test_unequal_classes_have_as_many_rows_in_all() -> None:
    before = table(3)
    for ratio in (1, 4, 16):
        after, frequent = Unbalance(ratio)(before), np.argsort(-np.bincount(before.y[before.train]), kind="stable")
        counts = np.bincount(after.y[after.train])[frequent]
        assert counts.sum() == pytest.approx(FIFTH * 400, abs=2)
        assert counts[0] / counts[-1] == pytest.approx(ratio, rel=0.35)
        assert (np.diff(counts) <= 0).all()
    rare = before._replace(y=np.where(before.y == 1, np.arange(len(before.y)) % 40 == 0, before.y).astype(int))
    held = (rare.y[rare.train] == 1).sum()
    for ratio in (1, 4):
        counts = np.bincount(Unbalance(ratio)(rare).y[Unbalance(ratio)(rare).train])
        assert counts.sum() == pytest.approx(4 * held, abs=2)  # as many as let all classes be equal
        assert counts.min() == counts[1]
    with pytest.raises(UserError, match="needs two integer classes"):
        Unbalance(2)(before._replace(y=before.y.astype(float)))


@pytest.mark.parametrize("step", [lambda: Subsample(0), lambda: Unbalance(0.5), lambda: Erase(1.0)])
def test_steps_refuse_what_they_cannot(step: object) -> None:
    assert callable(step)
    with pytest.raises(UserError, match="must be"):
        step()
