"""Pictures of a study: what each value gave, who leads where, and what not tuning anew costs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from bench import stats
from bench.stats import Array
from reports import looks
from reports.drawing import FAINT, INK, Cast, Picture, blank, legend, log_axis
from reports.turned import Turned, geometric

RANKS = (
    "Place by the mean test metric at each value. Filled: not told apart from the first there (corrected for all pairs "
    "at all values together); hollow: told apart."
)


def cast(told: Turned) -> Cast:
    """The optimizers of a study."""
    names = told.optimizers
    return Cast(looks.looks(names), names[: len(looks.COLORS)])


def pictures(told: Turned) -> list[Picture]:
    """All of a study."""
    made = [panels(told), ranks(told)]
    return [*made, transfer(told)] if told.moved is not None else made


def panels(told: Turned) -> Picture:
    """Metric, steps to the target, gap and tuned learning rate along the axis."""
    about, those = told.studied.about, cast(told)
    caption = (
        f"Means over {about.replicates} replicates with 95 % t intervals; steps: expected with restarts, bootstrap "
        f"interval, target {told.target:.3g} in test {about.metric}, × where no run reaches it."
        f"{' Settings chosen at each value.' * about.tuned} {about.caution}"
    ).strip()
    figure = blank(6.6, "", caption)
    axes = figure.subplots(2, 2)
    _curves(axes[0, 0], told, *told.interval, those)
    axes[0, 0].set_title(f"Test {about.metric}")
    _curves(axes[0, 1], told, *told.reach, those, log=True)
    axes[0, 1].set_title(f"Gradient evaluations to {about.metric} {told.target:.3g}")
    gap = told.better * (told.cells.train - told.cells.valid)
    _curves(axes[1, 0], told, *stats.t_interval(gap), those)
    axes[1, 0].axhline(0, color=FAINT, lw=0.8)
    axes[1, 0].set_title(f"Gap: {about.metric} on training less validation rows")
    if np.isfinite(told.cells.rate).any():
        _curves(axes[1, 1], told, *geometric(told.cells.rate), those, log=True)
        axes[1, 1].set_title("Learning rate tuned there")
    else:
        _curves(axes[1, 1], told, *stats.t_interval(told.cells.diverged), those)
        axes[1, 1].set_ylim(-0.04, 1.04)
        axes[1, 1].set_title("Share of final runs that diverged")
    for ax in axes[1]:
        ax.set_xlabel(about.label)
    legend(figure, f"{about.task}: {about.axis}", those)
    return Picture("study", f"What {about.axis} does on {about.task}", caption, figure)


def ranks(told: Turned) -> Picture:
    """Places of the optimizers at each value."""
    about, those = told.studied.about, cast(told)
    figure = blank(2.4 + 0.34 * len(told.optimizers), "", RANKS)
    ax = figure.subplots()
    for o, name in enumerate(told.optimizers):
        line = _line(told, those, name)
        ax.plot(told.positions, told.ranks[:, o], **{**line, "marker": ""})
        face = [line["color"] if equal else "white" for equal in told.equal[:, o]]
        for x, y, color in zip(told.positions, told.ranks[:, o], face, strict=True):
            ax.plot(x, y, ls="", marker=those.looks[name].marker, ms=8, mfc=color, mec=line["color"], mew=1.5, zorder=3)
    ax.set_ylim(len(told.optimizers) + 0.5, 0.5)
    ax.set_yticks(range(1, len(told.optimizers) + 1))
    ax.set_ylabel("place")
    _values(ax, told)
    ax.set_xlabel(about.label)
    legend(figure, f"{about.task}: who leads at which {about.axis}", those)
    return Picture("ranks", f"Places along {about.axis} on {about.task}", RANKS, figure)


def transfer(told: Turned) -> Picture:
    """What settings tuned at the base give elsewhere, beside those tuned there."""
    assert told.moved is not None
    assert told.settled is not None
    about, those = told.studied.about, cast(told)
    base = told.points[about.base].text
    caption = (
        f"Left: test {about.metric} with one setting tuned at each value, faint with the one tuned at {base}. "
        "Right: what not tuning anew costs, mean with its 95 % t interval over pairs of the same start; above zero is "
        "worse."
    )
    figure = blank(4.1, "", caption)
    left, right = figure.subplots(1, 2)
    _curves(left, told, *stats.t_interval(told.settled.test), those)
    moved = stats.t_interval(told.moved.test)[0]
    for o, name in enumerate(told.optimizers):
        left.plot(told.positions, moved[:, o], color=those.looks[name].color, lw=3.5, alpha=0.3, zorder=1)
    left.set_title(f"Test {about.metric}")
    _curves(right, told, *told.regret[:3], those)
    right.axhline(0, color=FAINT, lw=0.8)
    right.set_title(f"Lost {about.metric} where {base}'s settings are kept")
    for ax in (left, right):
        ax.set_xlabel(about.label)
    legend(figure, f"{about.task}: settings tuned at {about.axis} {base}, elsewhere", those)
    return Picture("transfer", f"Settings tuned at {base}, at other values of {about.axis}", caption, figure)


def _curves(ax: Axes, told: Turned, mean: Array, low: Array, high: Array, those: Cast, log: bool = False) -> None:
    """A line for each optimizer with the interval of each of its points, side by side; crosses at the top, one below
    the other, for what is infinite."""
    apart = 0.035 * float(np.ptp(told.positions) or 1.0) / max(1, len(told.optimizers) - 1)
    finite = mean[np.isfinite(mean)]
    top = finite.max(initial=1.0)
    for o, name in enumerate(told.optimizers):
        x = told.positions + apart * (o - (len(told.optimizers) - 1) / 2)
        there = np.isfinite(mean[:, o])
        ax.plot(x, np.where(there, mean[:, o], np.nan), **_line(told, those, name))
        known = there & np.isfinite(low[:, o])
        ends = np.where(np.isfinite(high[:, o]), high[:, o], top)
        ax.vlines(x[known], low[known, o], ends[known], color=those.looks[name].color, lw=1.1, alpha=0.6)
        missed = np.isinf(mean[:, o])
        if missed.any():
            color, edge = those.looks[name].color, ax.get_xaxis_transform()
            y = np.full(missed.sum(), 0.97 - 0.045 * o)
            ax.plot(x[missed], y, "x", transform=edge, ms=6, mew=1.6, clip_on=False, color=color)
    if log and finite.size:
        ax.set_yscale("log")
        seen = np.concatenate([finite, low[np.isfinite(low)], high[np.isfinite(high)]])
        margin = max(1.2, float(seen.max() / seen.min()) ** 0.06)
        ax.set_ylim(seen.min() / margin, seen.max() * margin)
        log_axis(ax.yaxis, seen.min() / margin, seen.max() * margin)
    ax.grid(axis="y")
    _values(ax, told)


def _line(told: Turned, those: Cast, name: str) -> dict[str, Any]:
    """How a line is drawn; words have no order, so that what joins them only leads the eye."""
    faint = {"lw": 0.8, "dashes": (1, 2)} if told.studied.about.scale == "categorical" else {}
    return {**those.line(name), **faint}


def _values(ax: Axes, told: Turned) -> None:
    """The values under a chart, the base in bold."""
    about = told.studied.about
    texts: Sequence[str] = [point.text for point in told.points]
    if sum(map(len, texts)) > 40:  # words as long as these go over several lines
        texts = [text.replace("_", "_\n") for text in texts]
    ax.set_xticks(told.positions, texts)
    if about.own:
        own = ax.get_xticklabels()[about.base]
        own.set_fontweight("bold")
        own.set_color(INK)
    margin = 0.06 * float(np.ptp(told.positions) or 1.0)
    ax.set_xlim(told.positions.min() - margin, told.positions.max() + margin)
