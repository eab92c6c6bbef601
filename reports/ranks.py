"""The picture of mean ranks: Demsar's critical-difference diagram (Demsar, 2006, JMLR 7:1-30, section 3.2.4)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bench import stats
from bench.stats import Array
from bench.stats.ranks import joined, ranks
from reports.boards import Board
from reports.drawing import FAINT, INK, Cast, Picture, blank, cast
from reports.tables import chance

ROW, BAR = 1.0, 0.55  # heights, of names and of bars that join them


def critical_difference(boards: Sequence[Board]) -> Picture | None:
    """Mean ranks over tasks on both boards, with bars that join those not told apart; None of fewer than two."""
    ranked = [np.flatnonzero(board.tiers[0]) for board in boards]
    if any(len(places) < 2 for places in ranked):
        return None
    those = cast(boards)
    title = "Mean ranks over tasks, and what they tell apart"
    caption = (
        "Mean rank over tasks of each optimizer's mean over replicates, 1 the best; of those with results on every "
        "task. Bars join mean ranks closer than Nemenyi's critical difference, 5 % for all pairs of a board together, "
        "which is for use where Friedman's p is small. It takes tasks for independent draws and ranks alone for all "
        "there is: sizes of differences and replicates do not count, and a rank depends on who else takes part. The "
        "verdicts are the boards' tiers, from tests on replicates."
        f"{those.said}"
    )
    rows = -(-max(map(len, ranked)) // 2)
    figure = blank(1.3 + 2 * (1.0 + 0.24 * rows), title, caption)
    for ax, board, places in zip(figure.subplots(2, 1), boards, ranked, strict=True):
        means = np.array([stats.means(board.z[t : t + 1])[places] for t in range(len(board.tasks))])
        _diagram(ax, board, [board.optimizers[int(o)] for o in places], means, those)
    return Picture("critical_difference", title, caption, figure)


def _diagram(ax: Axes, board: Board, names: Sequence[str], means: Array, those: Cast) -> None:
    """One board's diagram; x is mean rank and y counts downwards from the scale."""
    count, tasks = len(names), len(means)
    mean = ranks(means).mean(0)
    order = [int(o) for o in np.argsort(mean, kind="stable")]
    bars = joined(stats.nemenyi(means)[np.ix_(order, order)])
    below = 0.6 + BAR * len(bars)
    half = -(-count // 2)
    ax.plot([1, count], [0, 0], color=INK, lw=1.0)
    every = 1 if count <= 25 else 5
    for rank in sorted({1, *range(every, count + 1, every)}):
        ax.plot([rank, rank], [0, -0.2], color=INK, lw=1.0)
        ax.text(rank, -0.35, str(rank), ha="center", va="bottom", fontsize=8, color=FAINT)
    for place, o in enumerate(order):
        left = place < half
        edge = 1 - 0.02 * (count - 1) if left else count + 0.02 * (count - 1)
        y = below + ROW * (place if left else count - 1 - place)
        style = those.looks[names[o]]
        line: dict[str, Any] = {"lw": 1.2, "dashes": style.dash} if names[o] in those.foremost else {"lw": 0.7}
        ax.plot([mean[o], mean[o], edge], [0, y, y], color=style.color, **line)
        ax.plot(mean[o], 0, ls="", marker=style.marker, ms=5.5, color=style.color, mec="white", mew=0.5, zorder=5)
        ax.text(edge, y, f" {names[o]}  {mean[o]:.2f} ", ha="right" if left else "left", va="center", fontsize=9)
    for level, (first, last) in enumerate(bars):
        y, over = 0.45 + BAR * level, 0.004 * (count - 1)  # equals are a bar too
        ax.plot([mean[order[first]] - over, mean[order[last]] + over], [y, y], color=INK, lw=3.2, zorder=4)
    _scale(ax, count, stats.critical_difference(count, tasks))
    said = f", Friedman p {chance(stats.friedman(means))}" if count > 2 else ""
    ax.set_title(f"{board.name.capitalize()}{said}", pad=2)
    ax.set_ylim(below + ROW * (half - 1) + 0.7, -2.6)
    share = min(0.009 * (max(map(len, names)) + 8), 0.36)  # of the width, for names on either side
    beside = (count - 1) * share / (1 - 2 * share)
    ax.set_xlim(1 - beside, count + beside)
    ax.set_axis_off()


def _scale(ax: Axes, count: int, difference: float) -> None:
    """The critical difference as a bar over the scale, or in words where no two can be that far apart."""
    if difference > count - 1:
        words = f"critical difference {difference:.2f}: no mean ranks can be that far apart"
        ax.text(1, -1.6, words, ha="left", va="center", fontsize=8, color=FAINT)
        return
    ax.errorbar(1 + difference / 2, -1.6, xerr=difference / 2, color=INK, lw=1.4, capsize=3)
    ax.text(1 + difference, -1.6, f"  critical difference {difference:.2f}", ha="left", va="center", fontsize=8)
