"""Pictures of what searches tell: how much tuning it takes, and what none costs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bench import stats
from bench.constants import RULES
from bench.results import Results
from bench.stats import Array
from reports import measures
from reports.boards import Board
from reports.drawing import Picture, blank, legend, log_y, name_rows, span, strip, styles
from reports.measures import Robustness

BELOW = 0.3  # of a row: small dots stand under the bar they belong to
SELECTED = {"optimization": "training", "generalization": "validation"}


def tunability(results: Results, boards: Sequence[Board]) -> Picture:
    """Expected best of k trials beside the best found, for both rules of selection."""
    found = measures.robustness(results)
    title = "How much tuning it takes"
    caption = (
        "Lines: expected lowest loss at the budget of k trials of a search, drawn without replacement, over the lowest "
        "that any search of the optimizer found on the task; geometric mean over replicates and tasks. A trial that "
        "failed counts as its starting loss. At the right edge: the value for all trials with its 95 % bootstrap "
        "interval over tasks and replicates together; for fewer trials it is wider. Each is beside its own best, which "
        "need not be good."
    )
    figure = blank(4.5, "", caption)
    axes = figure.subplots(1, 2, sharey=True)
    curves = {board: found.curve(board) for board in RULES}
    for ax, (board, curve) in zip(axes, curves.items(), strict=True):
        _fewer(ax, found, curve)
        ax.set_title(f"{board.capitalize()}: by {SELECTED[board]} loss")
        ax.set_xlabel("trials")
    axes[0].set_ylabel("loss, times the best found")
    highest = np.concatenate([np.ravel(values) for mean, _, high in curves.values() for values in (mean, high[:, -1])])
    log_y(axes[0], 1.25, 1.15 * float(highest[np.isfinite(highest)].max(initial=1.5)))
    legend(figure, title, found.optimizers)
    return Picture("tunability", title, caption, figure)


def _fewer(ax: Axes, found: Robustness, curve: tuple[Array, Array, Array]) -> None:
    look = styles(found.optimizers)
    trials = curve[0].shape[1]
    for o, name in enumerate(found.optimizers):
        style = look[name]
        ax.plot(range(1, trials + 1), curve[0][o], color=style.color, lw=1.5, dashes=style.dash, marker=style.marker,
                ms=4, mec="white", mew=0.4)  # fmt: skip
    ends = [(look[name], [float(values[o, -1]) for values in curve]) for o, name in enumerate(found.optimizers)]
    strip(ax, trials + 0.1, min(0.024, 0.3 / len(ends)) * max(trials - 1, 1), ends)
    ax.set_xticks(range(1, trials + 1, max(1, trials // 10)))
    ax.grid(axis="y")


def defaults(results: Results, boards: Sequence[Board]) -> Picture:
    """What untuned defaults cost, and how wide good learning rates are."""
    found = measures.robustness(results)
    title = "What untuned defaults cost, and how wide good learning rates are"
    caption = (
        "Small dots: single tasks. Left: training loss at the budget of the trial at the paper's defaults over that of "
        "the best trial of its search, a failed one counted as its starting loss; large marker and bar: geometric mean "
        "over replicates and tasks with its 95 % bootstrap interval over both together. Right: decades of learning "
        f"rates around the best within {100 * measures.WITHIN:.0f} % of its loss, all trials of all replicates of a "
        "task together, other hyperparameters varied too: an estimate; large marker and bar: mean over tasks with "
        "its 95 % t interval. Order of the robustness board."
    )
    order, whole = found.order, stats.complete(found.cost)
    if not whole.all():
        caption += " *: without a trial that did not fail on some task, and last for it."
    figure = blank(1.75 + 0.33 * len(order), title, caption)
    left, right = figure.subplots(1, 2, sharey=True)
    by_task = [np.exp(stats.means(found.cost[t : t + 1])) for t in range(len(found.tasks))]
    _rows(left, found, np.array(by_task), found.costs)
    _rows(right, found, found.basin, found.basins)
    name_rows(left, [found.optimizers[o] + ("" if whole[o] else " *") for o in order])
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    span(left, np.concatenate([np.ravel(by_task), *found.costs]), log=True)
    span(right, np.concatenate([found.basin.ravel(), *found.basins]))
    if np.isnan(found.basin).all():
        right.text(0.5, 0.5, "no learning rate was searched", transform=right.transAxes, ha="center")
    else:
        right.set_xlim(left=0)
    left.set_title("Defaults: loss, times the best of the search")
    right.set_title("Good learning rates, decades")
    return Picture("defaults", title, caption, figure)


def _rows(ax: Axes, found: Robustness, by_task: Array, means: tuple[Array, Array, Array]) -> None:
    """An optimizer a row: its tasks as dots, their mean with its interval."""
    look = styles(found.optimizers)
    for y, o in enumerate(found.order):
        style = look[found.optimizers[o]]
        ax.plot(by_task[:, o], np.full(len(by_task), y + BELOW), ls="", marker="o", ms=3, mew=0, color=style.color,
                alpha=0.7)  # fmt: skip
        mean, low, high = (values[o] for values in means)
        ax.plot([low, high], [y, y], color=style.color, lw=2.2, alpha=0.7)
        ax.plot(mean, y, ls="", marker=style.marker, ms=7.5, color=style.color, mec="white", mew=0.6, zorder=5)
    ax.grid(axis="x")
