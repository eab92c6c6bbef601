"""The report's page: one HTML file with everything in it, that needs no network and runs no script.

Everything that comes from a run is escaped by the template. Words live in the template, numbers come from here.
"""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench import constants, stats
from bench.constants import RULES
from bench.edges import edges
from bench.microbench.results import Microbench
from bench.records import unit_name
from bench.results import Results, read_timings
from reports import speed, tables, words
from reports.boards import compile_seconds
from reports.rows import Row, Spread, of_board
from reports.standings import Standing

# What each figure shows; what its intervals are is written in the figure itself.
SENTENCES = {
    "leaderboard": "Scores over all tasks, on both boards: left is better, and intervals that overlap widely mean that "
    "the order could have come out otherwise.",
    "convergence_steps": "How fast training loss falls with gradient evaluations, at the setting that reached the "
    "lowest training loss.",
    "convergence_seconds": "The same over seconds of training on this machine: an optimizer with costlier steps is "
    "stretched to the right. Compiling is not in it.",
    "final": "Where each optimizer ended on each task: the replicates behind every number of the boards.",
    "critical_difference": "Mean ranks over the tasks, as often asked for, joined where they could be chance; the "
    "tiers of the boards, not these, are the verdicts.",
    "targets": "How much of the budget it takes to reach the tasks' targets, and how often each optimizer is how far "
    "behind the fastest.",
    "steps_to_target": "What reaching each task's target is expected to cost in gradient evaluations, with restarts.",
    "tunability": "How much is lost by tuning with fewer trials: a line that falls fast is an optimizer that is easy "
    "to tune.",
    "defaults": "What not tuning at all costs, and how wide the good learning rates are.",
    "learning_rate": "How much the learning rate matters: a wide basin is easy to tune, a narrow one is luck with few "
    "trials.",
    "step_time": "What one training step costs beside plain SGD, and what compiling costs once.",
    "speed": "How fast the suite itself is beside other ways to train the same, and beside optax's updates.",
    "roofline": "Where a training step goes: how near its parts come to what arithmetic and memory allow.",
}
ENVIRONMENT = {
    "optgrid": "optgrid",
    "commit": "commit",
    "cpu": "processor",
    "cores": "cores",
    "system": "system",
    "platform": "platform",
    "python": "Python",
}


class Figure(NamedTuple):
    """A figure as the page needs it."""

    name: str
    title: str
    caption: str
    svg: bytes


def render(
    results: Results,
    rows: Sequence[Row],
    figures: Sequence[Figure],
    measured: Microbench | None = None,
    unread: Sequence[tuple[str, str, str]] = (),
    standings: Sequence[Standing] = (),
    worth: str = "",
) -> str:
    """The page of a run, with the microbenchmarks of the suite if there are any, or why they are `unread`, and what
    verdicts are `worth`."""
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    manifest = results.manifest
    return environment.get_template("report.html.j2").render(
        suite=f"{manifest.get('suite', '')}@{manifest.get('suite_version', '')}",
        tasks=results.tasks,
        optimizers=results.optimizers,
        replicates=manifest["replicates"],
        seeds=manifest["seeds"],
        protocol=manifest["protocol"],
        boards=[_board(rows, name) for name in tables.SUBJECTS],
        cautions=dict.fromkeys(said for name in tables.SUBJECTS for said in words.cautions(of_board(rows, name))),
        standings=standings,
        worth=worth,
        control=stats.usual_control(sum(row.tier > 0 for row in of_board(rows, "optimization"))).words,
        made=made(results),
        own_units=max((row.own_units for row in rows), default=0),
        figures=[_figure(figure) for figure in figures],
        general=(stats.GENERAL_TASKS, stats.GENERAL_REPLICATES),
        searched=searched(results),
        budgets=budgets(results),
        times=times(results),
        problems=[*problems(results), *unread],
        speed=None if measured is None else speed.table(measured),
        speed_machine=None if measured is None else measured.machine,
        environment={
            **{ENVIRONMENT.get(name, name): value for name, value in manifest.get("environment", {}).items()},
            "device": ", ".join(results.devices),
        },
    )


def made(results: Results) -> str:
    """Where the constants come from that scores are in units of; empty where there are none."""
    records = {record.meta["task"]: record for record in results.units}
    found = [constants.find(record) for record in records.values()]
    return ", and of ".join(dict.fromkeys(known.source for known in found if known))


def _board(rows: Sequence[Row], name: str) -> dict[str, Any]:
    own = of_board(rows, name)
    return {
        "name": name,
        "subject": tables.SUBJECTS[name],
        "answer": words.answer(own),
        "heads": list(tables.cells(own[0])) if own else [],
        "tasks": list(own[0].losses) if own else [],
        "metrics": {task: metric for task, (metric, _) in own[0].metrics.items()} if own else {},
        "rows": [_row(row, own) for row in own],
    }


def _row(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    cells = [
        {
            "loss": ranged(spread),
            "best": spread.mean == tables.best(rows, task),
            "metric": ranged(row.metrics[task][1]) if task in row.metrics else None,
        }
        for task, spread in row.losses.items()
    ]
    return {"tier": row.tier, "cells": tables.cells(row), "tasks": cells}


def ranged(spread: Spread) -> tuple[str, str]:
    """A mean, and the range of the replicates where there is one."""
    known = not np.isnan(spread.low) and spread.low != spread.high
    return tables.number(spread.mean), f"{tables.number(spread.low)} – {tables.number(spread.high)}" if known else ""


def _figure(figure: Figure) -> dict[str, str]:
    return {
        "name": figure.name,
        "alt": f"{figure.title}. {figure.caption}",
        "sentence": SENTENCES[figure.name],
        "source": f"data:image/svg+xml;base64,{base64.b64encode(figure.svg).decode()}",
    }


def searched(results: Results) -> list[dict[str, str]]:
    """What each optimizer is and what was searched of it."""
    firsts = {record.meta["optimizer"]: record for record in reversed(results.units)}
    return [
        {
            "optimizer": name,
            "space": "; ".join(f"{key}: {law}" for key, law in firsts[name].meta["space"].items()) or "nothing",
            "defaults": ", ".join(f"{key}={value}" for key, value in firsts[name].meta["defaults"].items()) or "none",
            "paper": str(firsts[name].meta["paper"]),
        }
        for name in results.optimizers
    ]


def budgets(results: Results) -> list[tuple[str, int]]:
    """Gradient evaluations that each task allows."""
    return list({record.meta["task"]: int(record.meta["budget"]) for record in results.units}.items())


def times(results: Results) -> list[tuple[str, str]]:
    """How long the run took, as far as it is known."""
    wall: Mapping[str, Any] = results.manifest.get("wall", {})
    names = {
        "units": ("units computed by the last command that computed any", "{}"),
        "workers": ("worker processes", "{}"),
        "sweep_s": ("searches and final runs", "{:.1f} s"),
        "timing_s": ("measuring step times", "{:.1f} s"),
    }
    known = [(words, form.format(wall[name])) for name, (words, form) in names.items() if name in wall]
    timed = {task for task, _ in results.timings}
    compiled = [seconds for name in results.optimizers for seconds in compile_seconds(results, name).values()]
    if compiled:
        words = f"compiling a program, median of the {len(compiled)} that were not cached"
        known.append((words, f"{np.median(compiled):.2f} s"))
    return [*known, ("tasks whose step times were measured", f"{len(timed)} of {len(results.tasks)}")]


def problems(results: Results) -> list[tuple[str, str, str]]:
    """All that is not there or not whole: (kind, which, why)."""
    manifest = results.manifest
    found = [
        (kind, name, str(reason)) for kind in ("skipped", "failed") for name, reason in manifest.get(kind, {}).items()
    ]
    found += [("damaged", name, reason) for name, reason in results.damaged.items()]
    known = set(manifest.get("failed", {})) | {name.removesuffix(".npz") for name in results.damaged}
    known |= {record.name for record in results.units}
    for task in manifest["tasks"]:
        for optimizer in manifest["optimizers"]:
            names = [unit_name(task, optimizer, r) for r in range(manifest["replicates"])]
            absent = [name for name in names if name not in known]
            if absent:
                found.append(("missing", f"{optimizer} on {task}", f"{len(absent)} of {len(names)} replicates not run"))
    return found + _diverged(results) + _at_edges(results) + _untimed(results)


def _diverged(results: Results) -> list[tuple[str, str, str]]:
    found: dict[tuple[str, str, str], list[int]] = {}
    for record in results.units:
        for board, (selected_by, split) in RULES.items():
            ends = record.ends(selected_by, f"{split}/loss")
            counts = found.setdefault((*record.cell, board), [0, 0])
            counts[0] += int((~np.isfinite(ends)).sum())
            counts[1] += len(ends)
    return [
        ("diverged", f"{optimizer} on {task}", f"{bad} of {runs} final runs ended without a finite loss ({board})")
        for (task, optimizer, board), (bad, runs) in found.items()
        if bad
    ]


def _at_edges(results: Results) -> list[tuple[str, str, str]]:
    boards = {selected_by: name for name, (selected_by, _) in RULES.items()}
    return [
        (
            "too narrow",
            f"{edge.optimizer} on {edge.task}",
            f"the best {edge.hyperparameter} lies at the {edge.side} edge of its space ({boards[edge.selected_by]})",
        )
        for edge in edges(results)
    ]


def _untimed(results: Results) -> list[tuple[str, str, str]]:
    return [
        ("not timed", f"{optimizer} on {task}", str(values["unsound"]))
        for task in results.tasks
        for optimizer, values in read_timings(results.folder, task).items()
        if "unsound" in values
    ]
