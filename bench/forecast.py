"""What a grid will take, before any of it is run: counts, seconds, memory and disk. Pure; the numbers are those of
`bench.costs`, the order of work that of `bench.makespan`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from bench import costs, makespan
from bench.costs import Speed
from bench.grid import Cell, Grid
from bench.makespan import Load

Missing = Mapping[
    Cell, Sequence[int | None]
]  # the final seeds that each unit to do already has, None if it is not there


@dataclass(frozen=True)
class Forecast:
    """What is to be done and what it takes; of a machine of the speed that was given, its compiled programs not yet
    kept.

    Attributes:
      cells, units, runs: to do; `runs` are training runs.
      workers: processes, a core each.
      training_s, setup_s: core-seconds of training with its evaluation, and of starting, loading data and compiling.
      sweep_s: wall seconds of these on the workers.
      longest_s: of the longest way through one unit, which no number of workers shortens.
      timing_s: wall seconds of measuring step times after the sweep, by one worker.
      held_s: core-seconds that are held: by all workers to the sweep's end, idle ones included, then by one.
      worker_mib: MiB of the largest worker.
      workers_mib: MiB of all of them.
      disk_mib: MiB of records and compiled programs.
    """

    cells: int
    units: int
    runs: int
    workers: int
    training_s: float
    setup_s: float
    sweep_s: float
    longest_s: float
    timing_s: float
    held_s: float
    worker_mib: float
    workers_mib: float
    disk_mib: float

    @property
    def core_s(self) -> float:
        """Core-seconds of work."""
        return self.training_s + self.setup_s + self.timing_s


def forecast(
    grid: Grid, missing: Missing, untimed: Mapping[str, Sequence[str]], workers: int, speed: Speed
) -> Forecast:
    """Predicts a grid.

    Args:
      missing: units to do; cells without any may be left out.
      untimed: {task: optimizers} without a step time.
      workers: processes, each on a core of its own.
    """
    shared = costs.sharing(workers)
    by_name, protocol = {task.name: task for task in grid.tasks}, grid.protocol
    loads, runs = [], 0.0
    for (task, name), units in missing.items():
        spec, each = grid.optimizers[name], costs.runs(protocol)
        left = [1.0 if has is None else costs.chosen(protocol) * (protocol.seeds - has) / each for has in units]
        unit = costs.unit_seconds(by_name[task], spec, protocol, speed) * shared
        setup = costs.setup_seconds(by_name[task], spec, speed) * shared
        loads += [Load(task, name, len(units), unit * sum(left) / len(left), setup)] if units else []
        runs += each * sum(left)
    opening = {name: costs.opening_seconds(task, protocol, speed) * shared for name, task in by_name.items()}
    played = makespan.play(loads, workers, costs.process_seconds(speed) * shared, opening)
    units_s = sum(load.units * load.unit_s for load in loads)
    timing = 0.0
    for task, names in untimed.items():
        here = played.compiled.get(played.homes.get(task, 0), set())
        loaded = sum((task, name) not in here for name in names)
        specs = [grid.optimizers[name] for name in names]
        timing += costs.timing_seconds(by_name[task], specs, loaded, protocol, speed) if names else 0.0
    sizes = [
        costs.worker_mib([(by_name[task], grid.optimizers[name]) for task, name in cells], protocol)
        for cells in played.compiled.values()
    ] or [0.0]
    disk = sum(load.units * costs.record_bytes(protocol, protocol.evaluations + 1) for load in loads)
    return Forecast(
        cells=len(loads),
        units=sum(load.units for load in loads),
        runs=ceil(runs - 1e-9),
        workers=workers,
        training_s=units_s,
        setup_s=played.busy_s - units_s,
        sweep_s=played.wall_s,
        longest_s=played.longest_s,
        timing_s=timing,
        held_s=played.wall_s * workers + timing,
        worker_mib=max(sizes),
        workers_mib=sum(sizes),
        disk_mib=(disk + len(loads) * costs.PROGRAM_BYTES) / costs.MIB,
    )


def nothing_done(grid: Grid) -> Missing:
    """All of a grid, as what is to do of it."""
    return {(task.name, name): [None] * grid.protocol.replicates for task in grid.tasks for name in grid.optimizers}
