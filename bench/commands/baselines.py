"""`optgrid baselines`: the reference results that the project ships, those that are missing or changed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.grid import Grid
    from bench.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid baselines`."""
    parser.add_argument("--suite", default="core", help="named grid (default core)")
    parser.add_argument("--optimizers", metavar="X,Y", help="only these of the catalogue (default all)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the runs (default runs/baselines/SUITE)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")


def main(args: argparse.Namespace) -> int:
    """Runs what is missing, and writes a file for every optimizer that is whole; 1 if some are not."""
    from rich.console import Console

    import optimizers
    from bench import baseline, experiment, results
    from bench.commands import progress
    from bench.errors import UserError
    from bench.grid import resolve

    names = args.optimizers.split(",") if args.optimizers else optimizers.names()
    if unknown := sorted(set(names) - set(optimizers.names())):
        raise UserError(f"baselines are of the catalogue's optimizers, and {', '.join(unknown)} is none of them")
    folder = args.out or Path("runs/baselines") / args.suite
    console = Console()
    grid = resolve(args.suite, None, names, replicates=baseline.REPLICATES)
    try:
        experiment.run(
            args.suite, optimizers=names, out=folder, workers=args.workers, watcher=progress.watcher(console),
            timed=False, replicates=baseline.REPLICATES,
        )  # fmt: skip
    finally:  # what is whole is kept, however the run ended
        if results.read_manifest(folder) is not None:
            written, lacking = _write(results.load(folder), grid, names)
            console.print(f"{written} of {len(names)} baselines are whole and in {baseline.FOLDER / args.suite}")
            for name, why in lacking.items():
                console.print(f"not whole: {name}: {why}", markup=False, highlight=False)
    return int(bool(lacking))


def _write(found: "Results", grid: "Grid", names: list[str]) -> tuple[int, dict[str, str]]:
    """Writes the files of those that are whole; returns how many they are, and what the others lack."""
    import optimizers
    from bench import baseline, catalogue
    from bench.behaviour import behaviour
    from bench.files import write_atomically

    lacking = {}
    for name in names:
        cells = [record for task in grid.tasks for record in found.cell(task.name, name)]
        if missing := len(grid.tasks) * baseline.REPLICATES - len(cells):
            lacking[name] = f"{missing} units are missing"
            continue
        content = baseline.encode(
            baseline.Baseline(
                optimizer=name,
                records=cells,
                behaviour=behaviour(optimizers.get(name)),
                code=catalogue.code(name),
                tasks={task.name: baseline.task_hash(task) for task in grid.tasks},
                protocol=grid.protocol.identity,
                environment=cells[0].meta["environment"],
            )
        )
        file = baseline.file_of(grid.suite.name, name)
        if not file.exists() or file.read_bytes() != content:
            write_atomically(file, content)
    return len(names) - len(lacking), lacking
