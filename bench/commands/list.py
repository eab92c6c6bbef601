"""`optgrid list`: what there is."""

import argparse
import json
from collections.abc import Callable
from typing import Any

Rows = list[dict[str, Any]]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid list`."""
    parser.add_argument("what", choices=sorted(_TABLES))
    parser.add_argument("--json", action="store_true", help="for programs")


def main(args: argparse.Namespace) -> int:
    """Prints the table."""
    rows = _TABLES[args.what]()
    if args.json:
        print(json.dumps(rows, indent=1))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    card = _CARDS.get(args.what)
    table = Table(box=None, pad_edge=False, show_header=card is None)
    shown = [card(row) for row in rows] if card else rows
    for column in shown[0]:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "name")
    for row in shown:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    Console().print(table)
    return 0


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _optimizer_card(optimizer: dict[str, Any]) -> dict[str, str]:
    """An optimizer's facts, for a screen."""
    gradients = optimizer["gradients_a_step"]
    defaults, searched, wide = optimizer["hyperparameters"], optimizer["searched"], optimizer["searched_wide"]
    fixed = {key: value for key, value in defaults.items() if key not in {**searched, **wide}}
    lines = [
        optimizer["paper"],
        f"keeps {optimizer['state']:g} numbers for each parameter; "
        f"{gradients:g} gradient{'s' * (gradients != 1)} a step",
        *(f"{key} {defaults[key]:g}, searched {law}" for key, law in searched.items()),
        *(f"{key} {defaults[key]:g}, in a wide search {law}" for key, law in wide.items()),
        *([_cell(fixed)] if fixed else []),
        f"verified against {_cell(optimizer['verified_against']) or 'nothing yet'}",
    ]
    return {"name": optimizer["name"], "facts": "\n".join([*lines, ""])}


def _task_card(task: dict[str, Any]) -> dict[str, str]:
    """A task's facts in four lines, for a screen."""
    rows = "/".join(f"{count:,}" for count in task["rows"])
    lines = [
        task["network"],
        f"{task['loss']}, {task['metric']}; batch {task['batch']}, {task['steps']} steps",
        f"{task['data']}, {rows} rows; {', '.join(task['preprocessing']) or 'raw'}",
        f"{task['source']}; {task['licence']}; here: {'yes' if task['here'] else 'no, ' + task['missing']}",
    ]
    return {"name": task["name"], "facts": "\n".join([*lines, ""])}


def _optimizers() -> Rows:
    import optimizers
    from bench import catalogue

    return [catalogue.facts(optimizers.get(name)) for name in optimizers.names()]


def _tasks() -> Rows:
    from bench import tasks

    return [{"name": name, **tasks.get(name).facts} for name in tasks.names()]


def _suites() -> Rows:
    import optimizers
    from bench import suites

    return [
        {
            "name": suite.name,
            "version": suite.version,
            "tasks": list(suite.tasks),
            "optimizers": list(suite.optimizers or optimizers.names()),
            "replicates": suite.protocol.replicates,
            "trials": suite.protocol.trials,
            "seeds": suite.protocol.seeds,
        }
        for suite in suites.SUITES.values()
    ]


_CARDS: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {"optimizers": _optimizer_card, "tasks": _task_card}
_TABLES: dict[str, Callable[[], Rows]] = {"optimizers": _optimizers, "suites": _suites, "tasks": _tasks}
