"""Stored baselines: what is kept of a record, what they are good for, and those that are shipped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import optimizers
from bench import baseline, catalogue, tasks
from bench.baseline import Baseline
from bench.behaviour import CLOSE, alike, behaviour
from bench.errors import UserError
from bench.protocol import SELECTIONS, Protocol
from bench.suites import SUITES
from bench.task import SPLITS
from optimizers import Optimizer
from tests.test_reports import METRICS, diverge, record


def made(lost: bool = False) -> Baseline:
    units = [record(task, "adam", replicate) for task in METRICS for replicate in range(3)]
    for unit in units:
        unit.arrays["position/learning_rate"] = np.linspace(0, 1, 4)  # type: ignore[index]  # made up for these tests
        unit.arrays["open/learning_rate"] = np.array([True, False])  # type: ignore[index]
    units = [diverge(unit, 0.5) for unit in units] if lost else units
    return Baseline(
        "adam", units, np.zeros((1, 2, 3), np.float32), "code", {"flowers": "a"}, {"trials": 4}, {"cpu": "x"}
    )


@pytest.mark.parametrize("lost", [False, True])
def test_a_record_comes_back_to_three_digits(lost: bool) -> None:
    before = made(lost)
    after = baseline.decode(baseline.encode(before), Path("adam"))
    assert (after.optimizer, after.code, after.tasks, after.protocol) == (
        "adam",
        "code",
        {"flowers": "a"},
        {"trials": 4},
    )
    for one, other in zip(before.records, after.records, strict=True):
        assert (one.cell, one.meta["replicate"]) == (other.cell, other.meta["replicate"])
        assert other.arrays["selected/train"] == one.arrays["selected/train"]
        assert other.seeds == one.seeds
        for by in SELECTIONS:
            assert other.arrays[f"search/{by}/loss"] == pytest.approx(
                one.arrays[f"search/{by}/loss"], rel=6e-4, nan_ok=True
            )
            assert other.chosen_hparams(by) == pytest.approx(one.chosen_hparams(by), rel=1e-6)
            for name in (f"{split}/{kind}" for split in SPLITS for kind in ("loss", one.meta["metric"])):
                kept, meant = other.final(by, name), one.final(by, name)
                assert np.array_equal(np.isfinite(kept), np.isfinite(meant))
                assert kept == pytest.approx(meant, rel=1e-3, abs=1e-3, nan_ok=True)


def test_a_damaged_file_is_named() -> None:
    content = baseline.encode(made())
    for damaged in (b"", content[:-40], b"x" + content):
        with pytest.raises(UserError, match=r"core/adam.npz.xz holds no baselines"):
            baseline.decode(damaged, Path("core/adam.npz.xz"))


def test_baselines_of_another_protocol_or_task_do_not_stand() -> None:
    task, protocol = tasks.get("breast_cancer", None), Protocol()
    fit = replace(made(), protocol=protocol.identity, tasks={task.name: baseline.task_hash(task)})
    assert baseline.unfit(fit, [task], protocol) == ""
    assert "another protocol" in baseline.unfit(fit, [task], Protocol(trials=3))
    assert "another breast_cancer" in baseline.unfit(fit, [tasks.get("breast_cancer", 50)], protocol)


def test_what_is_shipped_is_whole_and_of_this_grid() -> None:
    suite = SUITES["core"]
    names = baseline.names("core")
    assert suite.optimizers
    assert set(suite.optimizers) <= set(names) <= set(optimizers.names())
    assert sum(baseline.file_of("core", name).stat().st_size for name in names) <= 10_000_000
    every = [tasks.get(name, None) for name in suite.tasks]
    for name in names:
        found = baseline.load("core", name)
        assert found is not None
        cells = [unit.cell for unit in found.records]
        assert sorted(cells) == sorted([(task, name) for task in suite.tasks] * baseline.REPLICATES)
        assert baseline.unfit(found, every, suite.protocol) == ""
        if found.code != catalogue.code(name):
            assert alike(behaviour(optimizers.get(name)), found.behaviour), name


# What an optimizer does


def changed(**fixed: float) -> Optimizer:
    """Adam with hyperparameters of its own that no search touches."""
    adam = optimizers.get("adam")
    return replace(adam, make=lambda learning_rate=1e-3: adam.make(learning_rate=learning_rate, **fixed), space={
        "learning_rate": adam.space["learning_rate"]}, wide={})  # fmt: skip


def test_the_same_rule_in_other_words_behaves_the_same() -> None:
    assert alike(behaviour(changed()), behaviour(changed(b1=0.9, b2=0.999, eps=1e-8)))


@pytest.mark.parametrize("other", [{"b1": 0.901}, {"b2": 0.99}, {"eps": 1e-3}])
def test_another_rule_does_not(other: dict[str, float]) -> None:
    assert not alike(behaviour(changed()), behaviour(changed(**other)))


def test_rounding_is_no_difference_and_divergence_is() -> None:
    path = np.cumsum(np.ones((1, 5, 2), np.float32), axis=1)
    assert alike(path, path * (1 + CLOSE / 10))
    assert not alike(path, path * (1 + 10 * CLOSE))
    gone = path.copy()
    gone[:, 3:] = np.nan
    assert alike(gone, gone)
    assert not alike(gone, path)
    assert not alike(path, path[:, :3])
