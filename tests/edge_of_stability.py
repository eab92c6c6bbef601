"""Gradient descent at the edge of stability (Cohen et al., 2021, arXiv:2103.00065), as the diagnostics see it.

    python -m tests.edge_of_stability docs/edge-of-stability.png

Sharpness rises until it reaches 2 / learning rate, above which gradient descent on a quadratic of that curvature
diverges, and then stays there, while updates turn back and forth and the loss goes on falling, unevenly.
"""

import sys
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import optimizers
from bench import diagnostics, tasks
from bench.program import Program, compile_program
from bench.protocol import Protocol
from reports.drawing import blank, log_y, theme
from reports.looks import COLORS

TASK = "diabetes(batch_size=None, activation='tanh')"
STEPS = 8000
POINTS = 100
RATES = (0.15, 0.2, 0.3)


@cache
def program() -> Program:
    """Gradient descent on all rows of a small data set, with a smooth activation and squared error."""
    return compile_program(tasks.get(TASK, STEPS), optimizers.get("sgd"), Protocol(evaluations=POINTS))


def run(rate: float) -> dict[str, np.ndarray]:
    """What the diagnostics record at a learning rate, curvature at every point."""
    return diagnostics.trace(program(), {"learning_rate": rate}, sharp=POINTS + 1)[1]


def figure() -> Figure:
    """Sharpness beside 2 / rate, alignment of updates, and loss, for each of RATES."""
    caption = (
        f"Gradient descent (sgd) on {TASK}, {STEPS} steps, at three learning rates. Sharpness: largest eigenvalue of "
        "the Hessian of the training loss, by Lanczos. Dashed: 2 / learning rate. Alignment: cosine of an update and "
        "the next one."
    )
    made = blank(3.4, "Gradient descent at the edge of stability", caption)
    sharpness, alignment, loss = made.subplots(1, 3)
    for rate, color in zip(RATES, COLORS, strict=False):
        found = run(rate)
        sharpness.plot(found["sharp/evaluations"], found["sharp/top"], color=color, lw=1.5)
        sharpness.axhline(2 / rate, color=color, lw=1, dashes=(4, 2))
        sharpness.annotate(
            f"2 / {rate:g}", (1, 2 / rate), xycoords=("axes fraction", "data"), xytext=(0, 3),
            textcoords="offset points", ha="right", va="bottom", fontsize=8, color=color,
        )  # fmt: skip
        alignment.plot(found["evaluations"], found["alignment"], color=color, lw=1.5)
        loss.plot(found["evaluations"], found["loss"], color=color, lw=1.5, label=f"learning rate {rate:g}")
    for ax, title in ((sharpness, "Sharpness"), (alignment, "Alignment of updates"), (loss, "Training loss")):
        ax.set_title(title)
        ax.grid(axis="y")
        ax.set_xlabel("steps")
    sharpness.set_ylim(0, 2.25 / min(RATES))
    alignment.set_yticks([-1, 0, 1])
    log_y(loss, 0.04, 2.0)
    loss.legend(fontsize=8)
    return made


def main(path: Path) -> None:
    """Draws it into a file."""
    with theme():
        figure().savefig(path, dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
