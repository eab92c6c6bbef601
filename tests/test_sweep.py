"""One replicate: equal budgets, honest selection, fresh seeds, seeds that can be added."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import optimizers
from bench import records
from bench.program import Program, compile_program
from bench.protocol import Protocol
from bench.records import Record
from bench.sweep import draw, select, sweep
from tests.toy import Quadratic

PROTOCOL = Protocol(replicates=2, trials=6, seeds=2, evaluations=4)
TASK = Quadratic(noise=0.3)


def one(program: Program, replicate: int, previous: Record | None = None) -> Record:
    """One replicate on its own."""
    [record] = sweep(program, {replicate: previous}, "print")
    return record


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_program(TASK, optimizers.get("momentum"), PROTOCOL)


def test_the_first_trial_is_the_papers_defaults_and_the_rest_fill_the_space() -> None:
    adam = optimizers.get("adam")
    settings = draw(adam, 17, "key")
    assert {name: values[0] for name, values in settings.items()} == adam.start
    for name, values in settings.items():
        low, high = sorted(float(q) for q in adam.space[name].quantile(np.array([0.0, 1.0])))
        assert ((values >= low) & (values <= high)).all()
    # Sobol points put one trial in each sixteenth of the range of the learning rate.
    rate = np.log(settings["learning_rate"][1:])
    low, high = np.log(adam.space["learning_rate"].quantile(np.array([0.0, 1.0])))
    assert sorted(np.floor(16 * (rate - low) / (high - low)).astype(int)) == list(range(16))


def test_draws_follow_their_key_alone() -> None:
    adam = optimizers.get("adam")
    first, again, other = (draw(adam, 8, key)["learning_rate"] for key in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert not np.intersect1d(first[1:], other[1:]).size


def test_an_optimizer_without_a_space_repeats_its_defaults() -> None:
    fixed = optimizers.get("sgd(learning_rate=0.3)")
    assert draw(fixed, 4, "key") == {}


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=12))
def test_the_lowest_finite_loss_is_chosen(losses: list[float]) -> None:
    chosen = select(np.asarray(losses))
    finite = [loss for loss in losses if np.isfinite(loss)]
    assert losses[chosen] == min(finite) if finite else chosen == 0


def test_a_record_holds_every_trial_and_seed(program: Program) -> None:
    record = one(program, 0)
    assert record.name == "quadratic--momentum--r00"
    assert record.arrays["search/train/loss"].shape == (6, 5)
    chosen = len(record.arrays["chosen"])
    assert record.arrays["final/test/size"].shape == (chosen, 2, 5)
    assert record.seeds == 2
    losses = record.arrays["search/train/loss"][:, -1]
    assert record.arrays["selected/train"] == np.nanargmin(losses)  # the setting that diverged did not win


def test_a_search_is_selected_from_by_each_loss_in_turn(program: Program) -> None:
    chosen = []
    for replicate in range(3):
        record = one(program, replicate)
        for by in ("train", "valid"):
            losses = record.arrays[f"search/{by}/loss"][:, -1]
            assert record.arrays[f"selected/{by}"] == np.nanargmin(losses)
        chosen.append({by: int(record.arrays[f"selected/{by}"]) for by in ("train", "valid")})
    assert any(pair["train"] != pair["valid"] for pair in chosen)  # else this could not tell them apart


def test_each_replicate_draws_its_own_trials(program: Program) -> None:
    first, second = (one(program, replicate).arrays["hparams/learning_rate"] for replicate in (0, 1))
    assert not np.intersect1d(first[1:], second[1:]).size


def test_final_seeds_are_not_those_of_the_search(program: Program) -> None:
    record = one(program, 0)
    trial = int(record.arrays["selected/train"])
    search = record.arrays["search/train/loss"][trial, -1]
    finals = record.final("train", "train/loss")[:, -1]
    assert len({float(search), *map(float, finals)}) == 3


def test_seeds_added_later_equal_those_run_at_once(program: Program) -> None:
    few, many = (replace(program, protocol=replace(PROTOCOL, seeds=seeds)) for seeds in (1, 3))
    grown = one(many, 1, one(few, 1))
    at_once = one(many, 1)
    assert grown.arrays.keys() == at_once.arrays.keys()
    for name, values in at_once.arrays.items():
        np.testing.assert_array_equal(grown.arrays[name], values, err_msg=name)


@pytest.mark.parametrize("lanes", [1, 4])
def test_replicates_swept_together_are_those_swept_alone(lanes: int) -> None:
    cell = compile_program(TASK, optimizers.get("momentum"), PROTOCOL, lanes)
    begun = one(replace(cell, protocol=replace(PROTOCOL, seeds=1)), 1)
    together = sweep(cell, {0: None, 1: begun, 2: None}, "print")
    assert [record.meta["replicate"] for record in together] == [0, 1, 2]
    for record, alone in zip(together, (one(cell, replicate) for replicate in range(3)), strict=True):
        assert record.arrays.keys() == alone.arrays.keys()
        for name, values in alone.arrays.items():
            np.testing.assert_array_equal(record.arrays[name], values, err_msg=name)


def test_a_replicate_is_reproduced_bit_by_bit(program: Program) -> None:
    first, second = (records.encode(one(program, 0)) for _ in range(2))
    assert first == second


def test_an_optimizer_under_another_name_has_its_own_draws_on_the_same_starts(program: Program) -> None:
    alias = compile_program(TASK, replace(optimizers.get("momentum"), name="alias"), PROTOCOL)
    plain, other = one(program, 0), one(alias, 0)
    # The defaults are trial 0 of both, on the same start.
    np.testing.assert_array_equal(plain.arrays["search/train/loss"][0], other.arrays["search/train/loss"][0])
    assert not np.intersect1d(plain.arrays["hparams/learning_rate"][1:], other.arrays["hparams/learning_rate"][1:]).size


def test_the_best_checkpoint_selects_and_is_read_where_validation_loss_is_lowest() -> None:
    protocol = replace(PROTOCOL, checkpoint="best")
    task = Quadratic(noise=3.0)  # so that curves go up again
    cell = compile_program(task, optimizers.get("momentum"), protocol)
    moved = 0
    for replicate in range(4):
        record = one(cell, replicate)
        record = Record({**record.meta, "protocol": protocol.identity}, record.arrays)
        losses = record.arrays["search/valid/loss"]
        lowest = np.where(np.isfinite(losses), losses, np.inf).min(axis=1)
        assert record.arrays["selected/valid"] == np.argmin(lowest)
        assert record.arrays["selected/train"] == np.nanargmin(record.arrays["search/train/loss"][:, -1])
        valid, test = (record.final("valid", f"{split}/loss") for split in ("valid", "test"))
        at = valid.argmin(axis=1)
        np.testing.assert_array_equal(record.ends("valid", "test/loss"), test[np.arange(2), at])
        np.testing.assert_array_equal(record.ends("train", "train/loss"), record.final("train", "train/loss")[:, -1])
        moved += int((at < 4).sum())
        # Within half of the budget only its first three points are there to be the best.
        half = record.at(0.5).ends("valid", "valid/loss")
        np.testing.assert_array_equal(half, valid[:, :3].min(axis=1))
    assert moved  # else the last point is always the best


def test_everything_diverging_is_a_record_too() -> None:
    hopeless = compile_program(TASK, optimizers.get("sgd(learning_rate=1e6)"), PROTOCOL)
    record = one(hopeless, 0)
    assert (record.arrays["search/diverged"] >= 0).all()
    assert (record.arrays["final/diverged"] >= 0).all()
    assert record.arrays["selected/train"] == record.arrays["selected/valid"] == 0
