"""`optgrid run`: a grid, or what is missing of it, and its report."""

import argparse
import sys
from pathlib import Path
from typing import Any

from bench.protocol import CHECKPOINTS, EXTENSIONS, SCHEDULES

CHANGES = ("trials", "wide", "seeds", "replicates", "steps", "schedule", "checkpoint", "select")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid run`."""
    add_grid(parser)
    widen = f"run again with all spaces extended while a best setting lies at an edge, at most {EXTENSIONS} times"
    parser.add_argument("--widen", action="store_true", help=widen)
    why = "record, after all else, sharpness, gradients, updates and loss landscapes of a run of each cell"
    parser.add_argument("--diagnostics", action="store_true", help=why)
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default runs/SUITE)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")
    memory = "for each worker, as in 4GB (default an equal share of the machine's)"
    parser.add_argument("--memory", metavar="SIZE", help=memory)
    parser.add_argument("--scheduler", metavar="ADDRESS", help="use the workers of a running Dask scheduler")
    start = "start a cluster that a YAML file describes, for this run (Slurm, PBS, Kubernetes, ...)"
    parser.add_argument("--cluster", type=Path, metavar="FILE", help=start)
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS", help="for one unit (default 600)")


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


def main(args: argparse.Namespace) -> int:
    """Runs, reports, and says where everything is; 1 if some units failed."""
    from rich.console import Console

    from bench import experiment, machine
    from bench.commands import progress, report

    console = Console()
    try:
        results = experiment.run(
            args.suite,
            tasks=args.tasks,
            optimizers=args.optimizers,
            out=args.out,
            workers=args.workers,
            memory=None if args.memory is None else machine.size(args.memory),
            scheduler=args.scheduler,
            cluster=args.cluster,
            timeout=args.timeout,
            watcher=progress.watcher(console),
            widen=args.widen,
            diagnostics=args.diagnostics,
            **changes(args),
        )
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    return report.show(results, console, rebuild=False)
