"""A run's folder as an object: what belongs to it, its scores, its times, its tables."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import frames, records, results
from bench.errors import UserError
from bench.manifest import ROUNDS
from bench.protocol import Protocol
from bench.records import Record
from bench.results import Results
from tests import filed

MANIFEST = filed.manifest()


def put(folder: Path, replicate: int, fingerprint: str = "right", last: float = 0.5, optimizer: str = "o") -> None:
    """A record of three trials, the second chosen by training loss and the third by validation loss; every number
    says where it belongs: 100 x chosen setting + 10 x seed, in each split its own."""
    arrays = filed.arrays(seeds=3)
    for stage, shape in (("search", (3,)), ("final", (2, 3))):
        for index, split in enumerate(("train", "valid", "test")):
            for metric in ("loss", "accuracy"):
                values = np.full((*shape, 2), last + index, np.float32)
                if stage == "final":
                    values += 100 * np.arange(2)[:, None, None] + 10 * np.arange(3)[:, None]
                arrays[f"{stage}/{split}/{metric}"] = values.astype(np.float32)
    record = Record(filed.meta(replicate=replicate, fingerprint=fingerprint, optimizer=optimizer), arrays)
    records.save(folder, records.encode(record), record.name)


def timing(cell: str = "right", device: str = "cpu") -> dict[str, Any]:
    times = {name: [value] * 3 for name, value in zip(ROUNDS, (0.6, 0.4, 0.2, 0.2), strict=True)}
    return {**times, "doubling": 2.0, "distance": 1.0, "steps": 10, "device": device, "cell": cell, "fingerprint": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results.write_manifest(tmp_path, MANIFEST)
    return tmp_path


def test_only_what_was_asked_for_and_made_by_this_code_is_shown(folder: Path) -> None:
    put(folder, 0)
    put(folder, 1, fingerprint="of other code")
    put(folder, 2)  # beyond the replicates asked for
    put(folder, 0, optimizer="another")
    loaded = results.load(folder)
    assert [record.name for record in loaded.units] == ["t--o--r00"]
    assert loaded.units[0].seeds == 2  # of three


def test_a_score_is_the_mean_over_seeds_of_the_log_of_the_floored_loss_of_what_was_chosen(folder: Path) -> None:
    put(folder, 0)
    put(folder, 1, last=1e-9)
    scores = results.load(folder).scores("train", "train")
    assert scores.shape == (1, 1, 2)
    assert scores[0, 0] == pytest.approx([np.log([0.5, 10.5]).mean(), np.log([0.01, 10.0]).mean()], rel=1e-5)
    by_valid = results.load(folder).scores("valid", "test")
    assert by_valid[0, 0, 0] == pytest.approx(np.log([102.5, 112.5]).mean(), rel=1e-5)


def test_a_run_that_diverged_scores_infinity_and_a_missing_one_nothing(folder: Path) -> None:
    put(folder, 0, last=float("nan"))
    scores = results.load(folder).scores("train", "train")
    assert scores[0, 0, 0] == np.inf


def test_times_are_the_cells_own_and_of_this_code(folder: Path) -> None:
    put(folder, 0)
    file = results.timing_file(folder, "t")
    file.parent.mkdir()
    file.write_text(json.dumps({"o": timing()}))
    found = results.load(folder).timings["t", "o"]
    assert (found.seconds_per_step, found.ratio) == (0.6, 2.0)
    file.write_text(json.dumps({"o": timing(device="Some GPU")}))
    assert results.load(folder).timings["t", "o"].ratio == pytest.approx(3.0)  # not the processor's time
    file.write_text(json.dumps({"o": timing("of other code")}))
    assert not results.load(folder).timings


@pytest.mark.parametrize("content", ["", "[]", "{", '{"o": 5}', '{"o": {"step_s": [1]}}', '{"o": {"unsound": "why"}}'])
def test_damaged_times_are_no_times(folder: Path, content: str) -> None:
    put(folder, 0)
    results.timing_file(folder, "t").parent.mkdir()
    results.timing_file(folder, "t").write_text(content)
    assert not results.load(folder).timings


@pytest.mark.parametrize("content", ["", "[]", "{", '{"schema": 1}', '{"schema": 9}', '{"schema": 1, "protocol": 5}'])
def test_a_damaged_manifest_is_named(folder: Path, content: str) -> None:
    (folder / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json"):
        results.load(folder)


def test_the_tables_say_which_setting_each_final_run_had(folder: Path) -> None:
    put(folder, 0)
    made = frames.tables(results.load(folder))
    finals = made.curves[(made.curves.stage == "final") & (made.curves.metric == "loss") & (made.curves.step == 10)]
    for selected_by, trial, chosen in (("train", 1, 0), ("valid", 2, 1)):
        for seed in range(2):
            for index, split in enumerate(("train", "valid", "test")):
                row = finals[(finals.selected_by == selected_by) & (finals.seed == str(seed)) & (finals.split == split)]
                assert row.value.item() == 0.5 + index + 100 * chosen + 10 * seed
                assert row.trial.item() == trial
    trials = made.trials[made.trials.stage == "final"]
    assert set(zip(trials.selected_by, trials.learning_rate, strict=True)) == {("train", 0.2), ("valid", 0.3)}
    assert set(trials.status) == {"ok"}
    assert made.units.environment_jax.item() == "1.2"


# A shorter budget


def curved(task: str, budget: int, evaluations: int = 20, spent: np.ndarray | None = None, **protocol: Any) -> Record:
    """A record of two trials whose losses are the numbers of their points, with the points of the real protocol."""
    step = Protocol(evaluations=evaluations).points(budget)
    losses = np.broadcast_to(np.arange(len(step), dtype=np.float32), (1, 2, len(step)))
    arrays: dict[str, np.ndarray] = {
        **{"step": step, "chosen": np.array([1]), "selected/train": np.array(1), "selected/valid": np.array(1)},
        **{f"final/{split}/loss": losses for split in ("train", "valid", "test")},
        **{f"search/{split}/loss": losses[0] for split in ("train", "valid", "test")},
        "final/grad_evals": np.broadcast_to(step if spent is None else spent, losses.shape),
        **{"final/diverged": np.array([[-1, -1]]), "search/diverged": np.array([-1, -1])},
        **{"final/distance": np.ones((1, 2)), "search/distance": np.ones(2)},
    }
    meta = {
        **{"task": task, "optimizer": "o", "replicate": 0, "floor": 0.01, "budget": budget, "metric": "loss"},
        "protocol": {"schedule": "constant", **protocol},
    }
    return Record(meta, arrays)


def of(*units: Record, schedule: str = "constant") -> Results:
    tasks = [unit.meta["task"] for unit in units]
    return Results(Path(), {**MANIFEST, "tasks": tasks, "protocol": {"schedule": schedule}}, units, {}, {})


@pytest.mark.parametrize("budget", [270, 400, 1234])
def test_each_point_has_the_share_that_it_was_meant_to_have(budget: int) -> None:
    whole = curved("t", budget)
    assert whole.shares == pytest.approx(np.arange(1, 21) / 20)
    for point, share in enumerate(whole.shares, start=1):
        cut = whole.at(share)
        assert cut.ends("train", "train/loss").tolist() == [point, point]
        assert cut.meta["budget"] == whole.arrays["step"][point]
        assert cut.share == pytest.approx(share)
        assert cut.whole_budget == budget
        assert cut.shares == pytest.approx(whole.shares[:point])


def test_a_share_between_two_points_is_read_at_the_one_before() -> None:
    cut = curved("t", 270).at(0.37)
    assert cut.share == pytest.approx(0.35)
    assert cut.meta["budget"] == 94  # 94.5, rounded to the even one
    assert {cut.arrays[name].shape[-1] for name in ("step", "final/grad_evals", "search/test/loss")} == {8}
    assert cut.at(0.2).meta == curved("t", 270).at(0.2).meta
    assert cut.at(0.9) is cut


def test_of_a_rule_that_takes_several_gradients_a_step_the_same_point_is_read() -> None:
    points = Protocol().points(35)
    spent = points + points % 2  # two a step, so that an odd number of evaluations is one more
    plain, double = curved("t", 35), curved("t", 35, spent=spent)
    for share in plain.shares:
        assert double.at(share).arrays["step"].tolist() == plain.at(share).arrays["step"].tolist()
        assert double.at(share).meta["budget"] == plain.at(share).meta["budget"]
        assert double.at(share).final("train", "grad_evals").max() <= double.at(share).meta["budget"] + 1


def test_what_diverged_after_a_shorter_budget_had_not_by_then() -> None:
    whole = curved("t", 100)
    losses = whole.arrays["final/train/loss"].copy()
    losses[0, 0, 10:] = np.nan
    diverged = {"final/train/loss": losses, "final/diverged": np.array([[47, -1]])}
    record = Record(whole.meta, {**whole.arrays, **diverged})
    assert record.at(0.45).arrays["final/diverged"].tolist() == [[-1, -1]]
    assert record.at(0.5).arrays["final/diverged"].tolist() == [[47, -1]]
    assert np.isnan(record.at(0.5).arrays["final/distance"]).all()


def test_a_run_is_read_at_shares_that_all_its_tasks_have() -> None:
    both = of(curved("t", 400), curved("short", 10))  # ten points only
    assert both.shares == pytest.approx(np.arange(1, 11) / 10)
    cut = both.at(0.37)
    assert (cut.share, cut.shares[-1]) == (0.3, 0.3)
    assert [record.meta["budget"] for record in cut.units] == [120, 3]
    assert np.exp(cut.scores("train", "train")).ravel() == pytest.approx([6.0, 3.0])
    assert both.at(1.0) is both


def test_the_best_checkpoint_is_the_best_of_a_shorter_budget() -> None:
    record = curved("t", 100, checkpoint="best")
    losses = np.abs(np.arange(21.0) - 12) + np.zeros((1, 2, 1))
    record = Record(record.meta, {**record.arrays, "final/valid/loss": losses})
    assert record.ends("valid", "test/loss").tolist() == [12, 12]
    assert record.at(0.4).ends("valid", "test/loss").tolist() == [8, 8]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan"), float("inf")])
def test_a_share_is_of_the_budget(share: float) -> None:
    for whole in (of(curved("t", 100)), curved("t", 100)):
        with pytest.raises(UserError, match="a share of the budget is above 0 and at most 1"):
            whole.at(share)


def test_what_cannot_be_read_at_a_shorter_budget_says_why() -> None:
    with pytest.raises(UserError, match=r"first evaluation of every task is at 0\.05 of its budget, not 0\.02"):
        of(curved("t", 100)).at(0.02)
    with pytest.raises(UserError, match=r"t--o--r00 was first read at 0\.05 of its budget, not by 0\.02"):
        curved("t", 100).at(0.02)
    with pytest.raises(UserError, match="a cosine schedule is made for the whole budget"):
        of(curved("t", 100), schedule="cosine").at(0.5)
    assert of(curved("t", 100), schedule="cosine").at(1.0).share == 1.0
    assert of().shares == [1.0]


def test_records_are_found_by_cell_and_by_optimizer() -> None:
    both = of(curved("t", 100), curved("s", 100))
    assert [record.meta["task"] for record in both.of("o")] == ["t", "s"]
    assert both.cell("s", "o") == [both.units[1]]
    assert both.cell("s", "p") == both.of("p") == []
