"""`optgrid report`: leaderboards, figures and page of a run, or the page of a study, from its files alone."""

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.files import shown

if TYPE_CHECKING:
    from rich.console import Console

    from bench.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid report`."""
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs/core"), help="folder of a run or of a study")
    shorter = "report the run as it stood at this share of its budget, as 0.3, into report-30; settings stay the same"
    parser.add_argument("--budget", type=float, default=1.0, metavar="SHARE", help=shorter)
    only = "make these parts alone, of page, tables and figures"
    parser.add_argument("--only", action="append", metavar="A,B", help=only)


def main(args: argparse.Namespace) -> int:
    """Makes the report anew, or parts of it."""
    from rich.console import Console

    import reports
    from bench import results, studied
    from bench.commands import study

    if (args.runs / studied.FILE).is_file():
        if args.budget != 1 or args.only:
            raise UserError(f"{args.runs} is a study, whose page is made whole; leave --budget and --only out")
        return study.show(studied.load(args.runs), Console(highlight=False))
    parts = [part for given in args.only or [",".join(reports.PARTS)] for part in given.split(",")]
    for part in parts:
        if part not in reports.PARTS:
            raise UserError(f"--only takes {', '.join(reports.PARTS)}, not {part!r}")
    run = results.load(args.runs)
    return show(run if args.budget == 1 else run.at(args.budget), Console(), rebuild=True, parts=parts)


def show(results: "Results", console: "Console", rebuild: bool, parts: Collection[str] | None = None) -> int:
    """Prints the leaderboards and where the page is, making the report where it is not that of these results.

    Args:
      parts: of `reports.PARTS`; all of them if not given.

    Returns:
      1 if some units failed, else 0.
    """
    import reports

    failed = results.manifest["failed"]
    wanted = reports.PARTS if parts is None else parts
    if results.units:
        reports.ensure(results, rebuild=rebuild, parts=wanted)
        reports.print_boards(results, console, wanted)
    elif not failed:
        raise UserError(f"{results.folder} has no finished unit yet; run the same `optgrid run` again")
    skipped = results.manifest.get("skipped", {})
    for kind, named in (("skipped", skipped), ("failed", failed), ("damaged", results.damaged)):
        for name, reason in named.items():
            print(f"{kind}: {shown(name)}: {shown(reason)}", file=sys.stderr)
    return 1 if failed else 0
