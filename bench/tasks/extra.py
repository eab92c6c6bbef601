"""Tasks outside the default grid: larger and smaller ones, and variants of those in it that differ in one thing."""

from dataclasses import replace

from bench.preprocess import (
    Columns,
    Delete,
    Divide,
    Fill,
    Interpolate,
    OneHot,
    Pool,
    Resample,
    Standardize,
    StandardizeTarget,
)
from bench.tasks import core
from bench.tasks.mlp import Mlp

MNIST = replace(core.MNIST_5K, name="mnist", dataset="mnist", steps=4680)  # ten epochs, as in the tutorial
FASHION_MNIST = replace(MNIST, name="fashion_mnist", dataset="fashion_mnist")

SHUTTLE = Mlp(
    name="shuttle",  # anomalies, 7 % of the rows
    dataset="shuttle",
    preprocessing=(Standardize(),),
    widths=(9, 32, 1),
    activation="relu",
    loss="sigmoid_cross_entropy",
    metric="average_precision",
    batch_size=256,
    steps=2000,
)

DIGITS = Mlp(
    name="digits",  # the classic small one
    dataset="digits",
    preprocessing=(Divide(16), OneHot()),
    widths=(64, 64, 64, 10),
    activation="relu",
    loss="softmax_cross_entropy",
    metric="accuracy",
    batch_size=64,
    steps=500,
)

DIABETES = Mlp(
    name="diabetes",  # the whole training set in every step, for gradient descent
    dataset="diabetes",
    preprocessing=(Standardize(), StandardizeTarget()),
    widths=(10, 16, 1),
    activation="tanh",
    loss="half_squared_error",
    metric="r2",
    batch_size=None,
    steps=400,
)

_HOUSING = (
    Columns(keep=(1,), log=(4, 5, 6), cyclic=((2, 12),), one_hot=(0,)),
    Standardize(),
    StandardizeTarget(log=True),
)

TASKS = (
    FASHION_MNIST,
    MNIST,
    DIGITS,
    DIABETES,
    SHUTTLE,
    replace(core.SEGMENT_RAW, name="segment", preprocessing=(Standardize(), OneHot())),
    replace(core.DIAMONDS_CUT, name="diamonds_cut_unweighted", preprocessing=(Standardize(), OneHot())),
    replace(core.DIAMONDS_CUT, name="diamonds_cut_resampled", preprocessing=(Standardize(), Resample(), OneHot())),
    replace(core.DIAMONDS_CUT, name="diamonds_cut_focal", preprocessing=(Standardize(), OneHot()), loss="focal"),
    replace(
        core.TXHOUSING,
        name="txhousing_deleted",
        preprocessing=(Delete(), Fill("median"), *_HOUSING),
        widths=(52, 32, 32, 1),
    ),
    replace(
        core.TXHOUSING,
        name="txhousing_interpolated",
        preprocessing=(Interpolate(along=3, within=0), Fill("median"), *_HOUSING),
        widths=(52, 32, 32, 1),
    ),
    replace(core.DIGITS_AUGMENTED, name="digits_plain", augment=()),
    replace(core.DIGITS_AUGMENTED, name="digits_dropout", augment=(), dropout=0.2),
    replace(core.MNIST_5K_NOISY, name="mnist_5k_clean", preprocessing=(Divide(255), Pool(28, 2), OneHot())),
)
