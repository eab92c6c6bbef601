"""How pictures look and become files: one theme, axes, legends and captions that every picture shares.

An optimizer has one look in every picture of a run (`reports.looks`); where there are many, all but the foremost are
grey. Figures are made without pyplot, so that nothing global is touched.
"""

import io
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from bench.results import Results
from bench.stats import Array
from reports import looks
from reports.boards import Board
from reports.looks import GREY, Look

WIDTH = 9.0  # inches, 100 pixels each on a page
DPI = 200  # of PNG files
FORMATS = ("png", "svg", "pdf")
FOLDER = "figures"
INK, FAINT, SHADE = "#222222", "#6b6b6b", "#eef3f8"
LARGER = {"P": 1.25, "p": 1.15, "*": 1.6}  # of markers that look small beside the others
BELOW = 0.3  # of a row: small dots stand under the bar they belong to


@dataclass(frozen=True)
class Cast:
    """Who is in a picture.

    Attributes:
      looks: how each is drawn, by name in the order of the run; grey where it does not stand out.
      foremost: those that stand out, and that a legend names.
      scale: of lines and markers.
    """

    looks: Mapping[str, Look]
    foremost: Sequence[str]
    scale: float = 1.0

    @property
    def behind(self) -> list[str]:
        """The others."""
        return [name for name in self.looks if name not in self.foremost]

    @property
    def said(self) -> str:
        """What the grey ones are, as the end of a caption; empty where there are none."""
        if not self.behind:
            return ""
        return f" In colour: the {len(self.foremost)} first of both boards, taken in turns; in grey: the {self.others}."

    @property
    def others(self) -> str:
        """How many are grey."""
        return f"{len(self.behind)} other" + "s" * (len(self.behind) > 1)

    def line(self, name: str) -> dict[str, Any]:
        """How a curve of the optimizer is drawn: its look, or thin, grey and behind."""
        look = self.looks[name]
        if name not in self.foremost:
            return {"color": look.color, "lw": 0.6 * self.scale, "alpha": 0.8, "zorder": 1.5}
        return {
            "color": look.color, "lw": 1.6 * self.scale, "dashes": look.dash, "marker": look.marker,
            "ms": 4 * self.scale * _larger(look.marker), "mec": "white", "mew": 0.4, "zorder": 2,
        }  # fmt: skip


def cast(boards: Sequence[Board], scale: float = 1.0) -> Cast:
    """The optimizers of a run."""
    first = looks.foremost(boards)
    look = {name: own if name in first else own._replace(color=GREY) for name, own in looks.of(boards).items()}
    return Cast(look, first, scale)


@dataclass(frozen=True)
class Picture:
    """A figure and the words that belong to it.

    Attributes:
      name: of its files.
      title: what it shows.
      caption: what its intervals are.
      folder: of its files, in the report's.
      dpi: of its PNG.
    """

    name: str
    title: str
    caption: str
    figure: Figure
    folder: str = FOLDER
    dpi: int = DPI


@dataclass(frozen=True)
class Drawn:
    """A picture as files, by format; the words are the picture's."""

    name: str
    title: str
    caption: str
    files: Mapping[str, bytes]
    folder: str = FOLDER


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
            # A weaker compression takes half the time, and files a tenth longer.
            more: Mapping[str, Any] = {"pil_kwargs": {"compress_level": 3}} if form == "png" else {}
            undated: Mapping[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form, {})
            picture.figure.savefig(buffer, format=form, dpi=picture.dpi, metadata=undated, **more)
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
        "pdf.fonttype": 42,  # publishers turn away the usual one, Type 3
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
    figure = Figure(figsize=(WIDTH, height), layout=layout, dpi=DPI)  # as it is drawn, for letters to fit
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


def legend(figure: Figure, title: str, those: Cast) -> None:
    """One legend for all panels, under the figure's title and in rows."""
    longest = max(map(len, [*those.foremost, f"{those.others} in grey" if those.behind else ""]))
    columns = max(1, int(630 / (42 + 5.2 * longest)))
    legend = figure.legend(
        handles=handles(those, columns), loc="outside upper left", ncols=columns, handlelength=2.6, columnspacing=1.4,
        fontsize=8.5, title=title, title_fontproperties={"weight": "bold", "size": 12}, alignment="left", borderpad=0,
    )  # fmt: skip
    legend.get_title().set_position((0, 4))


def handles(those: Cast, columns: int) -> list[Line2D]:
    """A legend's lines, such that they come row by row in so many columns, which a legend fills one by one."""
    lines = []
    for name in those.foremost:
        line = those.line(name)
        lines.append(Line2D([], [], **line | {"ms": 1.25 * line["ms"]}, label=name))
    if those.behind:
        lines.append(Line2D([], [], color=GREY, lw=1.2 * those.scale, label=f"{those.others} in grey"))
    columns = min(len(lines), columns)
    return [line for column in range(columns) for line in lines[column::columns]]


def name_rows(ax: Axes, names: Sequence[str], size: float = 9) -> None:
    """The first row at the top, each with its name."""
    ax.set_yticks(range(len(names)), names, color=INK, fontsize=size)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(names) - 0.5, -0.5)


def bare_rows(ax: Axes, count: int) -> None:
    """The same rows without names, beside a panel that has them."""
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(count - 0.5, -0.5)


def dots(ax: Axes, rows: Sequence[Array], those: Sequence[Look], size: float, alpha: float = 0.75) -> None:
    """Small dots under the bar of each row."""
    for (color,), ys in _alike([(look.color,) for look in those]):
        x = np.concatenate([np.ravel(rows[y]) for y in ys])
        height = np.concatenate([np.full(np.size(rows[y]), y + BELOW) for y in ys])
        ax.plot(x, height, ls="", marker="o", ms=size, mew=0, color=color, alpha=alpha)


def bars(ax: Axes, low: Array, high: Array, those: Sequence[Look], width: float, alpha: float = 0.7) -> None:
    """A bar in each row."""
    for (color,), ys in _alike([(look.color,) for look in those]):
        x = np.array([[low[y], high[y], np.nan] for y in ys]).ravel()
        ax.plot(x, np.repeat(ys, 3), color=color, lw=width, alpha=alpha)


def markers(
    ax: Axes, x: Array, those: Sequence[Look], size: float, edge: float = 0.6, hollow: NDArray[np.bool_] | None = None
) -> None:
    """A marker in each row with a value; with an edge in white or, where some are hollow, in their colour."""
    kinds = [(look.color, look.marker, hollow is not None and bool(hollow[y])) for y, look in enumerate(those)]
    for (color, marker, empty), ys in _alike(kinds):
        face, rim = "white" if empty else color, "white" if hollow is None else color
        large = size * _larger(marker)
        ax.plot(x[ys], ys, ls="", marker=marker, ms=large, mfc=face, mec=rim, mew=edge, zorder=5)


def _larger(marker: str) -> float:
    return LARGER.get(marker, 1.0)


def _alike(kinds: Sequence[tuple[Any, ...]]) -> list[tuple[tuple[Any, ...], list[int]]]:
    """Rows by what they look like: of many, most are alike, and one line drawn is much faster than one for each."""
    return [(kind, [y for y, own in enumerate(kinds) if own == kind]) for kind in dict.fromkeys(kinds)]


def strip(ax: Axes, edge: float, step: float, those: Cast, ends: Mapping[str, Sequence[float]]) -> None:
    """Intervals of where the lines of the foremost end, side by side right of `edge`, `step` apart: value, low and high
    of each."""
    for index, name in enumerate(those.foremost):
        look, (value, low, high), x = those.looks[name], ends[name], edge + step * (index + 1.5)
        ax.plot([x, x], [low, high], color=look.color, lw=1.4 * those.scale, alpha=0.6)
        size = 4.5 * those.scale * _larger(look.marker)
        ax.plot(x, value, ls="", marker=look.marker, ms=size, color=look.color, mec="white", mew=0.4, zorder=5)
    ax.axvline(edge + step / 2, color="#c8c8c8", lw=0.8)
    ax.set_xlim(right=edge + step * (len(those.foremost) + 1))


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
