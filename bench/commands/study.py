"""`optgrid study`: one thing of a task turned, and what that does, on a page."""

import argparse
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.arguments import names
from bench.files import shown

if TYPE_CHECKING:
    from rich.console import Console

    from bench.studied import Studied


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid study`."""
    axis = "what is turned: width, depth, activation, ... (see: optgrid study list), or a field of the task, as dropout"
    parser.add_argument("axis", metavar="AXIS", help=axis)
    parser.add_argument("--task", default="mnist_5k", help="the task that is turned (default mnist_5k)")
    usual = "default sgd,momentum,adam,schedule_free_adamw"
    parser.add_argument("--optimizers", type=names, metavar="X,Y", help=f"that train at each value ({usual})")
    parser.add_argument("--values", type=names, metavar="A,B", help="of the axis (default its usual ones)")
    moved = "also run each value with the settings tuned at the task's own value, or at the first"
    parser.add_argument("--transfer", action="store_true", help=moved)
    parser.add_argument("--trials", type=int, help="settings tried in each search (default 8)")
    parser.add_argument("--seeds", type=int, help="fresh seeds for each chosen setting (default 2)")
    parser.add_argument("--replicates", type=int, help="repetitions of the whole procedure (default 7)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the study (default runs/study/TASK-AXIS)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")


def main(args: argparse.Namespace) -> int:
    """Runs what is missing and makes the page; 1 if some units failed."""
    from rich.console import Console

    from bench import axes, machine, probe, study, studying
    from bench.commands import progress

    console = Console(highlight=False)
    say = lambda words: console.print(words, markup=False, soft_wrap=True)  # noqa: E731
    if args.axis == "list":
        for axis in axes.AXES.values():
            say(f"{axis.name:16}{axis.shows}")
        return 0
    asked = study.plan(
        args.axis, args.task, args.optimizers, args.values and [study.literal(text) for text in args.values],
        args.transfer, trials=args.trials, seeds=args.seeds, replicates=args.replicates,
    )  # fmt: skip
    out = args.out or studying.usual_folder(args.axis, asked.task.name)
    workers = len(machine.slots(args.workers))
    say(f"{args.axis} of {asked.task.name}: {', '.join(made.text for made in asked.setups)}; {', '.join(asked.names)}")
    if machine.pinned():
        seconds = studying.predict(asked, out, workers, probe.speed(lambda line: print(line, file=sys.stderr))[0])
        about = (
            f"about {progress.duration(seconds)} on {workers} workers, page included" if seconds else "nothing to run"
        )
        say(f"expected: {about}")
    if gone := studying.replaced(asked, out):
        print(f"the page of {out} had also {gone}; it is made anew without, and the records are kept", file=sys.stderr)
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = studying.run(asked, out, args.workers, progress.watcher(console))
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept, and the same command goes on from there", file=sys.stderr)
        return 130
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    swept = time.monotonic() - begun
    code = show(done, console)
    took = time.monotonic() - begun
    say(
        f"took {progress.duration(took)}, the page {took - swept:.0f} s of it; "
        f"{cpu:.0f} s of processor time by the workers"
    )
    return code


def show(done: "Studied", console: "Console") -> int:
    """Makes the page of a study and prints what it says and where it is; 1 if some units failed."""
    import reports.study as report

    page = report.make(done)
    for line in (*report.lines(done), f"page: {page}"):
        console.print(line, markup=False, soft_wrap=True)
    for name, reason in done.failed.items():
        print(f"failed: {shown(name)}: {shown(reason)}", file=sys.stderr)
    return int(bool(done.failed))
