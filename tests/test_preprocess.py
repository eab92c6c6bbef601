"""Preprocessing steps: their known answers, and that nothing is fitted on rows that are not for training."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from bench.errors import UserError
from bench.preprocess import (
    ClassWeights,
    Columns,
    Delete,
    Divide,
    Fill,
    Interpolate,
    LabelNoise,
    MinMax,
    OfficialSplit,
    OneHot,
    Pool,
    Reconstruct,
    Resample,
    Standardize,
    StandardizeTarget,
    Step,
    Table,
)

ROWS = {"train": np.arange(0, 24), "valid": np.arange(24, 27), "test": np.arange(27, 30)}
numbers = arrays(np.float32, (30, 4), elements=st.floats(0, 100, width=32))
classes = arrays(np.int32, 30, elements=st.integers(0, 2))
quick = settings(max_examples=25, deadline=None)


def table(x: np.ndarray, y: np.ndarray | None = None) -> Table:
    return Table(x, np.arange(len(x)) % 3 if y is None else y, np.ones(len(x)), ROWS)


def with_gaps(seed: int) -> np.ndarray:
    """Rows of (group, time, value, value) with a fifth of the values missing, but not the first rows'."""
    rng = np.random.RandomState(seed)
    x = np.stack([np.arange(30) % 2, np.arange(30), rng.normal(size=30), rng.normal(size=30)], 1)
    x[6:, 2:][rng.uniform(size=(24, 2)) < 0.2] = np.nan
    return x.astype(np.float32)


STEPS: list[Callable[[Table], Table]] = [
    Divide(16),
    MinMax(),
    Standardize(),
    Pool(2, 2),
    Fill("mean"),
    Fill("median", indicators=True),
    Interpolate(along=1, within=0),
    Delete(),
    OneHot(),
    StandardizeTarget(),
    Reconstruct(),
    LabelNoise(0.5),
    Resample(),
    ClassWeights(),
]


@pytest.mark.parametrize("step", STEPS, ids=repr)
@pytest.mark.parametrize("seed", range(3))
def test_training_rows_do_not_depend_on_the_others(step: Step, seed: int) -> None:
    """Whatever stands in validation and test rows, training rows and their order come out the same."""
    x = with_gaps(seed)
    other = x.copy()
    other[24:, 2:] = 50 + np.arange(12).reshape(6, 2)
    one, two = step(table(x)), step(table(other))
    np.testing.assert_array_equal(one.train, two.train)
    for name in ("x", "y", "weight"):
        np.testing.assert_array_equal(getattr(one, name)[one.train], getattr(two, name)[two.train])


@pytest.mark.parametrize("step", STEPS, ids=repr)
def test_validation_and_test_rows_stay(step: Step) -> None:
    done = step(table(with_gaps(0)))
    for split in ("valid", "test"):
        np.testing.assert_array_equal(done.rows[split], ROWS[split])
    assert set(done.train) <= set(ROWS["train"])


@quick
@given(numbers)
def test_scales_are_scikit_learns_fitted_on_training_rows(x: np.ndarray) -> None:
    for step, theirs in ((Standardize(), StandardScaler()), (MinMax(), MinMaxScaler())):
        fitted = theirs.fit(x[ROWS["train"]].astype(np.float64))
        spread = x[ROWS["train"]].astype(np.float64).std(0)
        expected = np.where((spread > 1e-9) | (spread == 0), fitted.transform(x.astype(np.float64)), np.nan)
        kept = ~np.isnan(expected)
        np.testing.assert_allclose(step(table(x)).x[kept], expected[kept], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("by", ["mean", "median"])
def test_fill_is_scikit_learns(by: str) -> None:
    x = with_gaps(1)
    imputer = SimpleImputer(strategy=by, add_indicator=True).fit(x[ROWS["train"]].astype(np.float64))
    done = Fill(by, indicators=True)(table(x))
    np.testing.assert_allclose(done.x, imputer.transform(x.astype(np.float64)), rtol=1e-6)


def test_interpolation_is_the_line_between_training_neighbours_of_the_group() -> None:
    x = np.zeros((30, 3), np.float32)
    x[:, 0], x[:, 1] = np.arange(30) % 2, np.arange(30)
    x[:, 2] = np.where(x[:, 0] == 0, 2 * x[:, 1], 1000.0)
    expected = x.copy()
    x[[4, 6, 13], 2] = np.nan
    x[28, 2] = np.nan  # a test row beyond the last training row of its group, which is row 22
    x[26, 2] = 7.0  # a validation row: not used
    done = Interpolate(along=1, within=0)(table(x)).x
    np.testing.assert_allclose(done[:24], expected[:24])
    assert done[28, 2] == expected[22, 2]


def test_delete_leaves_whole_training_rows() -> None:
    x = with_gaps(2)
    done = Delete()(table(x))
    assert 0 < len(done.train) < 24
    assert not np.isnan(done.x[done.train]).any()
    with pytest.raises(UserError, match="Delete leaves none"):
        Delete()(table(np.full((30, 2), np.nan)))


def test_a_column_without_training_values_cannot_be_filled() -> None:
    x = np.ones((30, 2))
    x[:24, 1] = np.nan
    with pytest.raises(UserError, match="column 1 has no training value"):
        Fill("mean")(table(x))


def test_pooling_averages_blocks() -> None:
    image = np.arange(16.0).reshape(1, 16)
    pooled = Pool(4, 2)(Table(image, np.zeros(1), np.ones(1), ROWS)).x
    assert pooled.tolist() == [[2.5, 4.5, 10.5, 12.5]]
    with pytest.raises(UserError, match="does not fit 16 features"):
        Pool(28, 2)(Table(image, np.zeros(1), np.ones(1), ROWS))


def test_columns_are_made_in_order() -> None:
    x = np.array([[0, 3, 5.0], [1, 6, 0.0], [0, 12, 1.0]])
    done = Columns(keep=(2,), log=(2,), cyclic=((1, 12),), one_hot=(0,))(Table(x, np.zeros(3), np.ones(3), ROWS)).x
    expected = [[5, np.log(6), 1, 0, 1, 0], [0, 0, 0, -1, 0, 1], [1, np.log(2), 0, 1, 1, 0]]
    np.testing.assert_allclose(done, expected, atol=1e-12)


@quick
@given(classes)
def test_class_weights_are_scikit_learns_with_mean_one(y: np.ndarray) -> None:
    train = ROWS["train"]
    there = np.unique(y[train])
    done = ClassWeights()(table(np.zeros((30, 1)), y))
    theirs = dict(zip(there, compute_class_weight("balanced", classes=there, y=y[train]), strict=True))
    np.testing.assert_allclose(done.weight[train], [theirs[c] for c in y[train]])
    assert done.weight[train].mean() == pytest.approx(1)


@quick
@given(classes)
def test_resampling_makes_classes_equal_and_loses_no_row(y: np.ndarray) -> None:
    done = Resample()(table(np.zeros((30, 1)), y))
    counts = np.bincount(y[done.train])
    assert len(set(counts[counts > 0])) == 1
    assert set(done.train) == set(ROWS["train"])


def test_label_noise_changes_its_share_of_training_labels_only() -> None:
    y = np.zeros(3000, np.int32)
    y[::2] = 1
    rows = {"train": np.arange(2000), "valid": np.arange(2000, 2500), "test": np.arange(2500, 3000)}
    done = LabelNoise(0.4)(Table(np.zeros((3000, 1)), y, np.ones(3000), rows))
    wrong = done.y != y
    assert wrong[:2000].mean() == pytest.approx(0.2, abs=0.03)  # half of those drawn anew get their own class
    assert not wrong[2000:].any()
    again = LabelNoise(0.4)(Table(np.zeros((3000, 1)), y, np.ones(3000), rows))
    np.testing.assert_array_equal(done.y, again.y)


def test_a_log_target_is_standardised_after_the_logarithm() -> None:
    y = np.exp(np.linspace(0, 5, 30))
    done = StandardizeTarget(log=True)(table(np.zeros((30, 1)), y)).y
    assert done[ROWS["train"]].mean() == pytest.approx(0, abs=1e-12)
    assert done[ROWS["train"]].std() == pytest.approx(1)
    np.testing.assert_allclose(np.diff(done), np.diff(done)[0])


def test_the_official_split_keeps_the_makers_training_rows() -> None:
    y = np.arange(100).astype(np.int32) % 10
    rows = OfficialSplit(60)(np.zeros((100, 1)), y)
    assert rows["train"].tolist() == list(range(60))
    assert [np.bincount(y[rows[s]]).tolist() for s in ("valid", "test")] == [[2] * 10, [2] * 10]
    assert sorted([*rows["valid"], *rows["test"]]) == list(range(60, 100))


@pytest.mark.parametrize("step", [OneHot(), LabelNoise(0.1), Resample(), ClassWeights()], ids=repr)
def test_what_needs_classes_says_so(step: Step) -> None:
    with pytest.raises(UserError, match="needs one integer class a row"):
        step(table(np.zeros((30, 1)), np.zeros(30)))


@pytest.mark.parametrize("make", [lambda: Fill("mode"), lambda: LabelNoise(1.5)])
def test_a_step_that_cannot_be_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(UserError, match="must be"):
        make()
