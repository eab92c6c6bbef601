"""The grid's tasks, what is random in their steps, and tasks of a user's own."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import optimizers
from bench import losses, suites, tasks
from bench.augment import Noise, Shift
from bench.data import open_dataset
from bench.errors import UserError
from bench.fingerprint import fingerprint
from bench.grid import resolve
from bench.preprocess import ClassWeights, OneHot, Pool, Resample, Standardize
from bench.program import compile_program
from bench.protocol import Protocol
from bench.task import SPLITS
from bench.tasks import TASKS, Mlp
from bench.tasks.mlp import EVALUATED, sample_rows

HERE = [task for task in TASKS.values() if task.name not in ("mnist", "fashion_mnist")]
CORE = [TASKS[name] for name in suites.get("core").tasks]


# The grid


@pytest.mark.parametrize("task", HERE, ids=lambda task: task.name)
def test_every_task_of_the_catalogue_can_be_built_on_its_data(task: Mlp) -> None:
    model, data = task.build(), task.data()
    params = model.init(jax.random.key(0))
    batch = {name: array[: task.batch_size] for name, array in data.train.items()}
    assert jax.eval_shape(model.loss, params, batch, jax.random.key(0)).shape == ()
    told = jax.eval_shape(model.evaluate, params, data.evaluation)
    assert {split: set(values) for split, values in told.items()} == {s: {"loss", task.metric} for s in SPLITS}
    assert {leaf.dtype for leaf in jax.tree.leaves(data.train)} == {np.dtype(np.float32)}
    for split, member in zip(SPLITS, data.evaluation["member"], strict=True):
        assert member.sum() == min(EVALUATED, len(task.table().rows[split]))


def test_the_grid_uses_no_data_set_more_than_three_times() -> None:
    uses = Counter(task.dataset for task in CORE if isinstance(task, Mlp))
    assert max(uses.values()) <= 3
    assert not {"mnist", "fashion_mnist"} & set(uses)


def test_suites_name_tasks_that_there_are() -> None:
    for suite in suites.SUITES.values():
        assert set(suite.tasks) <= set(TASKS)
    assert len(suites.get("smoke").tasks) == 2
    assert set(suites.get("core").tasks) < set(suites.get("full").tasks) == set(TASKS)


def test_the_tutorials_model_is_the_reference() -> None:
    mnist = TASKS["mnist"]
    assert isinstance(mnist, Mlp)
    assert (mnist.widths, mnist.batch_size, mnist.steps) == ((784, 32, 10), 128, 10 * (60_000 // 128))


# Steps: what is random in them, and what is not reported


def grown(**changes: Any) -> Mlp:
    plain = TASKS["digits_plain"]
    assert isinstance(plain, Mlp)
    return replace(plain, **changes)


def at_start(task: Mlp) -> tuple[Any, Any, Any]:
    """Model, parameters and a batch."""
    model, data = task.build(), task.data()
    return model, model.init(jax.random.key(1)), {name: jnp.asarray(a[:64]) for name, a in data.train.items()}


@pytest.mark.parametrize("changes", [{"augment": (Shift(8, 1),)}, {"augment": (Noise(0.1),)}, {"dropout": 0.2}])
def test_the_key_alone_decides_what_is_random_in_a_step(changes: dict[str, Any]) -> None:
    model, params, batch = at_start(grown(**changes))
    plain, _, _ = at_start(grown())
    drawn = [float(model.loss(params, batch, jax.random.key(k))) for k in (0, 0, 1, 2, 3, 4, 5)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 2
    assert np.mean(drawn) == pytest.approx(float(plain.loss(params, batch, jax.random.key(0))), rel=0.1)


@pytest.mark.parametrize("changes", [{"augment": (Shift(8, 1), Noise(0.1))}, {"dropout": 0.2}, {"l2": 1.0}])
def test_nothing_of_it_is_in_the_reported_losses(changes: dict[str, Any]) -> None:
    task, plain = grown(**changes), grown()
    params = plain.build().init(jax.random.key(0))
    evaluation = plain.data().evaluation
    ours, theirs = (jax.jit(t.build().evaluate)(params, evaluation) for t in (task, plain))
    for split in SPLITS:
        np.testing.assert_allclose(ours[split]["loss"], theirs[split]["loss"], rtol=1e-6)


def test_a_shift_moves_images_and_lets_zeros_in() -> None:
    images = jnp.tile(jnp.arange(1.0, 10), (100, 1))
    moved = {tuple(row) for row in np.asarray(Shift(3, 1)(images, jax.random.key(0))).astype(int)}
    assert len(moved) == 9
    assert (1, 2, 3, 4, 5, 6, 7, 8, 9) in moved
    assert (0, 0, 0, 0, 1, 2, 0, 4, 5) in moved
    assert (5, 6, 0, 8, 9, 0, 0, 0, 0) in moved


def test_noise_has_its_standard_deviation_and_no_mean() -> None:
    noise = np.asarray(Noise(0.3)(jnp.zeros((100, 100)), jax.random.key(0)))
    assert noise.std() == pytest.approx(0.3, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.01)


def test_the_penalty_pulls_on_weights_and_not_on_biases() -> None:
    model, params, batch = at_start(grown(l2=0.5))
    plain, _, _ = at_start(grown())
    key = jax.random.key(0)
    params = jax.tree.map(lambda leaf: leaf + 0.01, params)
    with_l2, without = (jax.grad(m.loss)(params, batch, key) for m in (model, plain))
    for layer in params:
        np.testing.assert_allclose(
            with_l2[layer]["kernel"] - without[layer]["kernel"], 0.5 * params[layer]["kernel"], rtol=1e-3, atol=1e-6
        )
        np.testing.assert_allclose(with_l2[layer]["bias"], without[layer]["bias"], rtol=1e-5, atol=1e-7)


def test_each_step_and_seed_has_a_key_of_its_own_and_optimizers_share_them(tmp_path: Path) -> None:
    """Gradients of a loss that is linear in its noise, at learning rate 1, are the noise itself."""
    file = tmp_path / "walk.py"
    file.write_text(
        "import jax, jax.numpy as jnp\nfrom bench.tasks import Custom\n"
        "def loss(params, batch, key):\n    return params * jax.random.normal(key)\n"
        "task = Custom(name='walk', init=lambda key: jnp.zeros(()), loss=loss,\n"
        "              evaluate=lambda params, rows: {'loss': params}, steps=20)\n"
    )
    task = tasks.get(str(file))
    protocol = Protocol(evaluations=20)

    def noise(optimizer: str, replicate: int, seed: str) -> np.ndarray:
        program = compile_program(task, optimizers.get(optimizer), protocol)
        curves = program.run(program.start(replicate, seed), {"learning_rate": 1.0})
        return -np.diff(np.asarray(curves.metrics["train"]["loss"]))

    first = noise("sgd", 0, "0")
    assert len(set(np.round(first, 4))) == 20
    np.testing.assert_allclose(noise("momentum(momentum=0.0)", 0, "0"), first, rtol=1e-4, atol=1e-5)
    for replicate, seed in ((0, "1"), (1, "0")):
        assert abs(np.corrcoef(first, noise("sgd", replicate, seed))[0, 1]) < 0.8


# Rows: which are reported, and how much each counts


def test_each_split_is_evaluated_on_its_own_rows() -> None:
    task = TASKS["breast_cancer"]
    assert isinstance(task, Mlp)
    model, table = task.build(), task.table()
    params = model.init(jax.random.key(3))
    told = model.evaluate(params, task.data().evaluation)
    for name in SPLITS:
        x, y = table.x[table.rows[name]], jnp.asarray(table.y[table.rows[name]])
        hidden = 1 / (1 + np.exp(-(x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])))
        outputs = jnp.asarray(hidden @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"])
        expected = losses.sigmoid_cross_entropy(outputs, y).mean()
        assert float(told[name]["loss"]) == pytest.approx(float(expected), rel=1e-4)
    assert len({float(told[name]["loss"]) for name in SPLITS}) == 3


def test_the_sample_for_the_training_loss_is_fixed_and_bounded() -> None:
    np.testing.assert_array_equal(sample_rows(10), np.arange(10))
    sample = sample_rows(3 * EVALUATED)
    assert len(set(sample)) == EVALUATED
    np.testing.assert_array_equal(sample, sample_rows(3 * EVALUATED))


def test_class_weights_scale_the_loss_of_their_rows() -> None:
    weighted, plain = TASKS["diamonds_cut"], TASKS["diamonds_cut_unweighted"]
    assert isinstance(weighted, Mlp)
    model, params, batch = at_start(weighted)
    y = open_dataset("diamonds_cut").raw()[1]
    train = weighted.table().train
    expected = len(train) / (5 * np.bincount(y[train]))
    np.testing.assert_allclose(batch["weight"], expected[y[train[:64]]], rtol=1e-6)
    outputs_loss = plain.build().loss
    key = jax.random.key(0)
    alone = [{name: batch[name][i : i + 1] for name in ("x", "y")} for i in range(64)]
    each = [float(outputs_loss(params, row, key)) for row in alone]
    mean = float(np.mean(np.asarray(each) * np.asarray(batch["weight"])))
    assert float(model.loss(params, batch, key)) == pytest.approx(mean, rel=1e-4)


def test_label_noise_is_in_training_rows_alone() -> None:
    task = TASKS["mnist_5k_noisy"]
    assert isinstance(task, Mlp)
    table = task.table()
    true = open_dataset("mnist_5k").raw()[1]
    wrong = table.y.argmax(1) != true
    assert wrong[table.train].mean() == pytest.approx(0.36, abs=0.02)
    assert not wrong[table.rows["valid"]].any()
    assert not wrong[table.rows["test"]].any()
    reported = table.train[sample_rows(len(table.train))]
    assert wrong[reported].mean() == pytest.approx(0.36, abs=0.05)  # the rows reported are no others than the rest


def test_resampling_and_weights_are_variants_of_one_split() -> None:
    base = Mlp(
        name="a", dataset="diamonds_cut", widths=(9, 5), activation="relu", loss="softmax_cross_entropy",
        metric="macro_f1", batch_size=8, steps=3, preprocessing=(Standardize(), OneHot()),
    )  # fmt: skip
    tables = [
        replace(base, preprocessing=(Standardize(), *steps, OneHot())).table()
        for steps in ((), (Resample(),), (ClassWeights(),))
    ]
    for split in ("valid", "test"):
        for other in tables[1:]:
            np.testing.assert_array_equal(other.rows[split], tables[0].rows[split])
    assert set(tables[1].train) == set(tables[0].train)


# Descriptions


def test_what_decides_numbers_is_in_the_fingerprint() -> None:
    task = grown()
    prints = {
        fingerprint(changed, "sgd", Protocol())
        for changed in (
            task,
            replace(task, dropout=0.1),
            replace(task, l2=0.1),
            replace(task, augment=(Noise(0.1),)),
            replace(task, augment=(Noise(0.2),)),
            replace(task, init="he_normal"),
            replace(task, preprocessing=(Pool(8, 1), OneHot())),
            replace(task, loss="focal"),
            replace(task, loss="focal(gamma=3.0)"),
        )
    }
    assert len(prints) == 9


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("digit", "there is no task 'digit'; did you mean digits"),
        ("digits(batch=3)", "there is no field batch to change; there are batch_size"),
        ("digits(batch_size)", "the brackets must hold name=value pairs"),
        ("digits(steps=0)", "steps must be a whole number of at least 1, not 0"),
        ("digits(dropout=1)", "dropout must be at least 0 and below 1"),
        ("digits(dropout='some')", "a value in the brackets is not of its field's kind"),
        ("digits(widths=64)", "a value in the brackets is not of its field's kind"),
        ("digits(widths=(64,))", "widths must be features, hidden layers and outputs"),
        ("digits(activation='rellu')", "there is no activation 'rellu'; did you mean relu"),
        ("digits(loss='hubert')", "there is no loss 'hubert'; did you mean huber?"),
        ("digits(metric='acc')", "there is no metric 'acc'"),
        ("digits(init='zeros')", "there is no initialiser 'zeros'"),
        ("nowhere.py", "there is no file nowhere.py"),
        ("nowhere.mod:task", "there is no module 'nowhere.mod'"),
        ("tests.toy:nothing", "has no task named 'nothing'"),
    ],
)
def test_a_wrong_task_is_named(spec: str, words: str) -> None:
    with pytest.raises(UserError, match=r"^[^\n]{0,600}$") as error:
        resolve(task_specs=[spec], optimizer_specs=["sgd"])
    assert words in str(error.value)


def test_a_network_that_does_not_fit_its_data_is_refused() -> None:
    with pytest.raises(UserError, match="the network goes from 63 to 10, the data has 64 features and 10 targets"):
        tasks.get("digits(widths=(63, 10))").data()


def test_missing_values_must_be_dealt_with() -> None:
    task = TASKS["txhousing"]
    assert isinstance(task, Mlp)
    with pytest.raises(UserError, match="txhousing has missing values; end its preprocessing with a Fill"):
        replace(task, preprocessing=(), widths=(7, 1)).data()


def test_fields_changed_in_brackets_are_in_the_name() -> None:
    task = tasks.get("digits(widths=(64, 16, 10), activation='tanh')")
    assert task.name == "digits(activation='tanh', widths=(64, 16, 10))"
    assert isinstance(task, Mlp)
    assert (task.activation, task.widths) == ("tanh", (64, 16, 10))
