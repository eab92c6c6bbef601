"""Pictures of what searches tell: how much tuning it takes, and what none costs."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bench import stats
from bench.constants import RULES
from bench.stats import Array
from reports import measures
from reports.boards import Board
from reports.drawing import (
    Cast,
    Picture,
    bars,
    blank,
    cast,
    dots,
    legend,
    log_y,
    markers,
    name_rows,
    span,
    strip,
)
from reports.measures import Robustness

FEWER = (  # what `fewer` draws
    "Lines: expected lowest loss at the budget of k trials of a search, drawn without replacement, over the lowest "
    "that any search of the optimizer found on the task; geometric mean over replicates and tasks. A trial that "
    "failed counts as its starting loss. At the right edge: the value for all trials with its 95 % bootstrap interval "
    "over tasks and replicates together; for fewer trials it is wider. Each is beside its own best, which need not be "
    "good."
)
SELECTED = {"optimization": "training", "generalization": "validation"}


def tunability(found: Robustness, boards: Sequence[Board]) -> Picture:
    """Expected best of k trials beside the best found, for both rules of selection."""
    those = cast(boards)
    title = "How much tuning it takes"
    caption = FEWER + those.said
    figure = blank(4.5, "", caption)
    axes = figure.subplots(1, 2, sharey=True)
    curves = {board: found.curve(board) for board in RULES}
    for ax, (board, curve) in zip(axes, curves.items(), strict=True):
        fewer(ax, found, curve, those)
        ax.set_title(f"{board.capitalize()}: by {SELECTED[board]} loss")
    axes[0].set_ylabel("loss, times the best found")
    log_y(axes[0], 1.25, 1.15 * max(map(highest, curves.values())))
    legend(figure, title, those)
    return Picture("tunability", title, caption, figure)


def fewer(ax: Axes, found: Robustness, curve: tuple[Array, Array, Array], those: Cast) -> None:
    """Expected best of k trials: mean, low and high, each (O, K)."""
    trials = curve[0].shape[1]
    for name in [*those.behind, *those.foremost]:
        ax.plot(range(1, trials + 1), curve[0][found.optimizers.index(name)], **those.line(name))
    ends = {name: [float(values[o, -1]) for values in curve] for o, name in enumerate(found.optimizers)}
    strip(ax, trials + 0.1, min(0.024, 0.3 / len(those.foremost)) * max(trials - 1, 1), those, ends)
    ax.set_xticks(range(1, trials + 1, max(1, trials // 10)))
    ax.set_xlabel("trials")
    ax.grid(axis="y")


def highest(curve: tuple[Array, Array, Array]) -> float:
    """The highest that `fewer` draws, for its axis."""
    values = np.concatenate([curve[0].ravel(), curve[2][:, -1]])
    return float(values[np.isfinite(values)].max(initial=1.5))


def defaults(found: Robustness, boards: Sequence[Board]) -> Picture:
    """What untuned defaults cost, and how wide good learning rates are."""
    those = cast(boards)
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
    caption += those.said
    figure = blank(1.75 + (0.33 if len(order) <= 10 else 0.24) * len(order), title, caption)
    left, right = figure.subplots(1, 2, sharey=True)
    by_task = [np.exp(stats.means(found.cost[t : t + 1])) for t in range(len(found.tasks))]
    _rows(left, found, np.array(by_task), found.costs, those)
    _rows(right, found, found.basin, found.basins, those)
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


def _rows(ax: Axes, found: Robustness, by_task: Array, means: tuple[Array, Array, Array], those: Cast) -> None:
    """An optimizer a row: its tasks as dots, their mean with its interval."""
    looks = [those.looks[found.optimizers[o]] for o in found.order]
    mean, low, high = (values[found.order] for values in means)
    dots(ax, list(by_task[:, found.order].T), looks, 3)
    bars(ax, low, high, looks, 2.2)
    markers(ax, mean, looks, 7.5)
    ax.grid(axis="x")
