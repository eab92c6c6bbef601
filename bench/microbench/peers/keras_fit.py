"""The tutorial's Keras code: `compile` and `fit`, with the defaults that they have."""

import os

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras


class Training:
    """One compiled model, trained again and again."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y
        self.model = keras.Sequential(
            [
                keras.layers.Input((x.shape[1],)),
                keras.layers.Dense(32, activation="relu"),
                keras.layers.Dense(y.shape[1], activation="softmax"),
            ]
        )
        self.model.compile(optimizer="adam", loss="categorical_crossentropy")
        self.model.optimizer.build(self.model.trainable_variables)
        self.variables = self.model.variables + self.model.optimizer.variables
        self.untrained = [variable.numpy() for variable in self.variables]

    def reset(self) -> None:
        """Puts values back; a new model would be traced and compiled anew, which is not training."""
        for variable, value in zip(self.variables, self.untrained, strict=True):
            variable.assign(value)

    def train(self, epochs: int) -> int:
        """An epoch is all rows, the last batch being what is left; `fit` returns numbers, so all is done by then."""
        self.model.fit(self.x, self.y, batch_size=128, epochs=epochs, verbose=0)
        return epochs * -(-len(self.x) // 128)

    def weights(self) -> np.ndarray:
        """The first layer's, (features, 32)."""
        return self.model.get_weights()[0].copy()
