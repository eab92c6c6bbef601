"""Cross-validation: rows dealt into folds, and settings that are chosen on all of them."""

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import optimizers
from bench import layout, records, sweep, tasks
from bench.errors import UserError
from bench.grid import resolve
from bench.preprocess import Folded, OfficialSplit, RandomSplit
from bench.program import compile_program
from bench.protocol import Protocol
from bench.sweep import read, select
from tests.toy import Quadratic

PROTOCOL = Protocol(trials=4, seeds=1, steps=30, select="kfold:3")


@given(st.integers(20, 200), st.integers(2, 10), st.integers(1, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_folds_deal_out_what_is_not_for_testing(rows: int, of: int, classes: int, official: bool) -> None:
    y = np.random.RandomState(rows).randint(0, classes, rows)
    x = np.zeros((rows, 1))
    whole = OfficialSplit(rows // 2) if official else RandomSplit()
    before = whole(x, y)
    known = np.concatenate([before["train"], before["valid"]])
    folds = [Folded(whole, fold, of)(x, y) for fold in range(of)]
    held = np.concatenate([fold["valid"] for fold in folds])
    assert len(held) == len(np.unique(held)) == len(known) // of * of
    assert np.isin(held, known).all()
    for fold in folds:
        np.testing.assert_array_equal(fold["test"], before["test"])
        assert len(fold["valid"]) == len(held) // of
        np.testing.assert_array_equal(np.sort(np.concatenate([fold["train"], fold["valid"]])), np.sort(held))
    for label in range(classes):  # each fold has its share of each class
        counts = [(y[fold["valid"]] == label).sum() for fold in folds]
        assert max(counts) - min(counts) <= 2


def test_too_few_rows_are_said() -> None:
    with pytest.raises(UserError, match="4 rows cannot be dealt into 9 folds"):
        Folded(RandomSplit(0.2, 0.2), 0, 9)(np.zeros((5, 1)), np.zeros(5))


@pytest.mark.parametrize(
    "how", ["kfold", "kfold:1", "kfold:21", "kfold:x", "kfold:2.5", "folds:5", "train", "kfold:-3"]
)
def test_a_selection_is_one_of_two_kinds(how: str) -> None:
    with pytest.raises(UserError, match=f"select must be valid, or kfold:2 to kfold:20, not '{how}'"):
        Protocol(select=how)


def test_the_usual_selection_goes_without_saying() -> None:
    assert "select" not in Protocol().identity
    assert Protocol(select="kfold:5").identity["select"] == "kfold:5"
    assert Protocol(select="kfold:5").folds == 5
    assert Protocol().folds == 0


def test_a_task_without_rows_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="has no rows to deal into folds; leave --select kfold out"):
        resolve(task_specs=[Quadratic()], optimizer_specs=["sgd"], select="kfold:5")


def test_settings_are_chosen_by_the_mean_over_held_out_folds() -> None:
    task = tasks.get("breast_cancer", 30)
    program = compile_program(task, optimizers.get("momentum"), PROTOCOL)
    assert len(program.folds) == 3
    assert len({id(fold.call) for fold in program.folds}) == 1  # compiled once
    assert len({np.asarray(fold.data.train["x"]).tobytes() for fold in program.folds}) == 3  # on other rows
    [record] = sweep.sweep(program, {0: None}, "print")
    folds = record.arrays["folds/loss"]
    assert folds.shape == (3, 4, 21)
    assert int(record.arrays["selected/valid"]) == int(np.argmin(folds[:, :, -1].mean(axis=0)))
    plain = compile_program(task, optimizers.get("momentum"), replace(PROTOCOL, select="valid"))
    [usual] = sweep.sweep(plain, {0: None}, "print")
    for name in ("search/train/loss", "search/valid/loss", "hparams/learning_rate", "selected/train"):
        np.testing.assert_array_equal(record.arrays[name], usual.arrays[name])  # only the choice is another
    assert "folds/loss" not in usual.arrays
    layout.check({**record.meta, "environment": {}}, record.arrays)
    again = records.decode(records.encode(record))
    np.testing.assert_array_equal(again.arrays["folds/loss"], folds)
    [more] = sweep.sweep(replace(program, protocol=replace(PROTOCOL, seeds=2)), {0: again}, "print")
    np.testing.assert_array_equal(more.arrays["folds/loss"], folds)
    assert more.seeds == 2
    assert record.at(0.5).arrays["folds/loss"].shape == (3, 4, 11)


def test_what_diverges_on_one_fold_is_not_chosen() -> None:
    folds = np.array([[[0.1], [0.5], [0.9]], [[np.nan], [0.6], [0.9]]], np.float32)
    assert select(read(Protocol(select="kfold:2"), "valid", {"folds": folds, "valid/loss": folds[0]})) == 1


def test_the_best_checkpoint_is_that_of_the_mean() -> None:
    folds = np.array([[[9.0, 1.0, 5.0]], [[9.0, 5.0, 1.0]]], np.float32)
    protocol = Protocol(select="kfold:2", checkpoint="best")
    assert read(protocol, "valid", {"folds": folds}).tolist() == [3.0]
