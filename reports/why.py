"""Pictures of a run's diagnostics: why an optimizer came out as it did. Only of runs that recorded them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import MaxNLocator

from bench.results import Results
from bench.stats import Array
from bench.traces import Diagnostics, Landscape
from reports import looks
from reports.boards import Board
from reports.drawing import INK, Cast, Picture, blank, by_task, legend, log_y
from reports.traced import GRADIENT_DESCENT, QUANTITIES, Quantity, along, edge

FIRST = 5  # of the optimization board are drawn, and gradient descent
LEVELS = 14  # of a landscape
NAME = 17  # letters of a task's name that a row is high enough for
GROUND = LinearSegmentedColormap.from_list("ground", ["#f7fafc", "#c9d6e2", "#8fa3b5", "#5d7083"])
SHOWN = [quantity for quantity in QUANTITIES if quantity.key != "path"]  # beside distance it takes another scale


def diagnostics(results: Results, boards: Sequence[Board], found: Diagnostics) -> Picture | None:
    """What was recorded along the runs of the first few optimizers, a row for each task."""
    tasks = [task for task in results.tasks if any(cell[0] == task for cell in found.traces)]
    names = _names(results, boards[0], found)
    if not tasks or not names:
        return None
    title = "Along the run: curvature, gradients and updates"
    caption = (
        "One run of each: the setting that the first replicate chose by training loss, its first final seed. "
        "Sharpness: largest eigenvalue of the Hessian of the training loss; dashed: 2 / learning rate, above which "
        "gradient descent on all rows is unstable. Update / weights: norm of an update over that of the parameters. "
        "Alignment: cosine of an update and the next. Distance: from the start."
    )
    if len(names) < len(results.optimizers):
        caption += f" Shown are the first {FIRST} of the optimization board, and {GRADIENT_DESCENT}."
    those = _cast(boards, names)
    figure = blank(1.5 + 1.2 * len(tasks), "", caption)
    axes = figure.subplots(len(tasks), len(SHOWN), squeeze=False)
    for row, task in zip(axes, tasks, strict=True):
        for ax, quantity in zip(row, SHOWN, strict=True):
            _quantity(ax, found, task, quantity, those)
            ax.tick_params(labelbottom=False)
        row[0].set_ylabel(task if len(task) <= NAME else f"{task[: NAME - 1]}…", fontsize=8)
    for first, last, quantity in zip(axes[0], axes[-1], SHOWN, strict=True):
        first.set_title(quantity.words.capitalize())
        last.tick_params(labelbottom=True)
        last.set_xlabel("share of the budget")
    legend(figure, title, those)
    return Picture("diagnostics", title, caption, figure)


def _names(results: Results, board: Board, found: Diagnostics) -> list[str]:
    """Whose runs are drawn, in the order of the run."""
    traced = {name for _, name in found.traces}
    ranked = [board.optimizers[o] for o in board.order if board.optimizers[o] in traced]
    return [name for name in results.optimizers if name in {*ranked[:FIRST], GRADIENT_DESCENT} & traced]


def _quantity(ax: Axes, found: Diagnostics, task: str, quantity: Quantity, those: Cast) -> None:
    """One panel: a quantity along the runs of a task."""
    values: list[Array] = []
    for index, name in enumerate(those.foremost):
        trace = found.traces.get((task, name))
        if trace is None:
            continue
        x, y = along(trace, quantity.key)
        values.append(y)
        share = x / max(1, int(trace.arrays["evaluations"][-1]))
        ax.plot(share, y, markevery=(index % 3, max(1, len(x) // 3)), **{**those.line(name), "lw": 1.1, "ms": 3})
        if quantity.key == "sharpness" and (limit := edge(trace)) is not None:
            values.append(np.asarray([limit]))
            ax.axhline(limit, color=those.looks[name].color, lw=1, dashes=(4, 2))
    finite = np.concatenate([*values, np.zeros(0)])
    finite = finite[np.isfinite(finite)]
    if quantity.log:
        log_y(ax, float(finite.min(initial=np.inf)), 1.3 * float(finite.max(initial=0)))
    elif quantity.key == "alignment":
        ax.set_ylim(-1.1, 1.1)
        ax.set_yticks([-1, 0, 1])
    else:
        ax.set_ylim(bottom=0)
        ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.set_xlim(-0.03, 1.03)
    ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    ax.tick_params(labelsize=7)
    ax.grid(axis="y")


def landscapes(results: Results, boards: Sequence[Board], found: Diagnostics) -> Picture | None:
    """The loss between and around the runs of each task's two best."""
    if not found.landscapes:
        return None
    title = "Where the two best of each task ended"
    caption = (
        "Training loss in the plane through the start (cross) and the ends (large markers) of the two runs of lowest "
        "training loss: darker is higher, levels even in its logarithm from the lowest in the plane to above that of "
        "the start. Lines: the runs, projected onto the plane, which they leave in between; dotted: straight from end "
        "to end. Axes: distance in parameters."
    )
    figure, axes = by_task(results, caption)
    ended = {name for around in found.landscapes.values() for name in around.meta["optimizers"]}
    those = _cast(boards, [name for name in results.optimizers if name in ended])
    for ax, task in axes:
        if task in found.landscapes:
            _landscape(ax, found.landscapes[task], those)
        else:
            ax.set_axis_off()
    legend(figure, title, those)
    return Picture("landscapes", title, caption, figure)


def _landscape(ax: Axes, around: Landscape, those: Cast) -> None:
    """One panel: the loss on its plane, and both runs."""
    x, y, loss = (around.arrays[name] for name in ("x", "y", "loss"))
    starting = float(around.arrays["between/loss"].max(initial=0))
    paths = [around.arrays[f"path/{index}"] for index in range(2)]
    finite = loss[np.isfinite(loss) & (loss > 0)]
    if finite.size and np.isfinite(paths).all():
        row, column = np.abs(y).argmin(), np.abs(x).argmin()
        top = max(1.5 * float(np.nan_to_num(loss[row, column])), 1.5 * starting, 2 * float(finite.min()))
        levels = np.geomspace(float(finite.min()), top, LEVELS)
        norm = LogNorm(levels[0], levels[-1])
        ax.contourf(x, y, np.clip(np.nan_to_num(loss, nan=np.inf), levels[0], top), levels, norm=norm, cmap=GROUND)
        ends = np.stack([path[-1] for path in paths])
        ax.plot(*ends.T, color=INK, lw=0.9, ls=":", zorder=3)
        for name, path in zip(around.meta["optimizers"], paths, strict=True):
            line = those.line(name)
            ax.plot(*path.T, **{**line, "marker": "", "lw": 1.6, "zorder": 4})
            ax.plot(*path[-1], ls="", marker=line["marker"], ms=8, color=line["color"], mec="white", mew=0.8, zorder=6)
        ax.plot(0, 0, "x", color=INK, ms=7, mew=2, zorder=5)
    ax.set_xlim(x[0], x[-1])
    ax.set_ylim(y[0], y[-1])
    ax.set_aspect("equal")
    ax.grid(visible=False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(4))


def _cast(boards: Sequence[Board], names: Sequence[str]) -> Cast:
    """These optimizers, all of them in colour."""
    every = looks.of(boards)
    return Cast({name: every[name] for name in names}, names)
