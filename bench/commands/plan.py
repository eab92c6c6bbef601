"""`optgrid plan`: what a run will take, before anything is run."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Any

from bench.commands.arguments import add_grid, changes

if TYPE_CHECKING:
    from bench.costs import Speed
    from bench.forecast import Forecast, Missing
    from bench.grid import Grid

WIDTH = 116  # of what is printed
FASTEST = 1e6  # beside the table's machine; what is slower or faster is a slip
MOST = 10**6  # workers


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid plan`."""
    add_grid(parser)
    held = "folder of a run, what it holds is not counted (default: all is counted)"
    parser.add_argument("--out", metavar="DIR", help=held)
    parser.add_argument("--workers", type=int, metavar="N", help="processes, a core each (default the cores here)")
    parser.add_argument("--price", type=float, metavar="P", help="of a core for an hour, in any currency")
    speed = "how many times as fast as the table's machine the workers are (default: measured here once, in seconds)"
    parser.add_argument("--speed", type=float, metavar="S", help=speed)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--measure", action="store_true", help="make the table of costs that is shipped, on this machine"
    )


def main(args: argparse.Namespace) -> int:
    """Prints what the run will take."""
    if args.measure:
        from bench import cost_table

        cost_table.measure(print)
        return 0
    from bench import forecast, grid, machine
    from bench.errors import UserError

    if args.price is not None and not 0 <= args.price < float("inf"):
        raise UserError(f"--price must be a price of at least 0 for a core-hour, not {args.price:g}")
    if args.speed is not None and not 1 / FASTEST <= args.speed <= FASTEST:
        wanted = f"a number from {1 / FASTEST:g} to {FASTEST:g}, 1 for the table's machine"
        raise UserError(f"--speed must be {wanted}, not {args.speed:g}")
    if args.workers is not None and args.workers > MOST:
        raise UserError(f"--workers must be at most {MOST:,}, not {args.workers}")
    if not machine.pinned():
        raise UserError("plans are for CPUs, where a worker has a core of its own; leave JAX_PLATFORMS out, or say cpu")
    workers = len(machine.slots(args.workers))
    asked = grid.resolve(args.suite, args.tasks, args.optimizers, **changes(args))
    missing, untimed = _left(asked, args.out)
    speed, told = _speed(args.speed)
    found = forecast.forecast(asked, missing, untimed, workers, speed)
    notes = _notes(asked)
    if args.json:
        cost = {} if args.price is None else {"price": args.price, "cost": _cost(found, args.price)}
        print(json.dumps({"suite": asked.suite.name, **asdict(found), **cost, "from": told, "notes": notes}, indent=1))
        return 0
    for line in (*_lines(asked, found, args), f"from      {_source(told)}", *(f"note      {note}" for note in notes)):
        print(fill(line, WIDTH, subsequent_indent=" " * 10, break_long_words=False, break_on_hyphens=False))
    return 0


def _left(asked: "Grid", out: str | None) -> tuple["Missing", Mapping[str, list[str]]]:
    """The units that a folder lacks of a grid, and by task the optimizers without a step time; all without a folder."""
    from pathlib import Path

    from bench import forecast, records, results, runner

    cells = [(task.name, name) for task in asked.tasks for name in asked.optimizers]
    if out is None:
        return forecast.nothing_done(asked), {task.name: list(asked.optimizers) for task in asked.tasks}
    prints = asked.fingerprints()
    missing: dict[tuple[str, str], list[int | None]] = {}
    for unit in runner.plan(Path(out), asked, prints).missing:
        has = None if unit.previous is None else records.decode(unit.previous).seeds
        missing.setdefault(unit.cell, []).append(has)
    untimed: dict[str, list[str]] = {}
    stored = {task.name: results.read_timings(Path(out), task.name) for task in asked.tasks}
    for task, name in cells:
        if stored[task].get(name, {}).get("cell") != prints[task, name]:
            untimed.setdefault(task, []).append(name)
    return missing, untimed


def _speed(given: float | None) -> tuple["Speed", dict[str, Any]]:
    """The speed to predict for, and what is said of where it is from."""
    from bench import costs, machine, probe

    made = costs.table()["made"]
    told: dict[str, Any] = {"table": made}
    if given is not None:
        speed, told["measured"] = costs.Speed(given, given), None
    else:
        speed, day = probe.speed(lambda line: print(line, file=sys.stderr))
        told["measured"] = {"cpu": machine.cpu_model(), "date": day}
    return speed, told | {"speed": asdict(speed)}


def _notes(asked: "Grid") -> list[str]:
    """What of the prediction is less sure, and why."""
    from bench import costs

    strange = [name for name, spec in asked.optimizers.items() if costs.listed(spec) is None]
    own = [task.name for task in asked.tasks if costs.guessed(task)]
    absent = [task.name for task in asked.tasks if task.missing()]
    lines = []
    if strange:
        lines.append(f"taken as the median of the catalogue, as the table does not know them: {', '.join(strange)}")
    if own:
        lines.append(f"taken as the median task, as nothing is known of their functions: {', '.join(own)}")
    if absent:
        lines.append(f"counted, but skipped by a run here, as their data cannot be had: {', '.join(absent)}")
    return lines


def _cost(found: "Forecast", price: float) -> float:
    return round(price * found.held_s / 3600, 4)


def _lines(asked: "Grid", found: "Forecast", args: argparse.Namespace) -> list[str]:
    from bench.commands.progress import duration

    whole = len(asked.tasks) * len(asked.optimizers) * asked.protocol.replicates
    kept = f"; {whole - found.units:,} of {whole:,} units are kept from {args.out}" * (found.units < whole)
    workers = f"{found.workers:,} worker{'s' * (found.workers != 1)}"
    parts = ", ".join(
        f"{what} {_hours(seconds)}"
        for what, seconds in (
            ("training", found.training_s),
            ("starting, loading and compiling", found.setup_s),
            ("step times", found.timing_s),
        )
    )
    sweep = f"the sweep {duration(found.sweep_s)} (on any number at least {duration(found.longest_s)})"
    lines = [
        f"{asked.suite.name}: {found.cells:,} cells, {found.units:,} units, about {found.runs:,} training runs{kept}",
        f"work      {_hours(found.core_s)} core-hours: {parts}",
        f"time      {duration(found.sweep_s + found.timing_s)} on {workers}: {sweep}, then step "
        f"times {duration(found.timing_s)} by one worker",
        f"memory    {found.worker_mib:,.0f} MiB for the largest worker, {found.workers_mib / 1024:,.1f} GiB for all",
        f"disk      {found.disk_mib:,.0f} MiB of records and compiled programs",
    ]
    if args.price is not None:
        held = f"{_hours(found.held_s)} core-hours held, all workers to the sweep's end and then one"
        lines.append(f"cost      {_cost(found, args.price):,.2f} at {args.price:g} a core-hour, for {held}")
    return lines


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.2f}" if seconds < 36000 else f"{seconds / 3600:,.0f}"


def _source(told: Mapping[str, Any]) -> str:
    made, speed = told["table"], told["speed"]
    table = f"a table measured on {made['cpu']} on {made['date']} with jax {made['jax']}, nothing compiled before"
    if told["measured"] is None:
        return f"{table}; speed {speed['training']:g} beside it, as given"
    here = told["measured"]
    return (
        f"{table}; {here['cpu']} here, measured on {here['date']}, trains {speed['training']:.2f} and compiles "
        f"{speed['compiling']:.2f} times as fast"
    )
