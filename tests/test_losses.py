"""Losses and metrics against scikit-learn and SciPy, on random and on degenerate inputs."""

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, log_softmax

import bench.losses

losses: Any = bench.losses  # declared for JAX arrays, and given NumPy's here
outputs = arrays(np.float32, (7, 3), elements=st.floats(-80, 80, width=32))
classes = arrays(np.int32, 7, elements=st.integers(0, 2))
bits = arrays(np.float32, (7, 3), elements=st.sampled_from([0.0, 1.0]))
quick = settings(max_examples=40, deadline=None)


@quick
@given(outputs, classes)
def test_softmax_cross_entropy(z: np.ndarray, y: np.ndarray) -> None:
    expected = -log_softmax(z.astype(np.float64), axis=-1)[np.arange(7), y]
    np.testing.assert_allclose(losses.softmax_cross_entropy(z, np.eye(3, dtype=np.float32)[y]), expected, 1e-4, 1e-5)


@quick
@given(outputs, bits)
def test_sigmoid_cross_entropy(z: np.ndarray, y: np.ndarray) -> None:
    p = expit(np.where(y > 0, z, -z).astype(np.float64))
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(z, y), -np.log(p).sum(-1), 1e-4, 1e-5)


@quick
@given(outputs, outputs)
def test_half_squared_error_is_half_of_scikit_learns(z: np.ndarray, y: np.ndarray) -> None:
    expected = 3 * sklearn.metrics.mean_squared_error(y, z) / 2
    assert float(losses.half_squared_error(z, y).mean()) == pytest.approx(expected, rel=1e-4, abs=1e-6)


@quick
@given(outputs, classes)
def test_accuracy(z: np.ndarray, y: np.ndarray) -> None:
    expected = sklearn.metrics.accuracy_score(y, z.argmax(-1))
    assert float(losses.accuracy(z, np.eye(3, dtype=np.float32)[y])) == pytest.approx(expected)


def test_a_row_with_nan_is_wrong_whatever_its_class() -> None:
    z = np.full((3, 3), np.nan, np.float32)
    assert float(losses.accuracy(z, np.eye(3, dtype=np.float32))) == 0
    z = np.array([[np.nan, 9.0, 0.0], [0.0, 9.0, np.nan], [0.0, 9.0, 1.0]], np.float32)
    assert float(losses.accuracy(z, np.eye(3, dtype=np.float32)[[0, 1, 1]])) == pytest.approx(1 / 3)


@quick
@given(outputs, bits)
def test_binary_accuracy(z: np.ndarray, y: np.ndarray) -> None:
    expected = sklearn.metrics.accuracy_score(y.ravel(), (z >= 0).ravel())
    assert float(losses.binary_accuracy(z, y)) == pytest.approx(expected)


def test_binary_accuracy_counts_nan_as_wrong() -> None:
    z = np.array([[np.nan], [np.nan], [1.0], [-1.0]], np.float32)
    assert float(losses.binary_accuracy(z, np.array([[0.0], [1.0], [1.0], [0.0]], np.float32))) == 0.5


@quick
@given(arrays(np.float32, (9, 1), elements=st.floats(-10, 10, width=32)), st.integers(0, 2**31))
def test_r2(z: np.ndarray, seed: int) -> None:
    y = np.random.RandomState(seed).normal(size=(9, 1)).astype(np.float32)
    expected = sklearn.metrics.r2_score(y, z)
    assert float(losses.r2(z, y)) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("prediction", [2.0, 3.0])
def test_r2_of_constant_targets_is_scikit_learns(prediction: float) -> None:
    y, z = np.full((5, 1), 2.0, np.float32), np.full((5, 1), prediction, np.float32)
    assert float(losses.r2(z, y)) == sklearn.metrics.r2_score(y, z)


def test_r2_of_nan_is_nan() -> None:
    assert np.isnan(losses.r2(np.full((3, 1), np.nan, np.float32), np.arange(3, dtype=np.float32)[:, None]))


@quick
@given(outputs, classes, arrays(np.int32, 7, elements=st.integers(0, 1)))
def test_sums_by_split_are_the_sums_of_its_rows_and_nan_stays_in_its_split(
    rows: np.ndarray, y: np.ndarray, split: np.ndarray
) -> None:
    rows[split == 0, 0] = np.nan
    sums = np.asarray(losses.sums_by_split(rows, split, 3))
    for k in range(3):
        np.testing.assert_allclose(sums[k], rows[split == k].sum(0), rtol=1e-5, atol=1e-4)


@quick
@given(arrays(np.float32, (40, 2), elements=st.floats(-3, 3, width=32)), st.integers(1, 39))
def test_a_metric_of_two_outputs_is_that_of_its_rows(z: np.ndarray, first: int) -> None:
    y = np.random.RandomState(0).normal(size=(40, 2)).astype(np.float32)
    split = np.arange(40) < first
    sums = losses.sums_by_split(losses.r2.rows(z, y), split.astype(np.int32), 2)
    total = ((y[split] - y[split].mean(0)) ** 2).sum()
    if split.sum() > 1:
        expected = 1 - ((y[split] - z[split]) ** 2).sum() / total
        assert float(losses.r2.finish(sums[1], np.float32(first))) == pytest.approx(expected, rel=1e-3, abs=1e-3)
