"""`optgrid microbench`: training speed beside Keras, PyTorch and a plain JAX loop."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from bench.throughput import Side, Throughput


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid microbench`."""
    parser.add_argument(
        "--peers", type=Path, default=Path(".venv-peers"), metavar="DIR", help="environment that `make peers` makes"
    )
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="measurements of each side (default 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every measurement here")


def main(args: argparse.Namespace) -> int:
    """Measures and prints; 1 if a side that is installed broke."""
    import json

    from rich.console import Console
    from rich.text import Text

    from bench import machine, throughput
    from bench.files import write_atomically

    console = Console()
    try:
        with console.status("") as status:
            result = throughput.measure(args.peers, args.rounds, status.update)
    except KeyboardInterrupt:
        print("interrupted; nothing was kept", file=sys.stderr)
        return 130
    console.print(_table(result))
    about = machine.environment()
    console.print(
        Text(
            f"{throughput.TASK}, {throughput.OPTIMIZER}, training only: median and range of {args.rounds} rounds "
            f"in turns; {result.workers} workers of ours, one process of each other\n"
            f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}, jax {about['jax']}"
        )
    )
    for side in result.sides:
        if side.absent:
            console.print(Text(f"absent: {side.name}: {side.absent}; `make peers` sets it up"), soft_wrap=True)
        if side.failed:
            console.print(Text(f"failed: {side.name}: {side.failed}"), soft_wrap=True)
    if args.json is not None:
        write_atomically(args.json, json.dumps(result.as_json(), indent=1).encode())
    return int(any(side.failed for side in result.sides))


def _table(result: "Throughput") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("side")
    for column in ("run-steps/s", "rounds", "per CPU-s", "ratio", "floor"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for side in result.sides:
        table.add_row(side.name, *_cells(result, side))
    return table


def _cells(result: "Throughput", side: "Side") -> list[str]:
    asked = f"{side.peer.floor:g}x" if side.peer else ""
    if not side.samples:
        return ["absent" if side.absent else "failed", "", "", "", asked]
    low, high = side.spread
    measured = [f"{side.rate:,.0f}", f"{low:,.0f} - {high:,.0f}", f"{side.cpu_rate:,.0f}"]
    if side.peer is None:
        return measured
    verdict = {True: "[green]pass[/]", False: "[red]short[/]", None: "[dim]slower[/]"}[result.holds(side)]
    return [*measured, f"{result.ratio(side):.2f}x", asked, verdict]
