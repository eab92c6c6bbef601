"""`optgrid rules`: rules of thumb, each tested by an experiment, with a verdict."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.rules.judging import Finding
    from bench.rules.nouns import Rule
    from bench.rules.running import Performed
    from reports.rules import Told

DOCUMENT = "rules.md"
ENVIRONMENT = ("cpu", "cores", "system", "python", "jax")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid rules`."""
    parser.add_argument("rule", nargs="*", metavar="RULE", help="rules by name (default all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of runs and page (default runs/rules)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")
    pilot = "run the pilot instead, on other seeds, and print the spreads and how many replicates they ask for"
    parser.add_argument("--pilot", action="store_true", help=pilot)
    write = "also put the table into DIR/rules.md, with the day and the machine, and rules.csv beside it"
    parser.add_argument("--write", type=Path, metavar="DIR", help=write)


def main(args: argparse.Namespace) -> int:
    """Runs what is missing, prints the verdicts and makes the page; 1 if a unit failed."""
    import sys

    from rich.console import Console

    from bench.commands import progress
    from bench.files import shown
    from bench.rules import catalogue, judging, running

    console = Console(highlight=False)
    say = lambda words: console.print(words, markup=False, soft_wrap=True)  # noqa: E731
    rules = catalogue.chosen(args.rule)
    if args.write is not None:
        _check_document(args.write, whole=len(rules) == len(catalogue.RULES) and not args.pilot)
    for rule in rules:
        rule.check()
    if args.pilot:
        rules = running.piloted(rules)
    out = args.out or Path("runs") / ("rules-pilot" if args.pilot else "rules")
    done = running.perform(rules, out, args.workers, progress.watcher(console))
    found = judging.findings(rules, done.records, catalogue.FAMILY)
    if args.pilot:
        _plan(found, catalogue.FAMILY, say)
    else:
        told = _report(found, done, out / _page(rules), say)
        if args.write is not None:
            _document(told, args.write)
    for name, why in done.failed.items():
        print(f"failed: {shown(name)}: {shown(why)}", file=sys.stderr)
    return int(bool(done.failed))


def _page(rules: "Sequence[Rule]") -> str:
    """The folder of the page: some rules have their own, so that the page of all stays as it is."""
    from bench.rules import catalogue

    some = len(rules) < len(catalogue.RULES)
    return "report-" + "+".join(rule.name for rule in rules) if some else "report"


def _check_document(folder: Path, whole: bool) -> None:
    """Refuses what could not be written in the end, before anything is run.

    Raises:
      UserError: there is no document to put a table into, or not all rules are run.
    """
    from bench.errors import UserError

    if not whole:
        raise UserError("--write puts all rules into the documentation; give it without names and without --pilot")
    if not (folder / DOCUMENT).is_file():
        raise UserError(f"--write puts a table into {folder / DOCUMENT}, which is not there; give its folder")


def _plan(found: "Sequence[Finding]", family: int, say: Callable[[str], None]) -> None:
    """What a pilot is for: the spread of each claim's difference, and what it asks for."""
    from bench.rules import verdicts
    from bench.stats import LEVEL

    for one in found:
        sd, effect = one.estimate.sd, one.claim.threshold
        replicates = verdicts.needed(effect, sd, LEVEL / family)
        say(
            f"{one.rule.name} {one.claim.name}: sd {sd:.3g}, {replicates} replicates show a difference of "
            f"{one.claim.measure.said(effect, named=True)} with a power of 80 %; its entry says sd {one.claim.pilot:g}"
        )


def _report(found: "Sequence[Finding]", done: "Performed", folder: Path, say: Callable[[str], None]) -> "Told":
    """Makes page, table and picture, and prints what came out."""
    from bench.rules import catalogue, judging
    from reports import rules

    curves = {key: judging.curves(records) for key, records in done.records.items()}
    told = rules.Told(found, curves, catalogue.FAMILY, _facts(done.manifests))
    page = rules.make(told, folder)
    say("")
    for one in found:
        say(f"{one.rule.name} {one.claim.name}: {rules.verdict_words(one)}")
        say(f"  {one.claim.words} {rules.sentence(one)}")
    say(f"\n{rules.summary(told)}\npage: {page}")
    return told


def _document(told: "Told", folder: Path) -> None:
    """Puts the table into the documentation.

    Raises:
      UserError: it has no place for the table.
    """
    from datetime import UTC, datetime

    from bench.files import write_atomically
    from reports import rules

    file = folder / DOCUMENT
    text = rules.documented(file.read_text(), told, datetime.now(UTC).date().isoformat())
    write_atomically(file, text.encode())
    write_atomically(folder / "rules.csv", rules.to_csv(told).encode())


def _facts(manifests: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the page says of where it was measured."""
    environment = manifests[0].get("environment", {})
    return [(name, str(environment[name])) for name in ENVIRONMENT if name in environment]
