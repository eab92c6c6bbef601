"""`optgrid calibrate`: the constants that boards are held to, and what verdicts are worth, from a pool of runs."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.calibration import Effect
    from bench.results import Results
    from bench.stats import Array

REPLICATES = 40
PLAIN, TWICE = "adam(learning_rate=0.001)", "adam(learning_rate=0.002)"
UNCORRECTED = "uncorrected_adam"
SLOWER = 0.9  # of the budget: where an optimizer that is a tenth slower would have ended


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of `optgrid calibrate`."""
    parser.add_argument("--suite", default="core", help="named grid (default core)")
    parser.add_argument("--out", type=Path, default=Path("runs/calibration"), metavar="DIR", help="folder of the pool")
    fewer = f"replicates of each cell of the pool (default {REPLICATES})"
    parser.add_argument("--replicates", type=int, default=REPLICATES, metavar="N", help=fewer)
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default one for each core)")
    shipped = "file of the constants (default that of the suite, in bench/calibrated)"
    parser.add_argument("--write", type=Path, metavar="FILE", help=shipped)


def main(args: argparse.Namespace) -> int:
    """Runs what is missing of the pool, measures, writes the suite's constants and prints what verdicts are worth; 1 if
    one is wrong too often, or too few replicates tell."""
    import json

    from rich.console import Console

    from bench import calibration, constants, experiment, machine
    from bench.commands import progress
    from bench.errors import UserError
    from bench.files import write_atomically
    from bench.grid import resolve

    names = resolve(args.suite).optimizers
    least = max(2 * calibration.SIDE, calibration.BOARD * len(names))
    if args.replicates < least:
        raise UserError(f"--replicates must be at least {least}, for disjoint sides and boards, not {args.replicates}")
    if "adam" not in names:
        raise UserError(f"suite {args.suite} has no adam, whose changes are what power is measured by")
    file = args.write or constants.FOLDER / f"{args.suite}.json"
    console = Console()

    def run(folder: str, **options: Any) -> "Results":
        watcher = progress.watcher(console)
        results = experiment.run(args.suite, out=args.out / folder, workers=args.workers, watcher=watcher, **options)
        for lacking in ("failed", "skipped"):
            if results.manifest[lacking]:
                name, why = next(iter(results.manifest[lacking].items()))
                raise UserError(f"{results.folder} is not whole: {name} {lacking}: {why}")
        return results

    pool = run("pool", replicates=args.replicates)
    changed = [PLAIN, TWICE, str(constants.FOLDER / f"{UNCORRECTED}.py")]
    effects = run("effects", optimizers=changed, replicates=args.replicates // 2)
    frozen = constants.freeze(pool)
    console.print("measuring what verdicts are worth")
    measured = calibration.verdicts(
        *_scaled(pool, effects), pool.data, len(names), args.workers or len(machine.cores())
    )
    write_atomically(file, (json.dumps({**frozen, "verdicts": measured}, indent=1) + "\n").encode())
    console.print(calibration.table(measured), markup=False, highlight=False, soft_wrap=True)
    for words in (unfit := calibration.unfit(measured)):
        console.print(f"not shown to be right often enough: {words}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"constants: {file}", markup=False, highlight=False, soft_wrap=True)
    return int(bool(unfit))


def _scaled(pool: "Results", effects: "Results") -> "tuple[dict[str, Array], dict[str, Effect]]":
    """The pool's scores by board, and by what was changed those of adam and of what it was changed to."""
    from bench import constants, stats
    from reports import measures

    boards: dict[str, tuple[Array, Array, Array]] = {}  # of the pool, of the effects, and of the pool a tenth slower
    late = pool.at(SLOWER)
    for board, rule in constants.RULES.items():
        scores = pool.scores(*rule)
        units = stats.scales(scores), stats.centres(scores)
        every = (scores, effects.scores(*rule), late.scores(*rule))
        boards[board] = tuple(stats.scaled(some, *units) for some in every)  # type: ignore[assignment]  # three
    targets = {task: constants.target(pool, task, *constants.RULES["optimization"])[0] for task in pool.tasks}
    speed = measures.speed(pool, targets)
    slower = replace(speed, times=speed.times / SLOWER)
    boards["speed"] = (-speed.left, -measures.speed(effects, targets).left, -slower.left)

    adam = pool.optimizers.index("adam")
    plain, twice, uncorrected = map(effects.optimizers.index, (PLAIN, TWICE, UNCORRECTED))
    changed: dict[str, Effect] = {name: ({}, {}) for name in ("learning rate x 2", "no bias correction", "10 % slower")}
    for board, (z, others, slow) in boards.items():
        half = z.shape[2] // 2  # of the same runs, so that they may not be on both sides
        pairs = (
            (others[:, plain], others[:, twice]),
            (z[:, adam], others[:, uncorrected]),
            (z[:, adam, :half], slow[:, adam, half:]),
        )
        for effect, (one, other) in zip(changed.values(), pairs, strict=True):
            effect[0][board], effect[1][board] = one, other
    return {board: z for board, (z, _, _) in boards.items()}, changed
