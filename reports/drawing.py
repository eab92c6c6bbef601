"""How pictures look and become files: one theme, axes, legends and captions that every picture shares.

An optimizer has one colour, marker and dash in every picture of a run, from a palette that the colour-blind can tell
apart; markers and dashes carry it in greyscale. Figures are made without pyplot, so that nothing global is touched.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from bench.results import Results
from bench.stats import Array

WIDTH = 9.0  # inches, 100 pixels each on a page
FORMATS = ("png", "svg", "pdf")
INK, FAINT, SHADE = "#222222", "#6b6b6b", "#eef3f8"
# seaborn's "colorblind" without its two palest, the most different first
PALETTE = [sns.color_palette("colorblind").as_hex()[index] for index in (0, 3, 2, 1, 4, 9, 5, 7)]
MARKERS = "osD^vP<X>"
DASHES = ((), (4, 1.5), (1.2, 1.2), (6, 1.5, 1.2, 1.5), (2.5, 1))


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


def styles(optimizers: Sequence[str]) -> dict[str, Style]:
    """A look for each optimizer, by its place in the run."""
    return {
        name: Style(PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)], DASHES[i % len(DASHES)])
        for i, name in enumerate(optimizers)
    }


def render(picture: Picture) -> dict[str, bytes]:
    """The picture's files by format. It is laid out once and then drawn for each."""
    files = {}
    with theme():
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
def theme() -> Iterator[None]:
    """The look of every picture, while it is made and while it is drawn."""
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


def blank(height: float, title: str, caption: str) -> Figure:
    """A figure of the page's width, `height` inches, with its title and its small print."""
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, wspace=0.03, hspace=0.02)
    figure = Figure(figsize=(WIDTH, height), layout=layout)
    if title:
        figure.suptitle(title, x=0.012, ha="left")
    put_caption(figure, caption)
    return figure


def put_caption(figure: Figure, caption: str) -> None:
    """Small print along the lower edge, so that a figure on its own says what its intervals are."""
    lines = "\n".join(textwrap.wrap(caption, 165))
    figure.supxlabel(lines, x=0.012, ha="left", fontsize=7.5, color=FAINT, linespacing=1.4)


def by_task(results: Results, caption: str) -> tuple[Figure, list[tuple[Axes, str]]]:
    """A figure with a panel for each task."""
    tasks = results.tasks
    columns = _columns(len(tasks))
    rows = -(-len(tasks) // columns)
    figure = blank(1.5 + 2.3 * rows, "", caption)
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


def label_edges(axes: Sequence[tuple[Axes, str]], x: str, y: str) -> None:
    """Labels on the outer panels only."""
    columns = _columns(len(axes))
    for index, (ax, _) in enumerate(axes):
        if index % columns == 0:
            ax.set_ylabel(y)
        if index + columns >= len(axes):
            ax.set_xlabel(x)


def legend(figure: Figure, title: str, optimizers: Sequence[str]) -> None:
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


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """The first row at the top, each with its name."""
    ax.set_yticks(range(len(names)), names, color=INK, fontsize=9)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)


def strip(ax: Axes, edge: float, step: float, ends: Sequence[tuple[Style, Sequence[float]]]) -> None:
    """Intervals of where lines end, side by side right of `edge`, `step` apart: value, low and high for each line."""
    for index, (style, (value, low, high)) in enumerate(ends):
        x = edge + step * (index + 1.5)
        ax.plot([x, x], [low, high], color=style.color, lw=1.4, alpha=0.6)
        ax.plot(x, value, ls="", marker=style.marker, ms=4.5, color=style.color, mec="white", mew=0.4, zorder=5)
    ax.axvline(edge + step / 2, color="#c8c8c8", lw=0.8)
    ax.set_xlim(right=edge + step * (len(ends) + 1))


def span(ax: Axes, values: Array, log: bool = False) -> None:
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
        log_axis(ax.xaxis, low / margin, high * margin)
        return
    margin = max(0.12 * (high - low), 0.02 * abs(high)) if high - low > 1e-9 else 0.1 * (abs(high) or 1.0)
    ax.set_xlim(low - margin, high + margin)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def log_y(ax: Axes, low: float, high: float) -> None:
    """A logarithmic y axis from a little below `low`; of some size even where nothing finite was drawn."""
    low = low / 1.3 if np.isfinite(low) else 0.1
    high = max(high, 2 * low)
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    log_axis(ax.yaxis, low, high)


def log_axis(axis: Any, low: float, high: float) -> None:
    """Few ticks, written as plain numbers where they are short."""
    subs = (1.0,) if high > 100 * low else (1.0, 2.0, 5.0) if high > 4 * low else tuple(np.arange(1.0, 10.0))
    axis.set_major_locator(LogLocator(subs=subs, numticks=6))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: int) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
