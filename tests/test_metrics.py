"""Metrics against scikit-learn: random and degenerate inputs, three splits at once, compiled."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs
from sklearn.exceptions import UndefinedMetricWarning

import bench.metrics

metrics: Any = bench.metrics
Reference = Callable[[np.ndarray, np.ndarray], float]


def by_class(score: Callable[..., float], **options: Any) -> Reference:
    return lambda z, y: score(y.argmax(1), z.argmax(1), **options)


def macro(score: Callable[..., float]) -> Reference:
    return lambda z, y: score(y.argmax(1), z.argmax(1), average="macro", labels=range(y.shape[1]), zero_division=0)


def pooled(score: Callable[..., float]) -> Reference:
    """Of labels; with one output scikit-learn's binary score."""
    return lambda z, y: score(y.ravel(), (z >= 0).ravel(), average="binary", zero_division=0)


def mean_of_outputs(score: Callable[..., float], decide: bool = False) -> Reference:
    def reference(z: np.ndarray, y: np.ndarray) -> float:
        given = z >= 0 if decide else z
        options = {"zero_division": 0} if decide else {}
        return float(np.mean([score(y[:, j], given[:, j], **options) for j in range(y.shape[1])]))

    return reference


CLASSES: dict[str, Reference] = {
    "accuracy": by_class(theirs.accuracy_score),
    "macro_precision": macro(theirs.precision_score),
    "macro_recall": macro(theirs.recall_score),
    "macro_f1": macro(theirs.f1_score),
}
LABELS: dict[str, Reference] = {
    "binary_accuracy": lambda z, y: theirs.accuracy_score(y.ravel(), (z >= 0).ravel()),
    "precision": pooled(theirs.precision_score),
    "recall": pooled(theirs.recall_score),
    "micro_f1": pooled(theirs.f1_score),
    "label_macro_f1": mean_of_outputs(theirs.f1_score, decide=True),
    "auroc": mean_of_outputs(theirs.roc_auc_score),
    "average_precision": mean_of_outputs(theirs.average_precision_score),
}
NUMBERS: dict[str, Reference] = {
    "rmse": lambda z, y: theirs.mean_squared_error(y.astype(np.float64), z.astype(np.float64)) ** 0.5,
    "r2": lambda z, y: theirs.r2_score(y.astype(np.float64), z, multioutput="variance_weighted"),
}
ALL = {**CLASSES, **LABELS, **NUMBERS}
jitted = {name: jax.jit(getattr(metrics, name)) for name in ALL}
WRONG_DECISIONS = {*CLASSES, *LABELS} - {"auroc", "average_precision"}


def reference(name: str, z: np.ndarray, y: np.ndarray) -> float:
    """scikit-learn's value; its warnings that a value is a convention are part of what is asked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", "No positive class found in y_true", UserWarning)
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)
        return float(ALL[name](z, y))


def draw(name: str, rng: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and targets of 24 rows in the fashion of a metric: rounded, so that many are equal, or extreme."""
    k = rng.choice([1, 3])
    z = np.round(rng.normal(size=(24, k)) * rng.choice([0.5, 1, 80]), rng.randint(0, 4)).astype(np.float32)
    if name in CLASSES:
        return z, np.eye(k, dtype=np.float32)[rng.randint(0, rng.randint(1, k + 1), 24)]
    if name in LABELS:
        return z, (rng.uniform(size=(24, k)) < rng.choice([0, 0.1, 0.5, 1])).astype(np.float32)
    y = rng.normal(size=(24, k)) + rng.choice([0, 1000])
    return (z + y).astype(np.float32), y.astype(np.float32)


def check(name: str, z: np.ndarray, y: np.ndarray, split: np.ndarray) -> None:
    member = split == np.arange(3)[:, None]
    told = jitted[name](z, y, member)
    for k in range(3):
        rows = member[k]
        if name == "r2" and rows.sum() < 2:
            continue  # scikit-learn refuses to say
        expected = reference(name, z[rows], y[rows]) if rows.any() else np.nan
        np.testing.assert_allclose(told[k], expected, rtol=1e-4, atol=1e-4, err_msg=f"split {k}")


def test_every_metric_is_compared() -> None:
    public = {name for name, value in vars(metrics).items() if callable(value) and not name.startswith("_")}
    assert public - {"Array", "sums_by_split", "mean_by_split"} == set(ALL)


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_each_is_scikit_learns_on_every_split(name: str, seed: int) -> None:
    rng = np.random.RandomState(seed)
    z, y = draw(name, rng)
    check(name, z, y, rng.randint(0, 3, 24))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_degenerate_rows(name: str, value: float) -> None:
    """All outputs equal; all targets equal; one split of a single row and one of none."""
    split = np.array([0] * 10 + [1])
    constant = np.full((11, 1), value, np.float32)
    varied = np.arange(11, dtype=np.float32)[:, None] % 2
    pairs: list[tuple[np.ndarray, np.ndarray]]
    if name in CLASSES:
        pairs = [(np.zeros((11, 2)), np.eye(2)[np.arange(11) % 2]), (np.eye(2)[np.arange(11) % 2], np.eye(2)[[1] * 11])]
    else:
        pairs = [(constant, varied), (varied - 0.5, constant), (constant, constant)]
    for z, y in pairs:
        check(name, z.astype(np.float32), y.astype(np.float32), split)


@pytest.mark.parametrize("name", ALL)
def test_a_nan_stays_in_its_split(name: str) -> None:
    rng = np.random.RandomState(5)
    z, y = draw(name, rng)
    split = np.arange(24) % 3
    before = np.asarray(jitted[name](z, y, split == np.arange(3)[:, None]))
    z[split == 0] = np.nan
    after = np.asarray(jitted[name](z, y, split == np.arange(3)[:, None]))
    np.testing.assert_allclose(after[1:], before[1:], rtol=1e-5)
    assert after[0] == 0 if name in WRONG_DECISIONS else np.isnan(after[0])


def test_a_row_with_nan_is_wrong_whatever_its_class() -> None:
    z = np.array([[np.nan, 9.0, 0.0], [0.0, 9.0, np.nan], [0.0, 9.0, 1.0]], np.float32)
    y = np.eye(3, dtype=np.float32)[[0, 1, 1]]
    assert float(metrics.accuracy(z, y, np.ones((1, 3), bool))[0]) == pytest.approx(1 / 3)


def test_a_large_mean_does_not_drown_a_small_spread() -> None:
    rng = np.random.RandomState(0)
    y = (1000 + rng.normal(size=(5000, 1))).astype(np.float32)
    z = (y + rng.normal(0, 0.1, y.shape)).astype(np.float32)
    told = float(jitted["r2"](z, y, np.ones((1, 5000), bool))[0])
    assert told == pytest.approx(theirs.r2_score(y.astype(np.float64), z), abs=1e-4)


def test_counts_are_exact_in_large_splits() -> None:
    rng = np.random.RandomState(0)
    z, y = rng.normal(size=(60_000, 1)).astype(np.float32), (rng.uniform(size=(60_000, 1)) < 0.3).astype(np.float32)
    for name in ("auroc", "average_precision", "binary_accuracy", "micro_f1"):
        told = float(jitted[name](z, y, np.ones((1, 60_000), bool))[0])
        assert told == pytest.approx(reference(name, z, y), rel=2e-5), name
