"""The tutorial's PyTorch code: the plain training loop over shuffled batches of tensors in memory."""

import numpy as np
import torch


class Training:
    """A model and its optimizer; `threads` is what PyTorch computes with, its own choice where None."""

    def __init__(self, x: np.ndarray, y: np.ndarray, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y.argmax(1))
        self.shape = x.shape[1], y.shape[1]
        self.loss = torch.nn.CrossEntropyLoss()
        self.reset()

    def reset(self) -> None:
        """A new model and a new optimizer."""
        features, classes = self.shape
        self.model = torch.nn.Sequential(torch.nn.Linear(features, 32), torch.nn.ReLU(), torch.nn.Linear(32, classes))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)

    def train(self, epochs: int) -> int:
        """An epoch is all rows, the last batch being what is left; on the CPU each operation is done as it returns."""
        steps = 0
        for _ in range(epochs):
            for rows in torch.randperm(len(self.x)).split(128):
                self.optimizer.zero_grad()
                loss = self.loss(self.model(self.x[rows]), self.y[rows])
                loss.backward()
                self.optimizer.step()
                steps += 1
        return steps

    def weights(self) -> np.ndarray:
        """The first layer's, (32, features)."""
        return next(self.model.parameters()).detach().numpy().copy()
