"""The tasks of the default grid: one short entry each."""

from bench.tasks.mlp import Mlp

TASKS = (
    Mlp(
        name="mnist_5k",  # the reference task: the classic tutorial's model
        dataset="mnist_5k",
        widths=(784, 32, 10),
        activation="relu",
        loss="softmax_cross_entropy",
        metric="accuracy",
        batch_size=128,
        steps=540,
    ),
    Mlp(
        name="digits",
        dataset="digits",
        widths=(64, 64, 64, 10),
        activation="relu",
        loss="softmax_cross_entropy",
        metric="accuracy",
        batch_size=64,
        steps=800,
    ),
    Mlp(
        name="breast_cancer",
        dataset="breast_cancer",
        widths=(30, 16, 1),
        activation="sigmoid",
        loss="sigmoid_cross_entropy",
        metric="binary_accuracy",
        batch_size=32,
        steps=600,
    ),
    Mlp(
        name="diabetes",
        dataset="diabetes",
        widths=(10, 16, 1),
        activation="tanh",
        loss="half_squared_error",
        metric="r2",
        batch_size=None,  # the whole training set, so that SGD here is gradient descent
        steps=400,
    ),
)
