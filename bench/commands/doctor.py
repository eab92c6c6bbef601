"""`optgrid doctor`: what is wrong with a run's folder, and what the same command would compute again."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from bench.files import shown

SHOWN = 10  # names of a kind of which there is nothing else to say


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid doctor`."""
    parser.add_argument("runs", nargs="?", type=Path, default=Path("runs/core"), help="folder of a run")


def main(args: argparse.Namespace) -> int:
    """Prints what was found; 1 if anything is wrong. Nothing is changed."""
    from bench.doctor import examine

    found = examine(args.runs)
    plan = found.plan
    damaged = [f"{name}: {why}" for name, why in plan.damaged.items()]
    absent = [u.name for u in plan.missing if u.name not in {*plan.stale, *plan.damaged} and u.previous is None]
    print(f"{len(plan.wanted) - len(plan.missing)} of {len(plan.wanted)} units are whole and current")
    _list("damaged, would be computed again", damaged, len(damaged))
    _list("made by other code, data, settings or versions, would be computed again", plan.stale)
    _list("not there, would be computed", absent)
    spoilt = [f"{name}: {why}" for name, why in found.spoilt.items()]
    _list("damaged beside the units, would be made anew", spoilt, len(spoilt))
    _list("with too few seeds, would be added to", [u.name for u in plan.missing if u.previous is not None])
    _list("failed in the last run, would be tried again", [f"{name}: {why}" for name, why in found.failed.items()])
    _list("not known to be current", [f"{name}: {why}" for name, why in found.unknown.items()])
    _list("files that are no units of the run, left alone", found.strange, len(found.strange))
    _list("whole units that the last command did not ask for, kept", found.beyond)
    _list("cells without a step time, would be timed", found.untimed)
    print("nothing is wrong" if found.sound else "the same `optgrid run` mends what can be mended")
    return int(not found.sound)


def _list(what: str, names: Iterable[str], most: int = SHOWN) -> None:
    every = list(names)
    if every:
        print(f"{what}: {len(every)}")
        for name in every[:most]:
            print(f"  {shown(name)}")
        if len(every) > most:
            print(f"  and {len(every) - most} more")
