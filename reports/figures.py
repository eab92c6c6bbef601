"""Pictures of a run. Each function takes the results and gives a `Picture`; `render` makes the files.

An optimizer has one colour, marker and dash in every picture of a run, from a palette that the colour-blind can tell
apart; markers and dashes carry it in greyscale. Figures are made without pyplot, so that nothing global is touched.
"""

import io
import multiprocessing
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench import stats
from bench.machine import cores
from bench.results import Results
from bench.stats import Array
from reports.boards import RULES, Board, compile_seconds, metric_name, step_ratios
from reports.tables import SUBJECTS, too_few

WIDTH = 9.0  # inches, 100 pixels each on a page
FORMATS = ("png", "svg", "pdf")
INK, FAINT, SHADE = "#222222", "#6b6b6b", "#eef3f8"
# seaborn's "colorblind" without its two palest, the most different first
PALETTE = [sns.color_palette("colorblind").as_hex()[index] for index in (0, 3, 2, 1, 4, 9, 5, 7)]
MARKERS = "osD^vP<X>"
DASHES = ((), (4, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5), (2.5, 1))
BELOW = 0.3  # of a row: small dots stand under the bar they belong to
LR_BINS = 2  # a decade


Shown = Callable[[Array], Array]  # from what statistics are made on to what is drawn


class Style(NamedTuple):
    """How an optimizer looks."""

    color: str
    marker: str
    dash: tuple[float, ...]


@dataclass(frozen=True)
class Picture:
    """A figure and the words that belong to it.

    Attributes:
      name: of its files.
      title: what it shows.
      caption: what its intervals are.
    """

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Drawn:
    """A picture as files, by format; the words are the picture's."""

    name: str
    title: str
    caption: str
    files: Mapping[str, bytes]


Maker = Callable[[Results, Sequence[Board]], Picture | None]


def styles(optimizers: Sequence[str]) -> dict[str, Style]:
    """A look for each optimizer, by its place in the run."""
    return {
        name: Style(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, name in enumerate(optimizers)
    }


def pictures(results: Results, boards: Sequence[Board]) -> Iterator[Picture]:
    """All pictures that the results allow, in a page's order; none of nothing."""
    for make in _makers(results):
        picture = _make(make, results, boards)
        if picture:
            yield picture


def draw_all(results: Results, boards: Sequence[Board]) -> list[Drawn]:
    """All pictures as files, drawn on as many cores as there are.

    In processes forked from this one, which have matplotlib and the results already; where that cannot be done, or
    threads forbid it, one after another.
    """
    draw = partial(_draw, results=results, boards=boards)
    makers = _makers(results)
    threaded = threading.active_count() > 1 or "jax" in sys.modules  # JAX's threads are not Python's
    if threaded or "fork" not in multiprocessing.get_all_start_methods() or len(cores()) < 2:
        return [drawn for drawn in map(draw, makers) if drawn]
    forked = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(min(len(cores()), len(makers) or 1), mp_context=forked) as pool:
        return [drawn for drawn in pool.map(draw, makers) if drawn]


def _makers(results: Results) -> list[Maker]:
    if not results.units:
        return []
    return [leaderboard, convergence_by_step, convergence_by_second, final, learning_rate, step_time]


def _make(make: Maker, results: Results, boards: Sequence[Board]) -> Picture | None:
    with _theme():
        return make(results, boards)


def _draw(make: Maker, results: Results, boards: Sequence[Board]) -> Drawn | None:
    picture = _make(make, results, boards)
    return Drawn(picture.name, picture.title, picture.caption, render(picture)) if picture else None


def render(picture: Picture) -> dict[str, bytes]:
    """The picture's files by format. It is laid out once and then drawn for each."""
    files = {}
    with _theme():
        for ax in picture.figure.axes:
            for axis in (ax.xaxis, ax.yaxis):
                if not axis.get_label_text():
                    axis.set_label_coords(0, 0)  # spares the search for a place for a label that is not there
        if engine := picture.figure.get_layout_engine():
            engine.execute(picture.figure)
        picture.figure.set_layout_engine("none")
        for form in FORMATS:
            buffer = io.BytesIO()
            undated: Mapping[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
            picture.figure.savefig(buffer, format=form, dpi=200, metadata=undated)
            files[form] = buffer.getvalue()
    return files


@contextmanager
def _theme() -> Iterator[None]:
    look = {
        **sns.axes_style("ticks"),
        "axes.edgecolor": "#9a9a9a",
        "axes.labelcolor": INK,
        "axes.labelsize": 9,
        "axes.linewidth": 0.8,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titley": 1.0,  # where it would be put anyway, after a search that takes a sixth of the time of drawing
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.titlesize": 12,
        "figure.titleweight": "bold",
        "font.family": ["DejaVu Sans"],  # comes with matplotlib: a figure is the same on every machine
        "font.size": 9,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "lines.solid_capstyle": "round",
        "svg.hashsalt": "optgrid",
        "text.color": INK,
        "text.parse_math": False,  # names are names, whatever dollar signs they hold
        "xtick.color": FAINT,
        "xtick.labelsize": 8,
        "ytick.color": FAINT,
        "ytick.labelsize": 8,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
    }
    with mpl.rc_context(look):
        yield


# The pictures


def leaderboard(results: Results, boards: Sequence[Board]) -> Picture:
    """Scores with their intervals, both boards side by side."""
    look = styles(results.optimizers)
    count = len(results.optimizers)
    size = [_count(count, "optimizer"), _count(len(results.tasks), "task")]
    title = f"Leaderboard: {', '.join(size)}, {_count(results.manifest['replicates'], 'replicate')}"
    caption = (
        "Dot: mean over tasks of log loss in units of the task's scale, from the median optimizer. Bar: 95 % bootstrap "
        "interval over tasks and replicates together. Small dots: single tasks. Shaded and filled: not told apart from "
        "the leader on these tasks (permutation test, Holm over all pairs, p > 0.05)."
    )
    if few := too_few(len(results.tasks), results.manifest["replicates"]):
        caption += f" {few}"
    figure = _figure(1.75 + (0.36 if count <= 10 else 0.28) * count, title, caption)
    axes = figure.subplots(1, 2, squeeze=False)[0]
    for ax, board in zip(axes, boards, strict=True):
        tier, order = board.tiers[0], board.order
        by_task = np.array([stats.means(board.z[t : t + 1]) for t in range(len(board.tasks))])
        leading = int((tier == 1).sum())
        if leading:
            ax.axhspan(-0.5, leading - 0.5, color=SHADE, zorder=0, lw=0)
        ax.axvline(0, color="#c8c8c8", lw=0.8, zorder=1)
        for y, o in enumerate(order):
            style = look[board.optimizers[o]]
            ax.plot(
                by_task[:, o],
                np.full(len(by_task), y + BELOW),
                ls="",
                marker="o",
                ms=3,
                mew=0,
                color=style.color,
                alpha=0.7,
            )
            low, high = board.interval[0][o], board.interval[1][o]
            ax.plot([low, high], [y, y], color=style.color, lw=2.6, alpha=0.75)
            face = style.color if tier[o] == 1 else "white"
            ax.plot(board.score[o], y, ls="", marker=style.marker, ms=9, color=style.color, mfc=face, mew=1.8, zorder=5)
        _name_rows(ax, [board.optimizers[o] + ("" if tier[o] else " *") for o in order])
        ax.set_title(board.name.capitalize(), fontsize=11, pad=20)
        below = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(_first_words(board.name), (0, 1), (0, 6), **below, fontsize=8.5, color=FAINT)
        ax.set_xlabel("← better      score      worse →")
        ax.grid(axis="x")
        _span(ax, np.concatenate([by_task.ravel(), *board.interval]))
    if any(not board.tiers[0].all() for board in boards):
        caption += " *: not on every task, so not ranked."
        _caption(figure, caption)
    return Picture("leaderboard", title, caption, figure)


def convergence_by_step(results: Results, boards: Sequence[Board]) -> Picture:
    """Training loss over the budget."""
    title = "Training loss over gradient evaluations"
    label = "gradient evaluations"
    return _convergence("convergence_steps", title, label, results, dict.fromkeys(_cells(results), 1.0))


def convergence_by_second(results: Results, boards: Sequence[Board]) -> Picture | None:
    """Training loss over seconds of training, where steps were timed."""
    seconds = {cell: timing.seconds_per_step for cell, timing in results.timings.items() if results.cell(*cell)}
    title = "Training loss over seconds of training, evaluation off the clock"
    label = "seconds (steps × time per step)"
    return _convergence("convergence_seconds", title, label, results, seconds) if seconds else None


def final(results: Results, boards: Sequence[Board]) -> Picture:
    """Final losses and the tasks' own metrics, cell by cell."""
    optimization, generalization = boards
    tasks, order = results.tasks, optimization.order
    title = "Final results by task"
    caption = (
        "Small dots: replicates, each a whole search and its final seeds. Large marker and bar: mean over replicates "
        "and its 95 % t interval, of log loss for losses; bars leave the panel where few replicates say little. "
        "Crosses at the edge: diverged."
    )
    height = 0.42 + 0.19 * len(order)
    figure = _figure(1.35 + (height + 0.28) * len(tasks), title, caption)
    axes = figure.subplots(len(tasks), 3, squeeze=False)
    for t, task in enumerate(tasks):
        metric = metric_name(results, task)
        columns: Sequence[tuple[str, Array, Shown]] = (
            (f"{task}: training loss", optimization.scores[t], np.exp),
            ("test loss", generalization.scores[t], np.exp),
            (f"test {metric}", generalization.metrics[t], np.asarray),
        )
        for c, (ax, (name, values, shown)) in enumerate(zip(axes[t], columns, strict=True)):
            ax.set_title(name)
            _replicates(ax, [values[o] for o in order], [results.optimizers[o] for o in order], shown, results, c == 0)
    return Picture("final", title, caption, figure)


def learning_rate(results: Results, boards: Sequence[Board]) -> Picture | None:
    """Every trial of every search: training loss against learning rate."""
    if not any("hparams/learning_rate" in record.arrays for record in results.units):
        return None
    title = "Sensitivity to the learning rate: every trial of every search"
    caption = (
        "Dots: training loss at the budget of single trials; other hyperparameters vary too. Lines: median of the "
        "trials in each half decade. Hollow, at the upper edge: trials that diverged, or ended beyond it."
    )
    figure, axes = _by_task(results, caption)
    look = styles(results.optimizers)
    for ax, task in axes:
        records = [record for record in results.units if record.meta["task"] == task]
        starts = np.concatenate([record.arrays["search/train/loss"][:, 0] for record in records])
        floor, top = records[0].meta["floor"], 3 * float(np.median(starts[np.isfinite(starts)]))
        lowest = top
        for name in results.optimizers:
            cell = [record for record in results.cell(task, name) if "hparams/learning_rate" in record.arrays]
            if not cell:
                continue
            rates = np.concatenate([record.arrays["hparams/learning_rate"] for record in cell])
            losses = np.concatenate([record.arrays["search/train/loss"][:, -1] for record in cell]).astype(float)
            losses = np.clip(np.where(np.isfinite(losses), losses, np.inf), floor, top)
            lowest = min(lowest, losses.min())
            _trials(ax, rates, losses, top, look[name])
        ax.set_xscale("log")
        _log_axis(ax.xaxis, *ax.get_xlim())
        _log_y(ax, lowest, top)
    _label_edges(axes, "learning rate", "training loss")
    _legend(figure, title, results.optimizers)
    return Picture("learning_rate", title, caption, figure)


def step_time(results: Results, boards: Sequence[Board]) -> Picture | None:
    """Step times beside SGD's, and compile times apart."""
    ratios = {name: list(step_ratios(results, name).values()) for name in results.optimizers}
    compiled = {name: list(compile_seconds(results, name).values()) for name in results.optimizers}
    if not any(ratios.values()) and not any(compiled.values()):
        return None
    title = "What a step costs, and what compiling costs"
    caption = (
        "Small dots: single tasks. Left: process time of a step as a multiple of SGD's, measured in the same rounds, "
        "evaluation off; of a rule with several gradients a step, the time for each. Large marker: geometric mean; "
        "differences within the grey band (5 %) are noise. Right: compiling a program with nothing cached, by the "
        "workers of the sweep, all cores busy; large marker: median."
    )
    figure = _figure(1.6 + 0.27 * len(results.optimizers), title, caption)
    left, right = figure.subplots(1, 2, sharey=True)
    look = styles(results.optimizers)
    left.axvspan(0.95, 1.05, color="#ececec", lw=0, zorder=0)
    for y, name in enumerate(results.optimizers):
        for ax, values, centre in ((left, ratios[name], _geometric_mean), (right, compiled[name], np.median)):
            if values:
                style = look[name]
                ax.plot(values, [y] * len(values), ls="", marker="o", ms=3.5, mew=0, color=style.color, alpha=0.55)
                ax.plot(centre(values), y, ls="", marker=style.marker, ms=8, color=style.color, mec="white")
    _name_rows(left, results.optimizers)
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    left.set_title("Step time, multiples of SGD's")
    right.set_title("Compile time, seconds")
    right.set_xlim(left=0)
    for ax in (left, right):
        ax.grid(axis="x")
    return Picture("step_time", title, caption, figure)


# Their parts


def _convergence(
    name: str, title: str, label: str, results: Results, factors: Mapping[tuple[str, str], float]
) -> Picture:
    """Median training loss of the final runs over steps times a factor for each cell, with a band, task by task."""
    caption = (
        "Line: median over replicates and final seeds, setting chosen by training loss. Band: their 10th to 90th "
        "percentile, the spread of single runs and not an interval for the median."
    )
    figure, axes = _by_task(results, caption)
    look = styles(results.optimizers)
    for ax, task in axes:
        drawn: list[Array] = []
        for index, optimizer in enumerate(results.optimizers):
            records = results.cell(task, optimizer)
            if not records or (task, optimizer) not in factors:
                continue
            x = records[0].arrays["step"] * factors[task, optimizer]
            low, middle, high = _quantiles(records)
            style = look[optimizer]
            ax.fill_between(x, low, np.where(np.isfinite(high), high, 1e12), color=style.color, alpha=0.08, lw=0)
            every = (index % 3, max(1, len(x) // 5))
            ax.plot(x, _hidden(middle), color=style.color, lw=1.5, dashes=style.dash, marker=style.marker, ms=4,
                    markevery=every, mec="white", mew=0.4)  # fmt: skip
            drawn += [low, middle]
        if drawn:
            every_value, starts = np.concatenate(drawn), np.array([line[0] for line in drawn])
            finite, starts = every_value[np.isfinite(every_value)], starts[np.isfinite(starts)]
            _log_y(ax, finite.min(initial=np.inf), 1.5 * starts.max(initial=0))
        ax.margins(x=0.02)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    _label_edges(axes, label, "training loss")
    _legend(figure, title, results.optimizers)
    return Picture(name, title, caption, figure)


def _quantiles(records: Sequence[Any]) -> tuple[Array, Array, Array]:
    """10, 50 and 90 % points over replicates and seeds of a cell's training loss; a diverged run counts as infinite."""
    selected_by, split = RULES["optimization"]
    runs = np.concatenate([record.final(selected_by, f"{split}/loss") for record in records]).astype(float)
    runs = np.maximum(np.where(np.isfinite(runs), runs, np.inf), records[0].meta["floor"])
    low, middle, high = np.quantile(runs, [0.1, 0.5, 0.9], axis=0, method="inverted_cdf")
    return low, middle, high


def _replicates(
    ax: Axes,
    rows: Sequence[Array],
    names: Sequence[str],
    shown: Shown,
    results: Results,
    named: bool,
) -> None:
    """One panel of `final`: replicates as dots, their mean with its interval, an optimizer a row."""
    look = styles(results.optimizers)
    dots = [shown(np.where(np.isfinite(row), row, np.nan)) for row in rows]
    _span(ax, np.concatenate(dots), log=True)
    edge = 1.0 if shown is np.exp else 0.0  # the side where bad results lie, in axes' coordinates
    for y, (row, name, points) in enumerate(zip(rows, names, dots, strict=True)):
        style = look[name]
        mean, low, high = (shown(value) for value in stats.t_interval(np.where(np.isfinite(row), row, np.nan)))
        ax.plot([low, high], [y, y], color=style.color, lw=1.6, alpha=0.6)
        ax.plot(points, np.full(len(points), y + BELOW), ls="", marker="o", ms=2.6, mew=0, color=style.color, alpha=0.8)
        ax.plot(mean, y, ls="", marker=style.marker, ms=5.5, color=style.color, mec="white", mew=0.6, zorder=5)
        if np.isinf(row).any():
            ax.plot(edge, y, "x", transform=ax.get_yaxis_transform(), color=style.color, ms=6, mew=1.8, clip_on=False)
    _name_rows(ax, names)
    if not named:
        ax.set_yticks([])
    ax.grid(axis="x")


def _trials(ax: Axes, rates: Array, losses: Array, top: float, style: Style) -> None:
    """An optimizer's trials in one panel, and the median of each bin of learning rates."""
    lost = losses >= top
    ax.plot(rates[~lost], losses[~lost], ls="", marker=style.marker, ms=2.8, mew=0, color=style.color, alpha=0.45)
    if lost.any():
        ax.plot(rates[lost], losses[lost], ls="", marker=style.marker, ms=4.5, mew=0.9, mfc="none", color=style.color,
                alpha=0.8, clip_on=False, zorder=6)  # fmt: skip
    bins = np.floor(np.log10(rates) * LR_BINS)
    chosen = [bins == value for value in np.unique(bins)]
    x = [np.exp(np.log(rates[inside]).mean()) for inside in chosen]
    y = [np.median(losses[inside]) for inside in chosen]
    ax.plot(x, y, color=style.color, lw=1.4, dashes=style.dash, alpha=0.95)


def _figure(height: float, title: str, caption: str) -> Figure:
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, wspace=0.03, hspace=0.02)
    figure = Figure(figsize=(WIDTH, height), layout=layout)
    if title:
        figure.suptitle(title, x=0.012, ha="left")
    _caption(figure, caption)
    return figure


def _caption(figure: Figure, caption: str) -> None:
    """Small print along the lower edge, so that a figure on its own says what its intervals are."""
    lines = "\n".join(textwrap.wrap(caption, 165))
    figure.supxlabel(lines, x=0.012, ha="left", fontsize=7.5, color=FAINT, linespacing=1.4)


def _by_task(results: Results, caption: str) -> tuple[Figure, list[tuple[Axes, str]]]:
    """A figure with a panel for each task."""
    tasks = results.tasks
    columns = _columns(len(tasks))
    rows = -(-len(tasks) // columns)
    figure = _figure(1.5 + 2.3 * rows, "", caption)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[len(tasks) :]:
        spare.remove()
    for ax, task in zip(axes, tasks, strict=False):
        ax.set_title(task)
        ax.grid(axis="y")
    return figure, list(zip(axes, tasks, strict=False))


def _columns(tasks: int) -> int:
    """Panels side by side."""
    return 2 if tasks in (2, 4) else min(3, tasks)


def _label_edges(axes: Sequence[tuple[Axes, str]], x: str, y: str) -> None:
    """Labels on the outer panels only."""
    columns = _columns(len(axes))
    for index, (ax, _) in enumerate(axes):
        if index % columns == 0:
            ax.set_ylabel(y)
        if index + columns >= len(axes):
            ax.set_xlabel(x)


def _legend(figure: Figure, title: str, optimizers: Sequence[str]) -> None:
    """One legend for all panels, under the figure's title and in rows."""
    look = styles(optimizers)
    lines = [
        Line2D([], [], color=s.color, marker=s.marker, dashes=s.dash, ms=5, mec="white", mew=0.4, lw=1.6, label=name)
        for name, s in look.items()
    ]
    columns = max(1, min(len(lines), int(630 / (42 + 5.2 * max(map(len, optimizers))))))
    by_row = [line for column in range(columns) for line in lines[column::columns]]  # a legend fills column by column
    legend = figure.legend(
        handles=by_row, loc="outside upper left", ncols=columns, handlelength=2.6, columnspacing=1.4, fontsize=8.5,
        title=title, title_fontproperties={"weight": "bold", "size": 12}, alignment="left", borderpad=0,
    )  # fmt: skip
    legend.get_title().set_position((0, 4))


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    """The first row at the top, each with its name."""
    ax.set_yticks(range(len(names)), names, color=INK, fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)


def _span(ax: Axes, values: Array, log: bool = False) -> None:
    """An x axis that holds the values with a margin; logarithmic, if allowed, where they span a factor of five."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        ax.set_xticks([])
        return
    low, high = float(finite.min()), float(finite.max())
    if log and low > 0 and high > 5 * low:
        ax.set_xscale("log")
        margin = (high / low) ** 0.12
        ax.set_xlim(low / margin, high * margin)
        _log_axis(ax.xaxis, low / margin, high * margin)
        return
    margin = max(0.12 * (high - low), 0.02 * abs(high)) if high - low > 1e-9 else 0.1 * (abs(high) or 1.0)
    ax.set_xlim(low - margin, high + margin)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def _log_y(ax: Axes, low: float, high: float) -> None:
    """A logarithmic y axis from a little below `low`; of some size even where nothing finite was drawn."""
    low = low / 1.3 if np.isfinite(low) else 0.1
    high = max(high, 2 * low)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    _log_axis(ax.yaxis, low, high)


def _log_axis(axis: Any, low: float, high: float) -> None:
    """Few ticks, written as plain numbers where they are short."""
    subs = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0) if high > 4 * low else tuple(np.arange(1.0, 10.0))
    axis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: int) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _hidden(values: Array) -> Array:
    """Values that are not finite as gaps."""
    return np.where(np.isfinite(values), values, np.nan)


def _cells(results: Results) -> list[tuple[str, str]]:
    return sorted({record.cell for record in results.units})


def _geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _first_words(board: str) -> str:
    return SUBJECTS[board].replace(" at the budget", "")
