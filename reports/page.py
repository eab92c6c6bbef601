"""The report's page: one HTML file with everything in it, that needs no network and draws itself in a browser.

Words live in the template, numbers come from `reports.payload`; the scripts are named in the page's security policy by
their hashes, so that nothing else in it can run, whatever a run's names hold.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench import constants, failures, stats, traces
from bench.constants import RULES
from bench.edges import edges
from bench.microbench.results import Microbench
from bench.records import unit_name
from bench.results import Results, read_timings
from bench.traces import Diagnostics
from reports import goals, payload, traced
from reports.boards import compile_seconds
from reports.rows import Row, of_board
from reports.words import listed

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = (
    "state",
    "tables",
    "drawing",
    "charts",
    "measures",
    "why",
    "main",
)  # of the folder app, in the order they need
TABS = {
    "answer": "Answer", "boards": "Boards", "convergence": "Convergence", "targets": "Targets", "tuning": "Tuning",
    "pairs": "Pairs", "costs": "Costs", "gap": "Generalization gap", "why": "Why it won", "task": "Task by task",
    "method": "How it was done",
}  # fmt: skip
ENVIRONMENT = {
    "optgrid": "optgrid",
    "commit": "commit",
    "cpu": "processor",
    "cores": "cores",
    "system": "system",
    "platform": "platform",
    "python": "Python",
}


def render(
    results: Results,
    rows: Sequence[Row],
    measured: Microbench | None = None,
    unread: Sequence[tuple[str, str, str]] = (),
    worth: str = "",
    verdict: Mapping[str, Any] | None = None,
) -> str:
    """The page of a run, with the microbenchmarks of the suite if there are any, or why they are `unread`, and what
    verdicts are `worth`; or of a comparison, whose `verdict` then stands first."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    manifest = results.manifest
    scripts = [plotly(), _app()]
    found = traces.load(results)
    absent = () if found.traces else ("why",)
    return environment.get_template("report.html.j2").render(
        style=Markup((TEMPLATES / "page.css").read_text()),
        scripts=[Markup(script) for script in scripts],
        allowed=Markup(" ".join(f"'sha256-{sha256(script)}'" for script in scripts)),
        data=payload.encode(payload.payload(results, verdict, found)) if results.units else "",
        tabs=[*([("verdict", "Verdict")] if verdict else []), *((k, v) for k, v in TABS.items() if k not in absent)],
        diagnosed=bool(found.traces),
        quantities=[(quantity.key, quantity.words.capitalize()) for quantity in traced.QUANTITIES],
        verdict=verdict,
        title=f"Is {listed(verdict['newcomers'])} better?" if verdict else "Which optimizer leads?",
        undialled=undialled(results),
        suite=f"{manifest.get('suite', '')}@{manifest.get('suite_version', '')}",
        tasks=results.tasks,
        optimizers=results.optimizers,
        replicates=manifest["replicates"],
        seeds=manifest["seeds"],
        protocol=manifest["protocol"],
        worth=worth,
        control=stats.usual_control(sum(row.tier > 0 for row in of_board(rows, "optimization"))).words,
        made=made(results),
        own_units=max((row.own_units for row in rows), default=0),
        general=(stats.GENERAL_TASKS, stats.GENERAL_REPLICATES),
        searched=searched(results),
        budgets=budgets(results),
        times=times(results),
        problems=[*problems(results), *undiagnosed(results, found), *unread],
        speed=None if measured is None else goals.table(measured),
        speed_machine=None if measured is None else measured.machine,
        environment={
            **{ENVIRONMENT.get(name, name): value for name, value in manifest.get("environment", {}).items()},
            "device": ", ".join(results.devices),
        },
    )


def plotly() -> str:
    """The charts' library, from its package's own copy."""
    return files("plotly").joinpath("package_data/plotly.min.js").read_text(encoding="utf-8")


def _app() -> str:
    """The page's own script: its files in one scope."""
    parts = [(TEMPLATES / "app" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '(() => {\n"use strict";\n' + "".join(parts) + "})();\n"


def sha256(script: str) -> str:
    """How a security policy names a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def undialled(results: Results) -> str:
    """Why there is no dial for shorter budgets; empty where there is one."""
    schedule = results.manifest["protocol"].get("schedule", "constant")
    if schedule == "constant":
        return ""
    return f"No dial: a run on a {schedule} schedule cut short is not one of that length."


def made(results: Results) -> str:
    """Where the constants come from that scores are in units of; empty where there are none."""
    records = {record.meta["task"]: record for record in results.units}
    found = [constants.find(record) for record in records.values()]
    return ", and of ".join(dict.fromkeys(known.source for known in found if known))


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


def undiagnosed(results: Results, found: Diagnostics) -> list[tuple[str, str, str]]:
    """Diagnostics that are damaged or failed: (kind, which, why)."""
    names: dict[str, str] = {}
    for task in results.tasks:
        names |= {traces.failure_name(task, name): f"{name} on {task}" for name in results.optimizers}
        names[traces.failure_name(task, None)] = f"the landscape of {task}"
    failed = failures.reasons(results.folder, names)
    told = [("damaged", name, why) for name, why in found.damaged.items()]
    return told + [("no diagnostics", names[name], why) for name, why in failed.items()]


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
