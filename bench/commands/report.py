"""`optgrid report`: leaderboards, figures and page of a run, from its files alone."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid report`."""
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs/core"), help="folder of a run")


def main(args: argparse.Namespace) -> int:
    """Makes the report anew."""
    from rich.console import Console

    from bench import results

    return show(results.load(args.runs), Console(), rebuild=True)


def show(results: "Results", console: "Console", rebuild: bool) -> int:
    """Prints the leaderboards and where the page is, making the report where it is not that of these results.

    Returns:
      1 if some units failed, else 0.
    """
    import reports

    failed = results.manifest["failed"]
    if results.units:
        reports.ensure(results, rebuild=rebuild)
        reports.print_boards(results, console)
    elif not failed:
        raise UserError(f"{results.folder} has no finished unit yet; run the same `optgrid run` again")
    for name, reason in results.manifest.get("skipped", {}).items():
        print(f"skipped: {name}: {reason}", file=sys.stderr)
    for name, reason in failed.items():
        print(f"failed: {name}: {reason}", file=sys.stderr)
    return 1 if failed else 0
