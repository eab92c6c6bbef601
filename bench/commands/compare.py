"""`optgrid compare`: an optimizer beside tuned baselines, with a verdict."""

import argparse
from collections.abc import Callable
from pathlib import Path

from bench.commands.arguments import names

TIMEOUT_S = 600.0


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid compare`."""
    specs = (
        "NAME, NAME(key=value), path.py[:attr], pkg.mod:attr or optax:NAME; several are corrected for together. Or "
        "NAME@OLD NAME@NEW, each a folder of a run or a git revision: whether both compute the same (all@ for all of "
        "two folders)"
    )
    parser.add_argument("optimizer", nargs="+", metavar="OPT", help=specs)
    parser.add_argument("--vs", type=names, default=["adam"], metavar="X,Y", help="rivals (default adam)")
    parser.add_argument("--suite", default="core", help="named grid that has baselines (default core)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder (default runs/compare/OPT)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="for one unit (default 600)"
    )


def main(args: argparse.Namespace) -> int:
    """Runs, prints the verdict and makes the page; 1 if a unit of a newcomer failed."""
    from rich.console import Console

    from bench import comparison
    from bench.commands import progress

    console = Console(highlight=False)
    say = lambda words: console.print(words, markup=False, soft_wrap=True)  # noqa: E731
    specs = [spec for given in args.optimizer for spec in names(given) or ()]
    if any("@" in spec for spec in specs):
        from bench.commands import guard

        return guard.main(specs, args.suite)
    holds = [_holds(spec, say) for spec in specs]  # all are told before any is refused
    if not all(holds):
        return 1
    found = comparison.compare(
        specs, args.vs, args.suite, args.out, progress.watcher(console), say,
        workers=args.workers, timeout=args.timeout,
    )  # fmt: skip
    from reports import comparison as report

    failed = found.results.manifest["failed"]
    if not set(found.newcomers) & set(found.results.optimizers):
        say(f"{', '.join(found.newcomers)} has no result: {next(iter(failed.values()), 'nothing was run')}")
        return 1
    told = report.told(found)
    page = report.make(told)
    console.print()
    for line in report.lines(told):
        say(line)
    for name, reason in failed.items():
        say(f"failed: {name}: {reason}")
    say(f"page: {page}")
    return int(bool(failed))


def _holds(spec: str, say: Callable[[str], None]) -> bool:
    """Whether an optimizer can be run at all: what is not of the catalogue is checked, in a process of its own."""
    from bench import apart
    from bench.findings import OF_QUALITY
    from optimizers._own import is_listed

    if is_listed(spec):
        return True
    found = apart.check(spec)
    for words in found.guessed:
        say(words)
    say(f"{spec}: {found.verdict}")
    hindering = [finding for finding in found.broken if finding.check not in OF_QUALITY]
    if hindering:
        say(f"so it cannot be compared; all that was found: optgrid check {spec}")
    return not hindering
