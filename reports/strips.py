"""Small pictures of the rules' page, as SVG in its own colours, and the one of all claims as a figure.

Everything that a finding's names hold is escaped. Coordinates are pixels of a picture that is WIDE at most.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from bench.rules import verdicts
from bench.rules.judging import Finding
from bench.stats import Array, t_interval
from reports.drawing import Picture, blank, name_rows, theme
from reports.looks import looks

WIDE, NAMES, ROW, TOP, FOOT = 760, 180, 26, 8, 34
SPLIT = 500  # where the panel of differences begins
COLORS = {
    verdicts.HOLDS: "#248a6d",
    verdicts.AGAINST: "#cf394b",
    verdicts.NONE: "#5a646e",
    verdicts.UNDECIDED: "#a87900",
}
LINEAR = 1.0  # named effects up to which the axis of all claims is linear, and logarithmic beyond


class _Axis:
    """From values to pixels, along one direction."""

    def __init__(self, values: Array, begin: float, end: float, padding: float = 0.06) -> None:
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        margin = padding * (high - low) or 0.5 * abs(high) or 0.5
        self.low, self.high, self._begin, self._end = low - margin, high + margin, begin, end

    def __call__(self, value: float) -> float:
        """A pixel."""
        return self._begin + (value - self.low) / (self.high - self.low) * (self._end - self._begin)

    def ticks(self, ratio: bool, most: int = 4) -> list[tuple[float, str]]:
        """Places for few round numbers, of values that are logs where `ratio` says so."""
        if not ratio:
            return [(float(v), f"{v:g}") for v in _round(self.low, self.high, most)]
        low, high = np.exp(self.low), np.exp(self.high)
        if high / low < 4:
            return [(float(np.log(v)), f"{v:g}") for v in _round(low, high, most) if v > 0]
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        every = [m * 10.0**d for d in decades for m in ((1, 2, 5) if high / low < 100 else (1,))]
        return [(float(np.log(v)), f"{v:g}") for v in every if low <= v <= high]


def _round(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    size = 10.0 ** np.floor(np.log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw)
    first = np.ceil(low / step)
    return [round(float(step * k), 10) for k in np.arange(first, np.floor(high / step) + 1)]


def strip(found: Finding) -> Markup:
    """A claim: on the left each arm's replicates, their mean and its interval; on the right the differences."""
    measure, arms = found.claim.measure, list(dict.fromkeys(found.claim.arms))
    height = TOP + ROW * len(arms) + FOOT
    every = np.concatenate([found.values[arm] for arm in arms])
    if not np.isfinite(every).any():
        return Markup("")
    x = _Axis(every, NAMES + 10, SPLIT - 40)
    color = {name: look.color for name, look in looks(list(found.experiment.arms)).items()}
    base = TOP + ROW * len(arms)
    parts = [_axis_marks(x.ticks(measure.ratio), x, base, measure.words, NAMES + 10, SPLIT - 40)]
    for row, arm in enumerate(arms):
        y = TOP + ROW * (row + 0.5)
        parts.append(Markup('<text x="{}" y="{:.1f}" class="name">{}</text>').format(NAMES, y + 4, arm))
        parts += _dots(found.values[arm], x, y, color[arm])
    parts += _differences(found, height)
    label = f"{found.claim.words} Replicates of each arm, and their differences."
    body = Markup("").join(parts)
    return Markup('<svg class="strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDE, height, label, body
    )


def _dots(values: Array, x: _Axis, y: float, color: str) -> list[Markup]:
    mean, low, high = (float(v) for v in t_interval(values))
    dots = [
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="2.6" fill="{}" fill-opacity=".45"/>').format(x(v), y + 5, color)
        for v in values[np.isfinite(values)]
    ]
    bar = Markup('<line x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}" stroke="{}" stroke-width="3"/>')
    whole = [bar.format(x(low), x(high), y - 5, y - 5, color)] if np.isfinite(low) else []
    rim = Markup('<circle cx="{:.1f}" cy="{}" r="4.5" fill="{}" class="mean"/>').format(x(mean), y - 5, color)
    return [*dots, *whole, rim]


def _differences(found: Finding, height: int) -> list[Markup]:
    """The right panel: differences in the rule's direction, zero, and the band of the named effect."""
    gains, effect, est = found.differences, found.claim.threshold, found.estimate
    base, middle = height - FOOT, TOP + (height - FOOT - TOP) / 2
    x = _Axis(np.concatenate([gains, [-effect, effect, 0.0]]), SPLIT + 10, WIDE - 10)
    band = Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" class="band"/>').format(
        x(-effect), TOP, x(effect) - x(-effect), base - TOP
    )
    zero = Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" class="zero"/>').format(x(0.0), TOP, base)
    ticks = x.ticks(True, 3) if found.claim.measure.ratio else [(v, f"{100 * v:g}") for v, _ in x.ticks(False, 3)]
    words = "factor in its favour" if found.claim.measure.ratio else "points in its favour"
    return [
        band, zero, _axis_marks(ticks, x, base, words, SPLIT + 10, WIDE - 10),
        *_dots(gains, x, middle, COLORS[found.verdict] if np.isfinite(est.mean) else "#5a646e"),
    ]  # fmt: skip


def _axis_marks(
    ticks: Sequence[tuple[float, str]], x: _Axis, base: float, words: str, begin: float, end: float
) -> Markup:
    line = Markup('<line x1="{}" x2="{}" y1="{}" y2="{}" class="axis"/>').format(begin, end, base, base)
    marks = [
        Markup(
            '<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" class="axis"/>'
            '<text x="{0:.1f}" y="{3}" class="tick">{4}</text>'
        ).format(x(value), base, base + 4, base + 15, said)
        for value, said in ticks
    ]
    label = Markup('<text x="{:.1f}" y="{}" class="tick label">{}</text>').format((begin + end) / 2, base + 30, words)
    return Markup("").join([line, *marks, label])


def curves(of: Mapping[str, tuple[Array, Array]], targets: Sequence[float]) -> Markup:
    """Median training loss of each arm over its budget, with the targets."""
    height, left, right, bottom = 230, 64, WIDE - 190, 190
    medians = {arm: np.nanmedian(np.where(np.isfinite(losses), losses, np.nan), 0) for arm, (_, losses) in of.items()}
    logs = {arm: np.log(np.maximum(loss, 1e-6)) for arm, loss in medians.items()}
    y = _Axis(np.concatenate([*logs.values(), np.log(targets)]), bottom, 10)
    color = {name: look.color for name, look in looks(list(of)).items()}
    parts = [
        Markup('<line x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}" class="target"/>').format(
            left, right, y(np.log(target))
        )
        for target in targets
    ]
    for row, (arm, (steps, _)) in enumerate(of.items()):
        share = steps / steps[-1]
        points = " ".join(f"{left + (right - left) * s:.1f},{y(v):.1f}" for s, v in zip(share, logs[arm], strict=True))
        parts.append(
            Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>').format(points, color[arm])
        )
        place = 24 + 22 * row
        key = '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="{}" stroke-width="3"/><text x="{}" y="{}">{}</text>'
        parts.append(Markup(key).format(right + 14, right + 34, place, place, color[arm], right + 40, place + 4, arm))
    for value, said in y.ticks(True):
        tick = (
            '<text x="{}" y="{:.1f}" class="tick side">{}</text>'
            '<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="axis"/>'
        )
        parts.append(Markup(tick).format(left - 8, y(value) + 4, said, left - 4, left, y(value), y(value)))
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = left + (right - left) * share
        parts.append(Markup('<text x="{:.1f}" y="{}" class="tick">{:.0%}</text>').format(at, bottom + 16, share))
    frame = Markup('<path d="M{} 10V{}H{}" fill="none" class="axis"/>').format(left, bottom, right)
    label = Markup('<text x="{}" y="{}" class="tick label">share of the budget</text>').format(
        (left + right) / 2, bottom + 34
    )
    return Markup('<svg class="strip" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDE, height, "Median training loss of each arm over the budget", Markup("").join([frame, *parts, label])
    )


def forest(findings: Sequence[Finding], said: Sequence[str]) -> Picture:
    """All claims with their intervals, in units of the effect that each names."""
    caption = (
        "Difference in the rule's direction with its 95 % interval, in units of the effect that the claim names, over "
        "paired replicates; linear within one such unit and logarithmic beyond. In the shade a difference is too "
        "small to matter."
    )
    with theme():
        figure = blank(1.1 + 0.27 * len(findings), "Rules of thumb, tested", caption)
        ax = figure.subplots()
        names = [f"{f.rule.name}: {f.claim.name.replace('_', ' ')}" for f in findings]
        ax.set_xscale("symlog", linthresh=LINEAR)
        ax.axvspan(-1, 1, color="#eef3f8", lw=0)
        ax.axvline(0, color="#9a9a9a", lw=0.8)
        for y, (found, words) in enumerate(zip(findings, said, strict=True)):
            est, unit, color = found.estimate, found.claim.threshold, COLORS[found.verdict]
            ax.plot([est.low / unit, est.high / unit], [y, y], color=color, lw=2)
            ax.plot(est.mean / unit, y, marker="o", color=color, ms=5, mec="white", mew=0.6)
            ax.annotate(words, (1.01, y), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=color)
        name_rows(ax, names, 8)
        ticks = [-30, -10, -3, -1, 0, 1, 3, 10, 30]
        ax.set_xticks(ticks, [str(tick) for tick in ticks])
        ax.minorticks_off()
        ax.set_xlabel("against the rule  ←  in named effects  →  for the rule")
    return Picture("rules", "Rules of thumb, tested", caption, figure)
