"""Pictures of how soon runs reach their targets."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from bench import stats
from bench.stats import Array
from reports import measures
from reports.boards import Board
from reports.drawing import (
    FAINT,
    Cast,
    Picture,
    bare_rows,
    bars,
    blank,
    cast,
    legend,
    log_axis,
    markers,
    name_rows,
    strip,
)
from reports.measures import Speed
from reports.standings import own_targets
from reports.tables import number

FURTHEST = 32.0  # times the best, where profiles end at the latest
REACHED = (  # what `reached` draws
    "Share of all pairs of a task and a final run (setting chosen by training loss) whose training loss is down at the "
    "task's target; at its right edge the share at the end, mean over tasks, with its 95 % bootstrap interval over "
    "tasks and replicates together."
)


def targets(found: Speed, boards: Sequence[Board]) -> Picture:
    """Share of targets reached over the budget, and performance profiles of what reaching them costs."""
    those = cast(boards)
    title = "Targets reached over the budget, and how far from the fastest"
    left, right = (text[0].lower() + text[1:] for text in (REACHED, within(found)))
    caption = f"Left: {left} Right: {right} {own_targets(found)}".strip() + those.said
    figure = blank(4.6, "", caption)
    axes = figure.subplots(1, 2, sharey=True)
    reached(axes[0], found, those)
    profiles(axes[1], found, those)
    legend(figure, title, those)
    return Picture("targets", title, caption, figure)


def within(found: Speed) -> str:
    """What `profiles` draws."""
    return (
        "Share of tasks on which the expected evaluations to the target, with restarts, are at most so many times the "
        f"least of all optimizers: no intervals, as one task is {100 / len(found.tasks):.0f} % of the height, and "
        "other rivals would change it."
    )


def reached(ax: Axes, found: Speed, those: Cast) -> None:
    """Share of tasks and runs at the target over the budget."""
    shares = np.linspace(0, 1, 201)
    used = found.times / found.budgets[:, None, None, None]
    hits = np.where(np.isnan(used), np.nan, used <= 1).mean(-1)  # of the seeds of a replicate, which has all or none
    ends = np.array([stats.means(hits), *stats.bootstrap(hits)])
    for index, name in enumerate([*those.behind, *those.foremost]):
        o = found.optimizers.index(name)
        ax.plot(shares, stats.ecdf(used[:, o], shares), markevery=(5 * (index % 6), 40), **those.line(name))
    own = {name: ends[:, o].tolist() for o, name in enumerate(found.optimizers)}
    strip(ax, 1.0, min(0.022, 0.3 / len(those.foremost)), those, own)
    ax.set_xlim(left=0)
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_title("Tasks and runs at the target")
    ax.set_xlabel("share of the budget")
    _shares(ax)


def profiles(ax: Axes, found: Speed, those: Cast) -> None:
    """Share of tasks within a factor of the fastest."""
    ratios = measures.beside_best(found.ert)
    finite = ratios[np.isfinite(ratios)]
    last = float(np.clip(1.1 * finite.max(initial=1.0), 2.0, FURTHEST))
    factors = np.geomspace(1, last, 400)
    profile = stats.performance_profile(found.ert, factors)
    for index, name in enumerate([*those.behind, *those.foremost]):
        values = profile[:, found.optimizers.index(name)]
        every, line = (10 * (index % 8), 80), those.line(name)
        if name not in those.foremost:
            line["alpha"] = 0.4  # steps of many make a grid
        ax.plot(factors, values, drawstyle="steps-post", markevery=every, **line)
    ax.set_xscale("log")
    ax.set_xlim(0.98, last)
    log_axis(ax.xaxis, 1.0, min(last, 99.0))
    ax.set_title("Tasks within a factor of the fastest")
    ax.set_xlabel("expected evaluations to the target, times the least")
    _shares(ax)


def _shares(ax: Axes) -> None:
    ax.set_ylim(-0.02, 1.02)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.grid(axis="y")


def steps_to_target(found: Speed, boards: Sequence[Board]) -> Picture:
    """What reaching each task's target costs, optimizer by optimizer."""
    those = cast(boards)
    title = "Gradient evaluations to each task's target"
    caption = (
        "Marker: expected gradient evaluations to the target with restarts, all that the final runs spent over how "
        "many of them reach it; hollow where some miss it, a cross at the edge where all do. Bar: 95 % bootstrap "
        "interval over replicates, each with its seeds, that ends at the edge where draws without a hit are among "
        "them; of few replicates it is too short. Dashed: the budget. Setting chosen by training loss; order of the "
        f"speed board. {own_targets(found)}"
    ).strip() + those.said
    order, columns = found.order, min(3, len(found.tasks))
    rows = -(-len(found.tasks) // columns)
    figure = blank(1.2 + rows * (0.62 + 0.17 * max(len(order), 2)), title, caption)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[len(found.tasks) :]:
        spare.remove()
    for t, (ax, task) in enumerate(zip(axes, found.tasks, strict=False)):
        _costs(ax, found, t, those)
        if t % columns:
            bare_rows(ax, len(order))
        else:
            name_rows(ax, [found.optimizers[o] for o in order], 9 if len(order) <= 20 else 8)
        ax.set_title(task)
        ax.set_title(f"loss {number(found.targets[t])}", loc="right", fontsize=8, fontweight="normal", color=FAINT)
        if t + columns >= len(found.tasks):
            ax.set_xlabel("gradient evaluations")
    return Picture("steps_to_target", title, caption, figure)


def _costs(ax: Axes, found: Speed, t: int, those: Cast) -> None:
    """One panel of `steps_to_target`."""
    budget, order = float(found.budgets[t]), found.order
    looks, cost = [those.looks[found.optimizers[o]] for o in order], found.ert[t, order]
    ends = np.array([end[t, order] for end in found.ert_interval])
    low, high = _limits(np.concatenate([cost, ends.ravel(), [budget]]))
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    log_axis(ax.xaxis, low, high)
    ax.axvline(budget, color=FAINT, lw=0.9, ls=(0, (3, 2)), zorder=1)
    hits, runs = (counts[t, order] for counts in found.reached)
    below, above = np.where(hits > 0, np.minimum(ends, high), np.nan)
    bars(ax, below, above, looks, 1.6)
    markers(ax, np.where(hits > 0, cost, np.nan), looks, 5.5, 1.2, hits < runs)
    edge = ax.get_yaxis_transform()
    for y in np.flatnonzero(hits == 0).tolist():
        if runs[y]:
            ax.plot(1, y, "x", transform=edge, color=looks[y].color, ms=6, mew=1.8, clip_on=False)
        else:
            ax.text(0.99, y, "not run", transform=edge, ha="right", va="center", fontsize=7, color=FAINT)
    ax.grid(axis="x")


def _limits(values: Array) -> tuple[float, float]:
    """A logarithmic axis around what is finite."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    margin = max((high / low) ** 0.12, 1.2)
    return low / margin, high * margin
