"""`optgrid check`: whether an optimizer can be benchmarked, before it costs a sweep."""

import argparse
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid check`."""
    parser.add_argument(
        "optimizer", nargs="+", metavar="OPT", help="name, path.py[:attr], pkg.mod:attr, optax:NAME, WRAPPER:OPT"
    )
    parser.add_argument("--strict", action="store_true", help="also beside bfloat16 parameters and with float64 on")
    parser.add_argument("--json", action="store_true", help="for programs")


def main(args: argparse.Namespace) -> int:
    """Prints the findings; 1 if a check does not hold."""
    import json

    from rich.console import Console

    import optimizers
    from bench import checks

    subjects = [optimizers.get(spec) for spec in args.optimizer]
    console = Console(highlight=False)
    broken = 0
    report: dict[str, Any] = {}
    for optimizer, spec in zip(subjects, args.optimizer, strict=True):
        if not args.json:
            console.print(f"[bold]{spec}[/bold]", soft_wrap=True)
        findings = []
        for finding in checks.check(optimizer, args.strict):
            findings.append(finding)
            if not args.json:
                _show(console, finding)
        failed = sum(bool(finding.problem) for finding in findings)
        broken += failed > 0
        report[spec] = [finding._asdict() for finding in findings]
        if not args.json:
            asked = sum(finding.reached for finding in findings)
            verdict = f"{failed} of {asked} checks do not hold" if failed else f"all {asked} checks hold"
            console.print(f"  {verdict}\n")
    if args.json:
        print(json.dumps(report, indent=1))
    return int(broken > 0)


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
