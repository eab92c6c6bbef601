"""What training, evaluating and compiling cost on this machine: measured in workers like those of a run, by process
time, which on a busy machine is far steadier than wall time.

The same job measures the table that is shipped (`measure`) and this machine beside it (`speed`).
"""

import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import costs, fingerprint, machine, paths
from bench.costs import Speed
from bench.errors import UserError
from bench.files import write_atomically
from bench.jobs import SweepJob
from bench.pool import pool
from bench.protocol import Protocol
from bench.worker import Failure, Job

if TYPE_CHECKING:
    from bench.program import Program

_kept: list["Program"] = []  # a worker keeps its programs, and so memory grows with them

ROUNDS = 5
ALLOWED_S = 1800.0  # for a job; none takes that long on a machine that works
MIB = 2**20


@dataclass(frozen=True)
class CostJob:
    """Costs of a task and of its cells, each compiled anew and run `rounds` times over the task's budget."""

    task: str
    optimizers: Sequence[str]
    rounds: int = ROUNDS

    def __call__(self) -> dict[str, Any]:
        """{"task": costs of the task, "cells": {optimizer: costs of the cell}, "process": costs of the process};
        seconds of process time, and MiB."""
        import jax
        from threadpoolctl import threadpool_limits

        from bench import tasks
        from bench.program import compile_program
        from optimizers import _bare

        threadpool_limits(1)  # a thread of BLAS that waits is busy, and would be counted
        jax.config.update("jax_enable_compilation_cache", False)  # tasks may have a program in common
        task, protocol = tasks.get(self.task), Protocol()
        begun, before = time.process_time(), _resident()
        cells: dict[str, dict[str, float]] = {}
        costs: dict[str, float] = {}
        for name in self.optimizers:
            wall, cpu, resident = time.perf_counter(), time.process_time(), _resident()
            program = compile_program(task, _bare.get(name), protocol)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            _kept.append(program)
            busy = min(1.0, cpu / wall)  # of the parts only wall time is known
            cell = {"trace_s": program.trace_s * busy, "compile_s": program.compile_s * busy}
            loaded = _resident()
            grown = loaded - resident
            if not costs:
                costs["setup_s"] = max(0.0, cpu - sum(cell.values()))
                grown = 0.0
            timed = _timed(program, self.rounds)
            if len(costs) == 1:
                costs |= {name: timed[name] for name in ("start_s", "call_s", "evaluation_s")}
                costs["setup_mib"] = max(0.0, loaded - before)
            cells[name] = {**cell, "step_s": timed["step_s"], "program_mib": grown}
        return {"task": costs, "cells": cells, "process": {"start_s": begun, "resident_mib": before}}


@dataclass(frozen=True)
class OverheadJob:
    """What a job costs beside training and evaluating, and what loading a compiled program does: seconds."""

    task: str = "dem"

    def __call__(self) -> dict[str, float]:
        """{"job_s", "load_s"}: the first is wall time, as a part of it is spent in other processes."""
        import jax

        from bench import tasks
        from bench.fingerprint import fingerprint
        from bench.program import compile_program
        from optimizers import _bare

        protocol = Protocol(trials=1, seeds=1, evaluations=1, steps=1)
        task = tasks.get(self.task, protocol.steps)
        job = SweepJob(self.task, "sgd", protocol, {0: None}, fingerprint(task, "sgd", protocol))
        seconds = [job().run_s for _ in range(4 * ROUNDS)]
        loads = []
        for _ in range(ROUNDS):
            jax.clear_caches()
            program = compile_program(task, _bare.get("sgd"), protocol)
            if not program.cached:
                raise UserError("a compiled program was not found in the cache again")
            loads.append(program.compile_s)
        return {"job_s": float(np.median(seconds)), "load_s": float(np.median(loads))}


def _timed(program: "Program", rounds: int) -> dict[str, float]:
    """Medians over rounds: seconds of a start, of a call without steps, of evaluating a point and of a step."""
    points = program.points
    begin = time.process_time()
    start = program.start(0, "probe")
    drawn = time.process_time() - begin
    none = np.zeros_like(points)
    program.run(start, {}, none)  # the first call of a program pays for more than itself
    seen = []
    for _ in range(rounds):
        clock = [time.process_time()]
        for work in (program.train, program.run):
            work(start, {}, none)
            clock.append(time.process_time())
        program.train(start, {}, points)
        clock.append(time.process_time())
        seen.append(np.diff(clock))
    call, run, whole = np.median(seen, axis=0)
    return {
        "start_s": drawn,
        "call_s": float(call),
        "evaluation_s": float(max(0.0, run - call) / len(points)),
        "step_s": float(max(0.0, whole - call) / program.task.steps),
    }


def _resident() -> float:
    """MiB of memory that this process holds now; the most it ever held where that is not told."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    return _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _cold() -> Iterator[None]:
    """A cache without compiled programs for the workers that are started within; the data sets are those of ours."""
    ours = paths.cache()
    kept = os.environ.get("OPTGRID_CACHE")
    with TemporaryDirectory() as folder:
        (ours / "data").mkdir(parents=True, exist_ok=True)
        (Path(folder) / "data").symlink_to((ours / "data").resolve())
        os.environ["OPTGRID_CACHE"] = folder
        try:
            yield
        finally:
            os.environ.pop("OPTGRID_CACHE")
            if kept is not None:
                os.environ["OPTGRID_CACHE"] = kept


def done(jobs: Sequence[Job], workers: int = 1) -> list[Any]:
    """What the jobs give, each worker doing all of them, the first worker's; nothing else of ours runs meanwhile.

    Raises:
      UserError: one failed.
    """
    with _cold(), pool(machine.slots(workers)) as started:
        waiting = [iter(enumerate(jobs)) for _ in range(workers)]
        given: dict[tuple[int, int], Any] = {}

        def draw(worker: int) -> tuple[tuple[int, int], Job] | None:
            number, job = next(waiting[worker], (0, None))
            return None if job is None else ((worker, number), job)

        for ended in started.run(draw, lambda _: ALLOWED_S):
            if ended is not None:
                if isinstance(ended.outcome, Failure):
                    raise UserError(f"this machine's speed could not be measured: {ended.outcome.reason}")
                given[ended.tag] = ended.outcome
    return [given[0, number] for number in range(len(jobs))]


WARM_UP = CostJob("diabetes(steps=50)", ["sgd"], 1)  # pays for what the first job of a process does
PROBED = (
    CostJob("dem", ["sgd", "adam"]),
    CostJob("mnist_5k", ["sgd", "adam"]),
    CostJob("digits_deep", ["sgd", "soap"]),
)


def process() -> dict[str, float]:
    """What a worker's process costs beside its tasks and cells: seconds to start it, of each job and to load a compiled
    program, and how many times as long everything takes beside another worker."""
    first, again = done([WARM_UP, replace(WARM_UP, task="diabetes(steps=51)")])
    start = first["process"]["start_s"] + max(0.0, first["task"]["setup_s"] - again["task"]["setup_s"])
    return {"start_s": start, **done([OverheadJob()])[0], "sharing": sharing()}


def sharing() -> float:
    """How many times as long training takes by two workers at once as by one alone; 1 where there is one core."""
    if len(machine.cores()) < 2:
        return 1.0
    jobs = [WARM_UP, *PROBED]
    alone, together, again = (_steps(done(jobs, workers)) for workers in (1, 2, 1))
    return max(1.0, float(np.median(2 * together / (alone + again))))


def _steps(outcomes: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return np.asarray([cell["step_s"] for outcome in outcomes[1:] for cell in outcome["cells"].values()])


def speed(tell: Callable[[str], None]) -> tuple[Speed, str]:
    """This machine's speed beside the table's, and the day it was measured; kept in the cache, by processor and
    versions. `tell` is given a line if it has to be measured now.

    Raises:
      UserError: it could not be measured.
    """
    told = json.dumps([machine.cpu_model(), fingerprint.versions(), costs.table()], sort_keys=True)
    kept = paths.cache() / "speed" / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}.json"
    with suppress(OSError, ValueError, KeyError):
        stored = json.loads(kept.read_text())
        return Speed(float(stored["training"]), float(stored["compiling"])), str(stored["date"])
    tell("measuring this machine, once, for some seconds")
    found = beside(PROBED, done([WARM_UP, *PROBED])[1:])
    day = date.today().isoformat()
    write_atomically(kept, json.dumps({"training": found.training, "compiling": found.compiling, "date": day}).encode())
    return found, day


def beside(jobs: Sequence[CostJob], outcomes: Sequence[Mapping[str, Any]]) -> Speed:
    """The speed at which jobs gave these costs: medians over cells of the table's over them."""
    cells = costs.table()["cells"]
    pairs = [
        (cells[job.task][name], cell)
        for job, outcome in zip(jobs, outcomes, strict=True)
        for name, cell in outcome["cells"].items()
    ]
    training = [there["step_s"] / here["step_s"] for there, here in pairs]
    compiling = [
        (there["trace_s"] + there["compile_s"]) / (here["trace_s"] + here["compile_s"]) for there, here in pairs
    ]
    return Speed(float(np.median(training)), float(np.median(compiling)))
