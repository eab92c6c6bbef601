"""`optgrid microbench`: how fast the suite is beside others, and whether that is what it should be."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.microbench.results import SUITES

if TYPE_CHECKING:
    from rich.table import Table

    from bench.microbench.results import Figure, Microbench

LAST = Path()  # of --compare without a file
BROKEN = (0, 1)  # pytest's exit statuses where something was measured: all went well, or some of it broke


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid microbench`."""
    parser.add_argument(
        "--peers", type=Path, default=Path(".venv-peers"), metavar="DIR", help="environment that `make peers` makes"
    )
    parser.add_argument("--only", metavar="A,B", help=f"of {', '.join(SUITES)}; default all")
    parser.add_argument("--match", metavar="WORDS", help="only what these words of pytest's -k select: 'adam and mlp'")
    parser.add_argument(
        "--rounds", type=int, default=7, metavar="N", help="measurements of each side, of compiling 3 (default 7)"
    )
    kept = "where whole runs are kept; a report shows the last one beside its own folder (default runs/microbench)"
    parser.add_argument("--out", type=Path, default=Path("runs/microbench"), metavar="DIR", help=kept)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write this run's results here, whole or not")
    beside = "show figures beside those of an earlier run, by default the last that was kept"
    parser.add_argument("--compare", nargs="?", type=Path, const=LAST, metavar="FILE", help=beside)


def main(args: argparse.Namespace) -> int:
    """Measures, keeps the results and prints them; 1 if something that is installed broke."""
    import tempfile

    from bench.errors import UserError
    from bench.files import write_atomically
    from bench.microbench import results

    suites = _suites(args.only)
    if args.rounds < 1:
        raise UserError(f"--rounds must be at least 1, not {args.rounds}")
    for folder in (args.out, *([args.json.parent] if args.json else [])):
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, not a folder to write to")
    earlier = None
    if args.compare is not None:
        found = results.newest(args.out) if args.compare == LAST else args.compare
        if found is None:
            raise UserError(f"no run is kept in {args.out} to compare with; leave --compare out")
        earlier = results.read(found)
    whole = args.only is None and args.match is None
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "results.json"
        try:
            status = _measure(suites, args, written, keep=whole)
        except KeyboardInterrupt:
            print("interrupted; nothing was kept", file=sys.stderr)
            return 130
        if status not in BROKEN or not written.exists() or not written.stat().st_size:
            raise UserError("nothing was measured: see above for why")
        if args.json is not None:
            write_atomically(args.json, written.read_bytes())
        show(results.read(written), earlier)
    print(f"kept in {args.out}" if whole else "a part, so not kept for reports")
    return int(status != 0)


def _suites(text: str | None) -> list[str]:
    from bench.errors import unknown

    wanted = list(SUITES) if text is None else text.split(",")
    for suite in wanted:
        if suite not in SUITES:
            raise unknown("suite of benchmarks", suite, SUITES)
    return wanted


def _measure(suites: list[str], args: argparse.Namespace, written: Path, keep: bool) -> int:
    """Runs the suites in a process of their own, one thread each; pytest's exit status."""
    import os
    import subprocess
    from importlib.util import find_spec

    from bench import worker
    from bench.errors import UserError
    from bench.machine import Slot
    from bench.microbench.sides import ONE_THREAD

    if find_spec("pytest_benchmark") is None:
        raise UserError("microbenchmarks need pytest-benchmark; in a checkout `make microbench` installs it")
    folder = Path(__file__).parents[1] / "microbench"
    command = [
        *(sys.executable, "-m", "pytest", "-c", folder / "pytest.ini", "--rootdir", folder),
        *(folder / f"bench_{suite}.py" for suite in suites),
        *("--peers", args.peers.absolute(), "--rounds", str(args.rounds), "--benchmark-quiet", "-rfEs"),
        f"--benchmark-json={written}",
        *(["-k", args.match] if args.match else []),
        *(["--benchmark-autosave", f"--benchmark-storage=file://{args.out.absolute()}"] if keep else []),
    ]
    return subprocess.run(command, env={**os.environ, **ONE_THREAD, **worker.environment(Slot())}).returncode


def show(measured: "Microbench", earlier: "Microbench | None" = None) -> None:
    """Prints every figure beside its goal, suite by suite, and beside what it was earlier."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    before = {(f.suite, f.name): f.figure for f in earlier.figures} if earlier is not None else {}
    for suite, words in SUITES.items():
        if figures := [figure for figure in measured.figures if figure.suite == suite]:
            console.print(Text(f"\n{suite}: {words}", style="bold"))
            console.print(_table(figures, before))
            passed = [figure.verdict for figure in figures].count("pass")
            asked = sum(bool(figure.verdict) for figure in figures)
            console.print(Text(f"{passed} of {asked} goals reached" if asked else "no goals"))
    about = measured.machine
    console.print(
        Text(
            f"\nmedian and range of the rounds; {about['cpu']}, {about['cores']} cores, {about['system']}, "
            f"Python {about['python']}, jax {about['jax']}"
        )
    )
    if earlier is not None:
        console.print(Text(f"before: {earlier.when[:19]}, {earlier.machine.get('commit', '')}"))


def _table(figures: "list[Figure]", before: Mapping[tuple[str, str], float]) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in ("figure", "range", *(["before"] if before else []), "goal", ""):
        table.add_column(column, justify="right", no_wrap=True)
    style = {"pass": "[green]pass[/]", "short": "[red]short[/]", "": ""}
    for figure in figures:
        unit = figure.goal.unit
        then = before.get((figure.suite, figure.name))
        table.add_row(
            figure.name,
            f"{figure.figure:.2f}{unit}",
            f"{figure.low:.2f} - {figure.high:.2f}",
            *(["" if then is None else f"{then:.2f}{unit}"] if before else []),
            figure.asked,
            style[figure.verdict],
        )
    return table
