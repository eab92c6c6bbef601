"""The page of a study and the files beside it, from its results alone.

STUDY/report/index.html     the page, one file that needs no network
STUDY/report/study.csv      a row for each value, optimizer and replicate
STUDY/report/figures/NAME.png, .svg, .pdf
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench import stats
from bench.files import write_atomically
from bench.stats import Array
from bench.stats.scaling import CRITERION
from bench.studied import Studied
from reports import drawing, looks, page, payload, study_figures, study_words
from reports.tables import chance, number
from reports.turned import Cells, Turned, geometric, turned

FOLDER = "report"
SCRIPTS = ("study/head", "app/drawing", "study/charts")


def make(done: Studied) -> Path:
    """Writes the report of a study and returns its page.

    Raises:
      UserError: the folder cannot be written.
    """
    told, folder = turned(done), done.folder / FOLDER
    write_atomically(folder / "study.csv", to_csv(told).encode())
    index = folder / "index.html"
    write_atomically(index, render(told).encode())
    if np.isfinite(told.means).any():
        with drawing.theme():
            pictures = study_figures.pictures(told)
        for picture in pictures:
            for ending, content in drawing.render(picture).items():
                write_atomically(folder / picture.folder / f"{picture.name}.{ending}", content)
    return index


def lines(done: Studied) -> Sequence[str]:
    """What a study says, for a terminal."""
    return study_words.lines(turned(done))


def to_csv(told: Turned) -> str:
    """A tidy table: a row for each value, optimizer, replicate and kind of tuning."""
    about, text = told.studied.about, io.StringIO()
    columns = ["axis", "value", "task", "optimizer", "replicate", "tuned_at", "metric", "test", "valid", "train",
               "test_loss", "train_loss", "learning_rate", "diverged", "steps_to_target", "rows_to_target", "target",
               "budget", "batch", "training_rows"]  # fmt: skip
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    kinds: list[tuple[str, Cells | None, Array | None]] = [
        ("value", told.cells, told.times), ("base", told.moved, None), ("value, one for all", told.settled, None),
    ]  # fmt: skip
    for kind, cells, times in kinds:
        if cells is None:
            continue
        for v, o, r in np.argwhere(~np.isnan(cells.test)).tolist():
            point = told.points[v]
            own = [getattr(cells, name)[v, o, r] for name in ("test", "valid", "train", "test_loss", "train_loss")]
            steps = float("nan") if times is None else float(stats.ert(times[v, o, r], float(point.steps)))
            writer.writerow(
                [about.axis, point.value, about.task, told.optimizers[o], r, kind, about.metric]
                + [_cell(value) for value in (*own, cells.rate[v, o, r], cells.diverged[v, o, r], steps)]
                + [_cell(steps * point.batch if point.batch else float("nan")), _cell(told.target)]
                + [point.steps, point.batch, point.rows]
            )
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def render(told: Turned) -> str:
    """The page."""
    environment = Environment(
        loader=FileSystemLoader(page.TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    scripts = [page.plotly(), _script()]
    about = told.studied.about
    return environment.get_template("study/study.html.j2").render(
        style=Markup((page.TEMPLATES / "page.css").read_text()),
        scripts=[Markup(script) for script in scripts],
        allowed=Markup(" ".join(f"'sha256-{page.sha256(script)}'" for script in scripts)),
        data=payload.encode(payload.plain(content(told))) if np.isfinite(told.means).any() else "",
        title=study_words.title(told), about=about, told=told, answer=study_words.answer(told),
        chooser=study_words.chooser(told),
        details=study_words.details(told),
        limits=study_words.limits(told), laws=_laws(told), values=_values(told), criterion=CRITERION,
        ranks=study_figures.RANKS, target=number(told.target), settings=_settings(told),
        environment=next(iter(told.studied.runs.values())).manifest.get("environment", {}) if told.studied.runs else {},
    )  # fmt: skip


def _settings(told: Turned) -> dict[str, str]:
    """The setting of each optimizer that is transferred, in words."""
    about = told.studied.about
    kept = about.settings[about.base] if about.settings else {}
    return {name: ", ".join(f"{key}={value:.3g}" for key, value in own.items()) for name, own in kept.items()}


def _script() -> str:
    """The page's own script: its files in one scope."""
    parts = [(page.TEMPLATES / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "".join(parts) + "})();\n"


def content(told: Turned) -> dict[str, Any]:
    """What the page's charts are drawn from."""
    about = told.studied.about
    look = looks.looks(told.optimizers)
    series = {
        "metric": told.interval,
        "steps": told.reach,
        "gap": stats.t_interval(told.better * (told.cells.train - told.cells.valid)),
        "test_loss": geometric(told.cells.test_loss) if about.comparable else None,
        "train_loss": geometric(told.cells.train_loss) if about.comparable else None,
        "rate": geometric(told.cells.rate) if np.isfinite(told.cells.rate).any() else None,
        "moved": stats.t_interval(told.moved.test) if told.moved is not None else None,
        "settled": stats.t_interval(told.settled.test) if told.settled is not None else None,
        "regret": told.regret[:3] if told.moved is not None else None,
    }
    return {
        "optimizers": [
            {"name": name, "color": own.color, "symbol": payload.SYMBOLS[own.marker], "dash": payload.dash(own.dash)}
            for name, own in look.items()
        ],
        "newcomers": [],
        "metric": about.metric, "falls": told.falls, "label": about.label, "scale": about.scale,
        "positions": told.positions, "texts": [point.text for point in told.points],
        "base": about.base if about.own else -1,
        "target": told.target,
        "series": {name: [end.T for end in ends] for name, ends in series.items() if ends is not None},
        "ranks": told.ranks.T, "equal": told.equal.T.tolist(),
        "laws": [
            {"what": what, "optimizer": o, "exponent": fit.exponent, "factor": fit.factor, "first": fit.first,
             "last": fit.last}
            for what, fits in told.laws.items() for o, fit in enumerate(fits) if not fit.fails
        ],
    }  # fmt: skip


def _laws(told: Turned) -> list[dict[str, str]]:
    """The table of fits, those that do not hold with the reason."""
    return [
        {
            "what": what,
            "optimizer": name,
            "exponent": "–" if fit.fails else study_words.law(fit),
            "over": "–" if fit.fails else f"{fit.first:g} to {fit.last:g}" + ", found by looking" * fit.part,
            "lack": "–" if np.isnan(fit.lack) else chance(fit.lack),
            "why": fit.fails or "holds",
        }
        for what, fits in told.laws.items()
        for name, fit in zip(told.optimizers, fits, strict=True)
    ]


def _diverged(share: float) -> str:
    """In words how many of a cell's final runs did; empty for none."""
    return "" if np.isnan(share) or not share else "diverged" if share == 1 else f"{share:.0%} diverged"


def _values(told: Turned) -> list[dict[str, Any]]:
    """The table of values: for each the metric of every optimizer, and who leads."""
    mean, low, high = told.interval
    share = stats.t_interval(told.cells.diverged)[0]
    gain, p = told.beside_base

    def cell(v: int, o: int, best: bool) -> dict[str, Any]:
        ends, chances = [float(low[v, o]), float(high[v, o])], float(p[v, o])
        return {
            "mean": number(float(mean[v, o])),
            "best": best,
            "range": _diverged(float(share[v, o])) or ("" if np.isnan(ends[0]) else " to ".join(map(number, ends))),
            "beside": "" if np.isnan(chances) else f"{gain[v, o]:+.2g}, p {chance(chances)}",
            "shown": chances <= stats.LEVEL,
        }

    rows = []
    for v, point in enumerate(told.points):
        ranks = told.ranks[v]
        first = int(np.nanargmin(ranks)) if np.isfinite(ranks).any() else -1
        rows.append({
            "text": point.text, "base": v == told.studied.about.base,
            "cells": [cell(v, o, o == first) for o in range(len(told.optimizers))],
            "equal": ", ".join(told.optimizers[o] for o in np.flatnonzero(told.equal[v]) if o != first),
            "first": told.optimizers[first] if first >= 0 else "–",
        })  # fmt: skip
    return rows
