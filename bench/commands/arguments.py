"""Arguments that several commands take."""

import argparse
from typing import Any

from bench.protocol import CHECKPOINTS, SCHEDULES

CHANGES = ("trials", "wide", "seeds", "replicates", "steps", "schedule", "checkpoint", "select")


def add_grid(parser: argparse.ArgumentParser) -> None:
    """Arguments that say which grid is meant."""
    parser.add_argument("--suite", default="core", help="named grid (default core; see: optgrid list suites)")
    specs = "instead of the suite's: names, path.py[:attr], pkg.mod:attr, NAME(key=value), or all"
    parser.add_argument("--tasks", type=names, metavar="A,B", help=f"tasks {specs}")
    parser.add_argument("--optimizers", type=names, metavar="X,Y", help=f"optimizers {specs}")
    parser.add_argument("--trials", type=int, help="settings tried in each search")
    wide = "search over every hyperparameter that has a law (default in the suite full)"
    parser.add_argument("--wide", action=argparse.BooleanOptionalAction, default=None, help=wide)
    parser.add_argument("--seeds", type=int, help="fresh seeds for each chosen setting")
    parser.add_argument("--replicates", type=int, help="repetitions of the whole procedure")
    parser.add_argument("--steps", type=int, help="budget of every task, in gradient evaluations")
    parser.add_argument("--schedule", choices=SCHEDULES, help="shape of the learning rate over the budget")
    where = "where runs that validation loss selected are read: at the end (default), or where that loss is lowest"
    parser.add_argument("--checkpoint", choices=CHECKPOINTS, help=where)
    select = "what the second selection goes by: valid (default), or the mean over held-out folds, as in kfold:5"
    parser.add_argument("--select", metavar="HOW", help=select)


def changes(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of a protocol that the arguments change; None leaves one as it is."""
    return {name: getattr(args, name) for name in CHANGES}


def names(text: str) -> list[str] | None:
    """Splits at commas outside brackets: adam(b1=0.8,b2=0.5),sgd is two names. Empty is the suite's choice."""
    parts, depth, current = [], 0, ""
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append(current)
            current = ""
        else:
            current += character
    named = [part.strip() for part in (*parts, current) if part.strip()]
    return named or None
