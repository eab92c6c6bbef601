"""`optgrid microbench`: how fast the suite is beside others, and whether that is what it should be."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.microbench.results import SUITES

if TYPE_CHECKING:
    from rich.table import Table

    from bench.microbench.results import Figure, Microbench

NOTHING_RAN = 5  # pytest's exit status


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid microbench`."""
    parser.add_argument(
        "--peers", type=Path, default=Path(".venv-peers"), metavar="DIR", help="environment that `make peers` makes"
    )
    parser.add_argument("--only", metavar="A,B", default=",".join(SUITES), help=f"of {', '.join(SUITES)}; default all")
    parser.add_argument("--match", metavar="WORDS", help="only what these words of pytest's -k select: 'adam and mlp'")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="measurements of each side (default 7)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/microbench"),
        metavar="DIR",
        help="where results are kept, one file a run",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write this run's results here")
    parser.add_argument(
        "--compare",
        nargs="?",
        const="",
        metavar="RUN",
        help="beside an earlier run: its number or file, else the last one",
    )


def main(args: argparse.Namespace) -> int:
    """Measures, keeps the results and prints them; 1 if something that is installed broke."""
    import os
    import subprocess
    import tempfile

    from bench import worker
    from bench.errors import UserError, unknown
    from bench.microbench import results
    from bench.microbench.sides import ONE_THREAD

    suites = args.only.split(",")
    for suite in suites:
        if suite not in SUITES:
            raise unknown("suite of benchmarks", suite, SUITES)
    if args.rounds < 1:
        raise UserError(f"--rounds must be at least 1, not {args.rounds}")
    folder = Path(results.__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        written = args.json or Path(scratch) / "results.json"
        command = [
            *(sys.executable, "-m", "pytest", "-c", folder / "pytest.ini", "--rootdir", folder),
            *(folder / f"bench_{suite}.py" for suite in suites),
            *("--peers", args.peers.absolute(), "--rounds", str(args.rounds), "--benchmark-quiet", "-rfEs"),
            *("--benchmark-autosave", "--benchmark-storage", f"file://{args.out.absolute()}"),
            f"--benchmark-json={written.absolute()}",
            *(["-k", args.match] if args.match else []),
            *([f"--benchmark-compare={args.compare}".rstrip("=")] if args.compare is not None else []),
        ]
        try:
            done = subprocess.run(command, env={**os.environ, **ONE_THREAD, **worker.environment(core=None)})
        except KeyboardInterrupt:
            print("interrupted; nothing was kept", file=sys.stderr)
            return 130
        if done.returncode == NOTHING_RAN or not written.exists() or not written.stat().st_size:
            raise UserError("nothing was measured: see above for why")
        show(results.read(written))
    return int(done.returncode != 0)


def show(measured: "Microbench") -> None:
    """Prints every figure beside its goal, suite by suite."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for suite, words in SUITES.items():
        if figures := [figure for figure in measured.figures if figure.suite == suite]:
            console.print(Text(f"\n{suite}: {words}", style="bold"))
            console.print(_table(figures))
            passed = [figure.verdict for figure in figures].count("pass")
            asked = sum(bool(figure.verdict) for figure in figures)
            console.print(Text(f"{passed} of {asked} goals reached"))
    about = measured.machine
    console.print(
        Text(
            f"\nmedian and range of the rounds; {about['cpu']}, {about['cores']} cores, {about['system']}, "
            f"Python {about['python']}, jax {about['jax']}"
        )
    )


def _table(figures: "list[Figure]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("figure", "range", "goal", ""):
        table.add_column(column, justify="right", no_wrap=True)
    style = {"pass": "[green]pass[/]", "short": "[red]short[/]", "": ""}
    for figure in figures:
        unit = figure.goal.unit
        table.add_row(
            figure.name,
            f"{figure.figure:.2f}{unit}",
            f"{figure.low:.2f} - {figure.high:.2f}",
            figure.asked,
            style[figure.verdict],
        )
    return table
