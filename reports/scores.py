"""A board's scores as a picture's panel, on a page or in a column of text."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bench import stats
from reports.boards import Board
from reports.drawing import SHADE, Cast, bars, dots, markers, name_rows, span


def caption(boards: Sequence[Board]) -> str:
    """What `rows` draws of them."""
    return (
        "Dot: mean over tasks of log loss in units of the task's scale, from its centre. Bar: 95 % bootstrap "
        "interval over tasks and replicates together. Small dots: single tasks. Shaded and filled: not told apart from "
        "the leader on these tasks "
        f"(permutation test, {stats.usual_control(len(boards[0].optimizers)).words}, p > 0.05)."
        + " *: not on every task, so not ranked."
        * any(not board.tiers[0].all() for board in boards)
    )


def rows(ax: Axes, board: Board, those: Cast, size: float = 9) -> None:
    """A board's scores, an optimizer a row, names in letters of `size` points."""
    order, tier = board.order, board.tiers[0][board.order]
    looks = [those.looks[board.optimizers[o]] for o in order]
    by_task = stats.cell_means(board.z)[:, order]
    low, high = (end[order] for end in board.interval)
    leading = int((tier == 1).sum())
    if leading:
        ax.axhspan(-0.5, leading - 0.5, color=SHADE, zorder=0, lw=0)
    ax.axvline(0, color="#c8c8c8", lw=0.8, zorder=1)
    dots(ax, list(by_task.T), looks, 3 * those.scale, 0.7)
    bars(ax, low, high, looks, 2.6 * those.scale, 0.75)
    markers(ax, board.score[order], looks, (9 if len(order) <= 10 else 7) * those.scale, 1.8 * those.scale, tier != 1)
    name_rows(ax, [board.optimizers[o] + ("" if ranked else " *") for o, ranked in zip(order, tier, strict=True)], size)
    ax.set_xlabel("← better      score      worse →")
    ax.grid(axis="x")
    span(ax, np.concatenate([by_task.ravel(), low, high]))
