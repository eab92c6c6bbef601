"""Pictures of a run. Each function takes the results and gives a `Picture`; `draw_all` makes the files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench import stats, traces
from bench.constants import RULES
from bench.microbench.results import Microbench
from bench.results import Results
from bench.stats import Array
from reports import column, measures, ranks, scores, speed, targets, tuning
from reports.boards import Board, compile_seconds, metric_name, step_ratios
from reports.drawing import (
    FAINT,
    Cast,
    Drawn,
    Picture,
    bare_rows,
    bars,
    blank,
    by_task,
    cast,
    dots,
    label_edges,
    legend,
    log_axis,
    log_y,
    markers,
    name_rows,
    render,
    span,
    theme,
)  # fmt: skip
from reports.forks import spread
from reports.looks import Look
from reports.tables import SUBJECTS
from reports.why import diagnostics, landscapes
from reports.words import too_few

LR_BINS = 2  # a decade


Shown = Callable[[Array], Array]  # from what statistics are made on to what is drawn
Maker = Callable[[], Picture | None]


def pictures(results: Results, boards: Sequence[Board]) -> Iterator[Picture]:
    """All pictures that the results allow, in a page's order; none of nothing."""
    for make in _makers(results, boards, None):
        if (picture := _make(make)) is not None:
            yield picture


def draw_all(results: Results, boards: Sequence[Board], measured: Microbench | None = None) -> list[Drawn]:
    """All pictures as files, drawn on as many cores as there are; with one of microbenchmarks, if there are any."""
    return [drawn for drawn in spread(_draw, _makers(results, boards, measured)) if drawn]


def _makers(results: Results, boards: Sequence[Board], measured: Microbench | None) -> list[Maker]:
    makers: list[Maker] = []
    if results.units:
        fast, robust = measures.speed(results), measures.robustness(results)
        traced = traces.load(results)
        makers = [
            partial(leaderboard, results, boards),
            partial(ranks.critical_difference, boards),
            partial(convergence_by_step, results, boards),
            partial(convergence_by_second, results, boards),
            partial(targets.targets, fast, boards),
            partial(targets.steps_to_target, fast, boards),
            partial(final, results, boards),
            partial(tuning.tunability, robust, boards),
            partial(tuning.defaults, robust, boards),
            partial(learning_rate, results, boards),
            partial(step_time, results, boards),
            partial(diagnostics, results, boards, traced),
            partial(landscapes, results, boards, traced),
            *column.makers(boards, fast, robust),
        ]
    if measured is not None:
        makers += [partial(make, measured) for make in (speed.picture, speed.roofline)]
    return makers


def _make(make: Maker) -> Picture | None:
    with theme():
        return make()


def _draw(make: Maker) -> Drawn | None:
    picture = _make(make)
    if picture is None:
        return None
    return Drawn(picture.name, picture.title, picture.caption, render(picture), picture.folder)


# The pictures


def leaderboard(results: Results, boards: Sequence[Board]) -> Picture:
    """Scores with their intervals, both boards side by side."""
    those = cast(boards)
    count = len(results.optimizers)
    size = [_count(count, "optimizer"), _count(len(results.tasks), "task")]
    title = f"Leaderboard: {', '.join(size)}, {_count(results.manifest['replicates'], 'replicate')}"
    caption = scores.caption(boards)
    if few := too_few(len(results.tasks), results.manifest["replicates"]):
        caption += f" {few}"
    caption += those.said
    figure = blank(1.75 + (0.36 if count <= 10 else 0.26) * count, title, caption)
    for ax, board in zip(figure.subplots(1, 2, squeeze=False)[0], boards, strict=True):
        scores.rows(ax, board, those, 9 if count <= 10 else 8)
        ax.set_title(board.name.capitalize(), fontsize=11, pad=20)
        below = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(_first_words(board.name), (0, 1), (0, 6), **below, fontsize=8, color=FAINT)
    return Picture("leaderboard", title, caption, figure)


def convergence_by_step(results: Results, boards: Sequence[Board]) -> Picture:
    """Training loss over the budget."""
    title = "Training loss over gradient evaluations"
    label = "gradient evaluations"
    return _convergence("convergence_steps", title, label, results, cast(boards), dict.fromkeys(_cells(results), 1.0))


def convergence_by_second(results: Results, boards: Sequence[Board]) -> Picture | None:
    """Training loss over seconds of training, where steps were timed."""
    seconds = {cell: timing.seconds_per_step for cell, timing in results.timings.items() if results.cell(*cell)}
    title = "Training loss over seconds of training, evaluation off the clock"
    label = "seconds (steps × time per step)"
    return _convergence("convergence_seconds", title, label, results, cast(boards), seconds) if seconds else None


def final(results: Results, boards: Sequence[Board]) -> Picture:
    """Final losses and the tasks' own metrics, cell by cell."""
    optimization, generalization = boards
    tasks, order, those = results.tasks, optimization.order, cast(boards)
    names = [results.optimizers[o] for o in order]
    looks = [those.looks[name] for name in names]
    title = "Final results by task"
    caption = (
        "Small dots: replicates, each a whole search and its final seeds. Large marker and bar: mean over replicates "
        "and its 95 % t interval, of log loss for losses; bars leave the panel where few replicates say little. "
        f"Crosses at the edge: diverged.{those.said}"
    )
    height, size = (0.42 + 0.19 * len(order), 9.0) if len(order) <= 20 else (0.42 + 0.135 * len(order), 7.5)
    figure = blank(1.35 + (height + 0.28) * len(tasks), title, caption)
    axes = figure.subplots(len(tasks), 3, squeeze=False)
    for t, task in enumerate(tasks):
        columns: Sequence[tuple[str, Array, Shown]] = (
            (f"{task}: training loss", optimization.scores[t], np.exp),
            ("test loss", generalization.scores[t], np.exp),
            (f"test {metric_name(results, task)}", generalization.metrics[t], np.asarray),
        )
        for c, (ax, (name, values, shown)) in enumerate(zip(axes[t], columns, strict=True)):
            ax.set_title(name)
            _replicates(ax, values[order], looks, shown)
            if c:
                bare_rows(ax, len(names))
            else:
                name_rows(ax, names, size)
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
    those = cast(boards)
    if those.behind:
        caption += f" Of the grey ones lines alone.{those.said}"
    figure, axes = by_task(results, caption)
    for ax, task in axes:
        records = [record for record in results.units if record.meta["task"] == task]
        starts = np.concatenate([record.arrays["search/train/loss"][:, 0] for record in records])
        floor, top = records[0].meta["floor"], 3 * float(np.median(starts[np.isfinite(starts)]))
        lowest = top
        for name in [*those.behind, *those.foremost]:
            cell = [record for record in results.cell(task, name) if "hparams/learning_rate" in record.arrays]
            if not cell:
                continue
            rates = np.concatenate([record.arrays["hparams/learning_rate"] for record in cell])
            losses = np.concatenate([record.arrays["search/train/loss"][:, -1] for record in cell]).astype(float)
            losses = np.clip(np.where(np.isfinite(losses), losses, np.inf), floor, top)
            lowest = min(lowest, losses.min())
            _trials(ax, rates, losses, top, those, name)
        ax.set_xscale("log")
        log_axis(ax.xaxis, *ax.get_xlim())
        log_y(ax, lowest, top)
    label_edges(axes, "learning rate", "training loss")
    legend(figure, title, those)
    return Picture("learning_rate", title, caption, figure)


def step_time(results: Results, boards: Sequence[Board]) -> Picture | None:
    """Step times beside SGD's, and compile times apart."""
    ratios = {name: list(step_ratios(results, name).values()) for name in results.optimizers}
    compiled = {name: list(compile_seconds(results, name).values()) for name in results.optimizers}
    if not any(ratios.values()) and not any(compiled.values()):
        return None
    title = "What a step costs, and what compiling costs"
    caption = (
        "Small dots: single tasks. Left: process time of a step (on a GPU wall time) as a multiple of SGD's, measured "
        "in the same rounds, evaluation off; of a rule with several gradients a step, the time for each. Large marker: "
        "geometric mean; differences within the grey band (5 %) are noise. Right: compiling a program with nothing "
        "cached, by the workers of the sweep, all cores busy; large marker: median."
    )
    those = cast(boards)
    caption += those.said
    figure = blank(1.6 + (0.27 if len(ratios) <= 10 else 0.21) * len(ratios), title, caption)
    left, right = figure.subplots(1, 2, sharey=True)
    looks = [those.looks[name] for name in results.optimizers]
    left.axvspan(0.95, 1.05, color="#ececec", lw=0, zorder=0)
    for ax, values, centre in ((left, ratios, _geometric_mean), (right, compiled, np.median)):
        rows = [np.array(values[name]) for name in results.optimizers]
        dots(ax, rows, looks, 3.5, 0.55)
        markers(ax, np.array([centre(row) if row.size else np.nan for row in rows]), looks, 8)
        ax.grid(axis="x")
    name_rows(left, results.optimizers)
    right.tick_params(axis="y", length=0)
    right.spines["left"].set_visible(False)
    left.set_title("Step time, multiples of SGD's")
    right.set_title("Compile time, seconds")
    right.set_xlim(left=0)
    for ax, values, why in ((left, ratios, "no steps were timed"), (right, compiled, "every program was cached")):
        if not any(values.values()):
            ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", color=FAINT)
            ax.set_xticks([])
    return Picture("step_time", title, caption, figure)


# Their parts


def _convergence(
    name: str, title: str, label: str, results: Results, those: Cast, factors: Mapping[tuple[str, str], float]
) -> Picture:
    """Median training loss of the final runs over steps times a factor for each cell, with a band, task by task."""
    caption = (
        "Line: median over replicates and final seeds, setting chosen by training loss. Band: their 10th to 90th "
        "percentile, the spread of single runs and not an interval for the median."
    )
    if those.behind:
        caption += f" Of the grey ones no bands.{those.said}"
    figure, axes = by_task(results, caption)
    for ax, task in axes:
        drawn: list[Array] = []
        longest = 0.0
        for index, optimizer in enumerate([*those.behind, *those.foremost]):
            records = results.cell(task, optimizer)
            if not records or (task, optimizer) not in factors:
                continue
            x = records[0].arrays["step"] * factors[task, optimizer]
            longest = max(longest, float(x[-1]))
            low, middle, high = _quantiles(records)
            line = those.line(optimizer)
            if optimizer in those.foremost:
                above = np.where(np.isfinite(high), high, 1e12)
                ax.fill_between(x, low, above, color=line["color"], alpha=0.08, lw=0)
                drawn += [low, middle]
            ax.plot(x, _hidden(middle), markevery=(index % 3, max(1, len(x) // 5)), **line)
            drawn.append(middle)
        if drawn:
            every_value, starts = np.concatenate(drawn), np.array([line[0] for line in drawn])
            finite, starts = every_value[np.isfinite(every_value)], starts[np.isfinite(starts)]
            log_y(ax, finite.min(initial=np.inf), 1.5 * starts.max(initial=0))
        if longest:
            ax.set_xlim(-0.02 * longest, 1.02 * longest)  # all of it, also where every run diverged
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    label_edges(axes, label, "training loss")
    legend(figure, title, those)
    return Picture(name, title, caption, figure)


def _quantiles(records: Sequence[Any]) -> tuple[Array, Array, Array]:
    """10, 50 and 90 % points over replicates and seeds of a cell's training loss; a diverged run counts as infinite."""
    selected_by, split = RULES["optimization"]
    runs = np.concatenate([record.final(selected_by, f"{split}/loss") for record in records]).astype(float)
    runs = np.maximum(np.where(np.isfinite(runs), runs, np.inf), records[0].meta["floor"])
    low, middle, high = np.quantile(runs, [0.1, 0.5, 0.9], axis=0, method="inverted_cdf")
    return low, middle, high


def _replicates(ax: Axes, rows: Array, looks: Sequence[Look], shown: Shown) -> None:
    """One panel of `final`: replicates (O, R) as dots, their mean with its interval, an optimizer a row."""
    known = np.where(np.isfinite(rows), rows, np.nan)
    span(ax, np.ravel(shown(known)), log=True)
    edge = 1.0 if shown is np.exp else 0.0  # the side where bad results lie, in axes' coordinates
    mean, low, high = (shown(value) for value in stats.t_interval(known))
    bars(ax, low, high, looks, 1.6, 0.6)
    dots(ax, list(shown(known)), looks, 2.6, 0.8)
    markers(ax, mean, looks, 5.5)
    for y in np.flatnonzero(np.isinf(rows).any(1)).tolist():
        color = looks[y].color
        ax.plot(edge, y, "x", transform=ax.get_yaxis_transform(), color=color, ms=6, mew=1.8, clip_on=False)
    ax.grid(axis="x")


def _trials(ax: Axes, rates: Array, losses: Array, top: float, those: Cast, name: str) -> None:
    """An optimizer's trials in one panel, where it stands out, and the median of each bin of learning rates."""
    lost, look = losses >= top, those.looks[name]
    dot: dict[str, Any] = {"ls": "", "marker": look.marker, "color": look.color}
    if name in those.foremost:
        ax.plot(rates[~lost], losses[~lost], ms=2.8, mew=0, alpha=0.45, **dot)
        if lost.any():
            ax.plot(rates[lost], losses[lost], ms=4.5, mew=0.9, mfc="none", alpha=0.8, clip_on=False, zorder=6, **dot)
    bins = np.floor(np.log10(rates) * LR_BINS)
    chosen = [bins == value for value in np.unique(bins)]
    x = [np.exp(np.log(rates[inside]).mean()) for inside in chosen]
    y = [np.median(losses[inside]) for inside in chosen]
    ax.plot(x, y, **those.line(name) | {"marker": ""})


def _hidden(values: Array) -> Array:
    """Values that are not finite as gaps."""
    return np.where(np.isfinite(values), values, np.nan)


def _cells(results: Results) -> list[tuple[str, str]]:
    return sorted({record.cell for record in results.units})


def _geometric_mean(values: Array) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def _first_words(board: str) -> str:
    return SUBJECTS[board].replace(" at the budget", "")
