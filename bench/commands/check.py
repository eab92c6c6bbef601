"""`optgrid check`: whether an optimizer can be benchmarked, before it costs a sweep."""

import argparse
import math
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid check`."""
    parser.add_argument(
        "optimizer", nargs="+", metavar="OPT", help="name, path.py[:attr], pkg.mod:attr, optax:NAME, WRAPPER:OPT"
    )
    parser.add_argument("--strict", action="store_true", help="also beside bfloat16 parameters and with float64 on")
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="seconds for code of yours, each (default: 60)"
    )
    parser.add_argument("--json", action="store_true", help="for programs")


def main(args: argparse.Namespace) -> int:
    """Prints the findings; 1 if a check does not hold.

    Raises:
      UserError: the timeout is no time.
    """
    import json

    from rich.console import Console

    from bench import apart
    from bench.errors import UserError

    if not (args.timeout > 0 and math.isfinite(args.timeout)):
        raise UserError(f"--timeout must be above zero, not {args.timeout:g}")
    console = Console(highlight=False, markup=False)
    report: dict[str, Any] = {}
    for spec in args.optimizer:
        apart.refuse(spec)
    for spec in args.optimizer:
        if args.json:
            checked = apart.check(spec, args.strict, args.timeout)
        else:
            console.print(spec, style="bold", soft_wrap=True)
            checked = apart.check(spec, args.strict, args.timeout, lambda finding: _show(console, finding))
            _conclude(console, checked)
        report[spec] = checked
    if args.json:
        print(json.dumps({s: [finding._asdict() for finding in c.findings] for s, c in report.items()}, indent=1))
    return int(any(checked.broken for checked in report.values()))


def _show(console: Any, finding: Any) -> None:
    from rich.padding import Padding
    from rich.text import Text

    if not finding.reached:
        mark = Text("not run", "dim")
    else:
        mark = Text("broken ", "bold red") if finding.problem else Text("holds  ", "green")
    console.print(Padding(Text.assemble(mark, f"  {finding.check}"), (0, 0, 0, 2)))
    if finding.problem:
        console.print(Padding(Text(finding.problem), (0, 0, 0, 11)))


def _conclude(console: Any, checked: Any) -> None:
    from rich.padding import Padding

    words = [*checked.guessed]
    if checked.printed:
        words += [f"its code printed {checked.printed:,} bytes, which end with:", *(f"| {x}" for x in checked.last)]
    for line in words:
        console.print(Padding(line, (0, 0, 0, 2)))
    verdict = f"{checked.spec}: {checked.verdict}" if checked.broken else checked.verdict
    console.print(f"  {verdict}\n", soft_wrap=True)
