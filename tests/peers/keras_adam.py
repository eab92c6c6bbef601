"""Trains the reference task with Keras's own Adam, seed after seed, and prints what it reaches on the test rows.

    python keras_adam.py DATA.npz SEEDS EPOCHS LEARNING_RATE EPSILON

DATA holds x_train, y_train, x_test, y_test; the last line out is JSON: {"loss": [...], "accuracy": [...]}.
"""

import json
import os
import sys

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras

BATCH = 128


def network(features: int, classes: int) -> keras.Sequential:
    """The tutorial's model, untrained; Keras's own initial values are Glorot uniform and zero."""
    return keras.Sequential(
        [
            keras.layers.Input((features,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def main(data: str, seeds: int, epochs: int, learning_rate: float, epsilon: float) -> dict[str, list[float]]:
    """Test loss and accuracy after the last epoch, one of each a seed."""
    with np.load(data) as arrays:
        x, y, x_test, y_test = (arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    full = len(x) // BATCH  # batches an epoch; a partial one would be a 28th step
    model = network(x.shape[1], y.shape[1])
    adam = keras.optimizers.Adam(learning_rate=learning_rate, beta_1=0.9, beta_2=0.999, epsilon=epsilon)
    model.compile(adam, "categorical_crossentropy", metrics=["accuracy"], jit_compile=False, steps_per_execution=full)
    adam.build(model.trainable_variables)
    fresh = [variable.numpy() for variable in adam.variables]
    reached: dict[str, list[float]] = {"loss": [], "accuracy": []}
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        # The compiled model is kept and given new values: compiling takes longer than training.
        model.set_weights(network(x.shape[1], y.shape[1]).get_weights())
        for variable, value in zip(adam.variables, fresh, strict=True):
            variable.assign(value)
        rng = np.random.default_rng(seed)
        # One call with the rows of all epochs in their order: starting `fit` takes longer than an epoch.
        rows = np.concatenate([rng.permutation(len(x))[: full * BATCH] for _ in range(epochs)])
        model.fit(x[rows], y[rows], batch_size=BATCH, shuffle=False, verbose=0)
        assert int(adam.iterations.numpy()) == epochs * full
        loss, accuracy = model.evaluate(x_test, y_test, batch_size=len(x_test), verbose=0)
        reached["loss"].append(float(loss))
        reached["accuracy"].append(float(accuracy))
    return reached


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))))
