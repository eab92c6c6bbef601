"""Twins of the pictures that papers show, as wide as one column of text: letters of 7 points and more at that size,
neither title nor caption inside. Captions are written beside them, to be quoted.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports import scores, targets, tuning
from reports.boards import Board
from reports.drawing import Cast, Drawn, Picture, cast, handles, log_y
from reports.measures import Robustness, Speed
from reports.standings import own_targets
from reports.tables import SUBJECTS

FOLDER = "figures/column"
WIDTH = 3.3  # inches
LETTERS = 7.0  # points
SCALE = 0.85  # of lines and markers, beside those of a page's width
DPI = 400


def makers(boards: Sequence[Board], speed: Speed, robust: Robustness) -> list[Callable[[], Picture]]:
    """What makes each of them."""
    return [
        *(partial(leaderboard, boards, board) for board in boards),
        partial(reached, speed, boards),
        partial(profile, speed, boards),
        partial(tunability, robust, boards),
    ]


def leaderboard(boards: Sequence[Board], board: Board) -> Picture:
    """Scores of one board."""
    those, count = cast(boards, SCALE), len(board.optimizers)
    with _small():
        figure = _blank(0.5 + (0.19 if count <= 10 else 0.125) * count)
        ax = figure.subplots()
        scores.rows(ax, board, those, LETTERS)
    title = f"{board.name.capitalize()}: {SUBJECTS[board.name]}"
    return _picture(f"leaderboard_{board.name}", title, scores.caption([board]) + those.said, figure)


def reached(found: Speed, boards: Sequence[Board]) -> Picture:
    """Share of tasks and runs at the target over the budget."""

    def draw(ax: Axes, those: Cast) -> None:
        targets.reached(ax, found, those)
        ax.set_ylabel("tasks and runs at the target")

    caption = f"{targets.REACHED} {own_targets(found)}".strip()
    return _curves("targets", "Targets reached over the budget", caption, boards, draw)


def profile(found: Speed, boards: Sequence[Board]) -> Picture:
    """Performance profiles."""

    def draw(ax: Axes, those: Cast) -> None:
        targets.profiles(ax, found, those)
        ax.set_ylabel("tasks within the factor")
        ax.set_xlabel("evaluations to the target, times the least")

    caption = f"{targets.within(found)} {own_targets(found)}".strip()
    return _curves("profile", "Tasks within a factor of the fastest", caption, boards, draw)


def tunability(found: Robustness, boards: Sequence[Board]) -> Picture:
    """Expected best of k trials, by training loss."""
    curve = found.curve("optimization")

    def draw(ax: Axes, those: Cast) -> None:
        tuning.fewer(ax, found, curve, those)
        ax.set_ylabel("loss, times the best found")
        log_y(ax, 1.25, 1.15 * tuning.highest(curve))

    return _curves("tunability", "Best of few trials, by training loss", tuning.FEWER, boards, draw)


def captions(drawn: Sequence[Drawn], read: str = "") -> str:
    """Markdown with the caption of each of them, and where in the budget they were `read`."""
    more = f" {read}" * bool(read)
    parts = [f"## {one.name}\n\n{one.title}. {one.caption}{more}\n" for one in drawn if one.folder == FOLDER]
    return "\n".join(["# Captions\n", *parts])


def _curves(
    name: str, title: str, caption: str, boards: Sequence[Board], draw: Callable[[Axes, Cast], None]
) -> Picture:
    """Curves with their legend under them."""
    those = cast(boards, SCALE)
    with _small():
        names = [*those.foremost, *[f"{those.others} in grey"] * bool(those.behind)]
        columns = max(1, min(3, int(72 * WIDTH / (30 + 0.6 * LETTERS * max(map(len, names))))))
        figure = _blank(2.1 + 0.135 * -(-len(names) // columns))
        ax = figure.subplots()
        draw(ax, those)
        ax.set_title("")
        figure.legend(
            handles=handles(those, columns), loc="outside lower left", ncols=columns, handlelength=2.8,
            columnspacing=1.0, handletextpad=0.5, labelspacing=0.3, borderpad=0, borderaxespad=0.2,
        )  # fmt: skip
    return _picture(name, title, caption + those.said, figure)


def _picture(name: str, title: str, caption: str, figure: Figure) -> Picture:
    return Picture(name, title, caption, figure, FOLDER, DPI)


def _blank(height: float) -> Figure:
    return Figure(figsize=(WIDTH, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02))


@contextmanager
def _small() -> Iterator[None]:
    """Letters for a column."""
    with mpl.rc_context(
        {
            "font.size": LETTERS, "xtick.labelsize": LETTERS, "ytick.labelsize": LETTERS, "legend.fontsize": LETTERS,
            "axes.labelsize": LETTERS + 0.5, "axes.labelpad": 2.0, "xtick.major.pad": 2.0, "ytick.major.pad": 2.0,
            "axes.linewidth": 0.6, "grid.linewidth": 0.5,
        }
    ):  # fmt: skip
        yield
