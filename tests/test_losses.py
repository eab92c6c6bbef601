"""Losses against scikit-learn and SciPy, on random and on degenerate inputs, and their gradients."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, huber, log_softmax, softmax
from sklearn.utils.class_weight import compute_class_weight

import bench.losses

losses: Any = bench.losses  # declared for JAX arrays, and given NumPy's here
outputs = arrays(np.float32, (7, 3), elements=st.floats(-80, 80, width=32))
moderate = arrays(np.float64, (7, 3), elements=st.floats(-6, 6))
classes = arrays(np.int32, 7, elements=st.integers(0, 2))
bits = arrays(np.float32, (7, 3), elements=st.sampled_from([0.0, 1.0]))
shares = arrays(np.float32, (7, 3), elements=st.floats(0, 1, width=32))
quick = settings(max_examples=40, deadline=None)


def one_hot(y: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[y]


@quick
@given(outputs, classes)
def test_softmax_cross_entropy(z: np.ndarray, y: np.ndarray) -> None:
    expected = -log_softmax(z.astype(np.float64), axis=-1)[np.arange(7), y]
    np.testing.assert_allclose(losses.softmax_cross_entropy(z, one_hot(y)), expected, 1e-4, 1e-5)


@quick
@given(outputs, shares)
def test_sigmoid_cross_entropy_of_labels_and_of_shares(z: np.ndarray, y: np.ndarray) -> None:
    wide = z.astype(np.float64)
    expected = -(y * np.log(expit(wide)) + (1 - y) * np.log(expit(-wide))).sum(-1)
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(z, y), expected, 1e-4, 1e-4)


@quick
@given(outputs, outputs)
def test_squared_errors_are_scikit_learns(z: np.ndarray, y: np.ndarray) -> None:
    expected = 3 * sklearn.metrics.mean_squared_error(y, z)
    assert float(losses.squared_error(z, y).mean()) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert float(losses.half_squared_error(z, y).mean()) == pytest.approx(expected / 2, rel=1e-4, abs=1e-6)


@quick
@given(outputs, outputs, st.sampled_from([0.1, 1.0, 5.0]))
def test_huber_is_scipys(z: np.ndarray, y: np.ndarray, delta: float) -> None:
    expected = huber(delta, z.astype(np.float64) - y).sum(-1)
    np.testing.assert_allclose(losses.huber(z, y, delta=delta), expected, 1e-4, 1e-4)


@quick
@given(outputs, classes, st.sampled_from([0.0, 1.0, 2.0, 3.5]))
def test_focal_takes_easy_rows_back(z: np.ndarray, y: np.ndarray, gamma: float) -> None:
    wide = z.astype(np.float64)
    p = softmax(wide, axis=-1)
    others = np.where(one_hot(y) > 0, 0, p).sum(-1)  # 1 - p of the target's class, without cancellation
    expected = -(others**gamma) * log_softmax(wide, axis=-1)[np.arange(7), y]
    np.testing.assert_allclose(losses.focal(z, one_hot(y), gamma=gamma), expected, 1e-3, 1e-5)


@quick
@given(outputs, bits, st.sampled_from([0.0, 2.0]))
def test_sigmoid_focal_takes_easy_labels_back(z: np.ndarray, y: np.ndarray, gamma: float) -> None:
    toward = np.where(y > 0, z, -z).astype(np.float64)
    expected = -(expit(-toward) ** gamma * np.log(expit(toward))).sum(-1)
    np.testing.assert_allclose(losses.sigmoid_focal(z, y, gamma=gamma), expected, 1e-3, 1e-4)


@quick
@given(arrays(np.float32, (60, 3), elements=st.floats(-8, 8, width=32)), st.integers(0, 2**31))
def test_rows_weighed_by_class_give_scikit_learns_weighted_loss(z: np.ndarray, seed: int) -> None:
    y = np.random.RandomState(seed).choice(3, 60, p=[0.7, 0.2, 0.1])
    y[:3] = 0, 1, 2
    weight = compute_class_weight("balanced", classes=np.arange(3), y=y)[y]
    assert weight.mean() == pytest.approx(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that float32 probabilities sum to one up to rounding only
        expected = sklearn.metrics.log_loss(y, softmax(z.astype(np.float64), axis=-1), sample_weight=weight)
    ours = (weight * np.asarray(losses.softmax_cross_entropy(z, one_hot(y)))).mean()
    assert ours == pytest.approx(expected, rel=1e-4)


Loss = Callable[..., Any]
LOSSES: list[Loss] = [
    losses.softmax_cross_entropy,
    losses.focal,
    losses.sigmoid_cross_entropy,
    losses.sigmoid_focal,
    losses.squared_error,
    losses.half_squared_error,
    losses.huber,
]


means = {loss: jax.jit(lambda z, y, loss=loss: loss(z, y).mean()) for loss in LOSSES}
gradients = {loss: jax.jit(jax.grad(mean)) for loss, mean in means.items()}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=15, deadline=None)
@given(outputs, classes)
def test_gradients_are_finite_however_large_the_outputs(loss: Loss, z: np.ndarray, y: np.ndarray) -> None:
    assert np.isfinite(gradients[loss](z, one_hot(y))).all()


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=15, deadline=None)
@given(moderate, classes)
def test_gradients_are_those_of_the_values(loss: Loss, z: np.ndarray, y: np.ndarray) -> None:
    """Central differences in float64; Huber's bend, where they are half right, is kept away from."""
    target = one_hot(y).astype(np.float64)
    if loss is losses.huber:
        z = z + np.where(abs(abs(z - target) - 1) < 1e-3, 0.01, 0)
    step = 1e-5
    with jax.enable_x64(True):
        gradient = gradients[loss](z, target)
        for at in np.ndindex(2, 3):
            moved = np.zeros_like(z)
            moved[at] = step
            slope = (means[loss](z + moved, target) - means[loss](z - moved, target)) / (2 * step)
            assert float(gradient[at]) == pytest.approx(float(slope), rel=1e-4, abs=1e-7)
