"""The picture and the table of microbenchmarks: how fast the suite is beside others, and beside what it should be."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from bench.microbench.results import SUITES, Figure, Microbench
from reports.drawing import FAINT, Picture, blank, log_axis, name_rows
from reports.looks import COLORS, MARKERS

KINDS = {"mlp": ("o", COLORS[0]), "leaves": ("s", COLORS[1]), "matrix": ("D", COLORS[2])}
PASS, SHORT = COLORS[0], COLORS[1]


def picture(measured: Microbench) -> Picture | None:
    """Whole cells and compile times on the left, single updates on the right; of what was measured."""
    suites = {name: [figure for figure in measured.figures if figure.suite == name] for name in SUITES}
    left = [name for name in ("cells", "peak", "startup", "compile") if suites[name]]
    updates = sorted({figure.name.rpartition("-")[0] for figure in suites["updates"]})
    if not left and not updates:
        return None
    title = "How fast the suite is"
    caption = (
        "Marker: median of the rounds, the sides in turns; bar: their range; upright line: the goal. Whole cells: "
        "run-steps per second on all cores over a peer's, or of process time where peers are packed, one on each core. "
        "Updates: process time of optax's over ours, right of 1 ours is faster; equal settings and results, but for *, "
        "where only the work is alike; ours on one vector where shapes mean nothing to a rule, as in the training loop."
    )
    rows = [len(suites[name]) + 1.5 for name in left]
    figure = blank(1.2 + 0.2 * max(sum(rows), len(updates)), title, caption)
    if engine := figure.get_layout_engine():
        engine.set(w_pad=0.15)  # type: ignore[call-arg]  # a constrained layout, as `blank` makes it
    sides = figure.subfigures(1, 2 if left and updates else 1, squeeze=False)[0]
    if left:
        panels = sides[0].subplots(len(left), 1, height_ratios=rows, squeeze=False)[:, 0]
        for ax, name in zip(panels, left, strict=True):
            _goals(ax, suites[name])
    if updates:
        _updates(sides[-1].subplots(), suites["updates"], updates)
    return Picture("speed", title, caption, figure)


def _goals(ax: Axes, figures: Sequence[Figure]) -> None:
    """Figures of one suite, each with its range and its goal."""
    for y, figure in enumerate(figures):
        color = SHORT if figure.verdict == "short" else PASS
        ax.plot([figure.low, figure.high], [y, y], color=color, lw=1.5, alpha=0.5)
        ax.plot(figure.figure, y, ls="", marker="o", ms=5, color=color)
        for bound in (figure.goal.at_least, figure.goal.at_most):
            if bound is not None:
                ax.plot([bound, bound], [y - 0.4, y + 0.4], color=FAINT, lw=1.2)
    name_rows(ax, [figure.name for figure in figures])
    unit = {"x": "times a peer's speed", "s": "seconds", "": "share of the peak"}[figures[0].goal.unit]
    ax.set_title(f"{figures[0].suite}: {unit}", fontsize=8.5)
    ax.grid(axis="x")
    if figures[0].goal.unit == "x":
        values = [
            value for figure in figures for value in (figure.low, figure.high, figure.goal.at_least or figure.low)
        ]
        _log_x(ax, min(values), max(values))
    else:
        ax.set_xlim(left=0)


def _updates(ax: Axes, figures: Sequence[Figure], rules: Sequence[str]) -> None:
    """Every rule in a row, its trees of parameters as three markers."""
    rows = {rule: y for y, rule in enumerate(rules)}
    for figure in figures:
        rule, _, kind = figure.name.rpartition("-")
        marker, color = KINDS[kind]
        ax.plot([figure.low, figure.high], [rows[rule]] * 2, color=color, lw=1.2, alpha=0.4)
        ax.plot(figure.figure, rows[rule], ls="", marker=marker, ms=4.5, color=color, mec="white", mew=0.4)
    for kind, (marker, color) in KINDS.items():
        ax.plot([], [], ls="", marker=marker, color=color, label=kind)
    ax.axvline(1.0, color=FAINT, lw=1.0)
    alike = {f.name.rpartition("-")[0] for f in figures if not f.more.get("same", True)}
    name_rows(ax, [rule.partition("(")[0] + "*" * (rule in alike) for rule in rules])
    ax.set_title("updates: times optax's speed", fontsize=8.5)
    ax.grid(axis="x")
    values = [figure.figure for figure in figures]
    _log_x(ax, min(0.8, *values), max(1.25, *values))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, -0.09), ncols=3, fontsize=8, handletextpad=0.2)


def _log_x(ax: Axes, low: float, high: float) -> None:
    ax.set_xscale("log")
    ax.set_xlim(low / 1.3, high * 1.3)
    log_axis(ax.xaxis, low / 1.3, high * 1.3)


def roofline(measured: Microbench) -> Picture | None:
    """How fast the parts of a step are beside what arithmetic and memory allow; of what was measured on one core."""
    parts = {figure.name: figure for figure in measured.figures if figure.suite == "parts"}
    peaks = [figure.more["theirs"]["cpu_rate"] for figure in measured.figures if figure.suite == "peak"]
    if not peaks or "copy" not in parts:
        return None
    peak, copied = max(peaks), parts.pop("copy")
    bandwidth = copied.more["moved"] / (copied.figure * 1e-6)
    title = "Where a step of the reference task goes, and what bounds it"
    took = ", ".join(f"{name} {part.figure:,.0f} us" for name, part in parts.items())
    caption = (
        f"One core, adam on mnist_5k. Level line: operations per second of a large float32 matrix product, "
        f"{peak / 1e9:.0f} GFLOP/s; slope: what a copy of a large array moves, {bandwidth / 1e9:.1f} GB/s, which parts "
        f"that stay in the cache exceed. Process time of one turn: {took}."
    )
    figure = blank(4.6, title, caption)
    ax = figure.subplots()
    points = {
        name: (part.more["operations"] / part.more["moved"], part.more["operations"] / (part.figure * 1e-6))
        for name, part in parts.items()
        if part.more["operations"]
    }
    if not points:
        return None
    low, high = min(x for x, _ in points.values()) / 2, max(x for x, _ in points.values()) * 3
    at = np.geomspace(low, high, 200)
    ax.plot(at, np.minimum(peak, at * bandwidth) / 1e9, color=FAINT, lw=1.4)
    for index, (name, (x, y)) in enumerate(points.items()):
        label = f"{name}, {y / peak:.0%} of the peak"
        ax.plot(x, y / 1e9, ls="", marker=MARKERS[index], ms=8, color=COLORS[index], mec="white", label=label)
    ax.legend(loc="lower right", fontsize=9)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(low, high * 3)
    ax.set_ylim(min(y for _, y in points.values()) / 2e9, 2 * peak / 1e9)
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        log_axis(axis, *limits)
    ax.set_xlabel("operations per byte that has to be moved")
    ax.set_ylabel("GFLOP/s")
    ax.grid()
    return Picture("roofline", title, caption, figure)
