"""The tasks of the default grid: one entry each, and each there for one way of changing a model."""

from bench.augment import Noise, Shift
from bench.preprocess import (
    ClassWeights,
    Columns,
    Divide,
    Fill,
    LabelNoise,
    OneHot,
    Pool,
    Reconstruct,
    Standardize,
    StandardizeTarget,
)
from bench.tasks.mlp import Mlp

MNIST_5K = Mlp(
    name="mnist_5k",  # several classes; the reference: the classic tutorial's model, ten epochs
    dataset="mnist_5k",
    preprocessing=(Divide(255), OneHot()),
    widths=(784, 32, 10),
    activation="relu",
    loss="softmax_cross_entropy",
    metric="accuracy",
    batch_size=128,
    steps=270,
)

BREAST_CANCER = Mlp(
    name="breast_cancer",  # two classes; every step takes all training rows, so SGD here is gradient descent
    dataset="breast_cancer",
    preprocessing=(Standardize(),),
    widths=(30, 16, 1),
    activation="sigmoid",
    loss="sigmoid_cross_entropy",
    metric="binary_accuracy",
    batch_size=None,
    steps=400,
)

YEAST = Mlp(
    name="yeast",  # several labels a row
    dataset="yeast",
    preprocessing=(Standardize(),),
    widths=(103, 32, 14),
    activation="relu",
    loss="sigmoid_cross_entropy",
    metric="micro_f1",
    batch_size=64,
    steps=300,
)

DIAMONDS_CUT = Mlp(
    name="diamonds_cut",  # unequal classes, weighted
    dataset="diamonds_cut",
    preprocessing=(Standardize(), ClassWeights(), OneHot()),
    widths=(9, 64, 5),
    activation="relu",
    loss="softmax_cross_entropy",
    metric="macro_f1",
    batch_size=256,
    steps=500,
)

DIAMONDS_PRICE = Mlp(
    name="diamonds_price",  # a target with a heavy tail, and a loss that bears it
    dataset="diamonds_price",
    preprocessing=(Standardize(), StandardizeTarget()),
    widths=(9, 64, 1),
    activation="relu",
    loss="huber",
    metric="rmse",
    batch_size=256,
    steps=500,
)

TXHOUSING = Mlp(
    name="txhousing",  # missing values, filled and told
    dataset="txhousing",
    preprocessing=(
        Fill("median", indicators=True),
        Columns(keep=(1, 7, 8), log=(4, 5, 6), cyclic=((2, 12),), one_hot=(0,)),
        Standardize(),
        StandardizeTarget(log=True),
    ),
    widths=(54, 32, 32, 1),
    activation="tanh",
    loss="squared_error",
    metric="r2",
    batch_size=64,
    steps=600,
)

AUTOENCODER = Mlp(
    name="autoencoder",  # the image is the target
    dataset="digits",
    preprocessing=(Divide(16), Reconstruct()),
    widths=(64, 32, 8, 32, 64),
    activation="gelu",
    loss="half_squared_error",
    metric="rmse",
    batch_size=64,
    steps=500,
)

DEM = Mlp(
    name="dem",  # coordinates to a field
    dataset="dem",
    preprocessing=(StandardizeTarget(),),
    widths=(2, 32, 32, 32, 1),
    activation="relu",
    loss="squared_error",
    metric="r2",
    batch_size=64,
    steps=600,
)

DIGITS_DEEP = Mlp(
    name="digits_deep",  # depth, and an activation that lets gradients vanish
    dataset="digits",
    preprocessing=(Divide(16), OneHot()),
    widths=(64, 32, 32, 32, 10),
    activation="sigmoid",
    loss="softmax_cross_entropy",
    metric="accuracy",
    batch_size=64,
    steps=600,
)

MNIST_5K_NOISY = Mlp(
    name="mnist_5k_noisy",  # wrong labels
    dataset="mnist_5k",
    preprocessing=(Divide(255), Pool(28, 2), LabelNoise(0.4), OneHot()),
    widths=(196, 32, 10),
    activation="relu",
    loss="softmax_cross_entropy",
    metric="accuracy",
    l2=1e-4,
    batch_size=64,
    steps=500,
)

DIGITS_AUGMENTED = Mlp(
    name="digits_augmented",  # no two steps see the same images
    dataset="digits",
    preprocessing=(Divide(16), OneHot()),
    augment=(Shift(8, 1), Noise(0.1)),
    widths=(64, 64, 10),
    activation="tanh",
    loss="softmax_cross_entropy",
    metric="accuracy",
    batch_size=128,
    steps=400,
)

SEGMENT_RAW = Mlp(
    name="segment_raw",  # features in their own units, from hundredths to hundreds
    dataset="segment",
    preprocessing=(OneHot(),),
    widths=(18, 32, 32, 7),
    activation="tanh",
    loss="softmax_cross_entropy",
    metric="accuracy",
    batch_size=64,
    steps=600,
)

TASKS = (
    MNIST_5K,
    BREAST_CANCER,
    YEAST,
    DIAMONDS_CUT,
    DIAMONDS_PRICE,
    TXHOUSING,
    AUTOENCODER,
    DEM,
    DIGITS_DEEP,
    MNIST_5K_NOISY,
    DIGITS_AUGMENTED,
    SEGMENT_RAW,
)
