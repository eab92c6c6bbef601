"""`optgrid run`: a grid, or what is missing of it, and its report."""

import argparse
import sys
from pathlib import Path

from bench.commands.arguments import add_grid, changes
from bench.protocol import EXTENSIONS


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
