"""What a worker is given to do: sweep replicates of a cell, take a task's step times, or say why a run went as it did.
Pure work in, bytes out.

A cell's runs share the lanes of its program. Where so many do not fit into the memory that there is, by what the
compiled program says of itself or by failing, half as many do, and so on; a cell that does not fit alone is refused
before it runs.
"""

import importlib
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from bench import machine, paths
from bench.errors import UserError
from bench.fingerprint import fingerprint, lanes, platform
from bench.grid import is_own
from bench.protocol import Protocol
from bench.task import Task
from bench.travel import optimizer_from, task_from
from bench.worker import workplace
from optimizers import OptimizerError, _spec
from optimizers._own import is_listed

if TYPE_CHECKING:
    from bench.program import Program

BASELINE = "sgd"  # what step times are compared with
EXHAUSTED = "RESOURCE_EXHAUSTED"  # how XLA says that memory does not suffice

_widths: dict[tuple[str, str], int] = {}  # lanes that proved too many for a (task, optimizer), halved


@dataclass(frozen=True)
class Swept:
    """Encoded records, and the seconds that compiling, where this worker had not yet, and running took."""

    records: Sequence[bytes]
    setup_s: float
    run_s: float


@dataclass(frozen=True)
class ImportJob:
    """Imports what somebody's code imports as well, JAX above all, so that its own time is told from theirs."""

    def __call__(self) -> None:
        """Imports it."""
        importlib.import_module("optimizers._bare")


@dataclass(frozen=True)
class OpenJob:
    """Whether an optimizer can be had from somebody's code, which may do anything when it is imported."""

    optimizer: str

    def __call__(self) -> None:
        """Imports it.

        Raises:
          UserError, OptimizerError: it is none, or wrote files.
        """
        from optimizers import _bare

        spec = optimizer_from(self.optimizer, Path.absolute)
        with scratch(self.optimizer):
            _bare.get(spec)


@dataclass(frozen=True)
class SweepJob:
    """Replicates of one cell, by specs, to encoded records.

    `replicates` are numbers, each with the encoded record of it that lacks final seeds, if there is one.
    """

    task: str | Task
    optimizer: str
    protocol: Protocol
    replicates: Mapping[int, bytes | None]
    fingerprint: str

    def __call__(self) -> Swept:
        """Compiles the cell where this process has not yet, and runs the replicates.

        Raises:
          UserError: the cell does not fit into memory, its code was changed, or it wrote files.
        """
        if is_listed(self.optimizer):
            return self._done()
        here = optimizer_from(self.optimizer, Path.absolute), task_from(self.task, Path.absolute)
        with scratch(self.optimizer):
            return replace(self, optimizer=here[0], task=here[1])._done()

    def _done(self) -> Swept:
        begin = time.perf_counter()
        while True:
            program = self._fitting()
            ready = time.perf_counter()
            try:
                swept, run_s = self._swept(program)
            except Exception as error:
                if EXHAUSTED not in str(error) or program.lanes == 1:
                    raise
                _widths[self._cell] = program.lanes // 2
            else:
                return Swept(swept, ready - begin, run_s)

    @property
    def own(self) -> frozenset[str]:
        """Whose code it runs beside the project's."""
        return _own([self.task], [self.optimizer])

    @property
    def _cell(self) -> tuple[str, str]:
        return str(self.task), self.optimizer

    def _swept(self, program: "Program") -> tuple[list[bytes], float]:
        from bench import records, sweep

        previous = {r: None if before is None else records.decode(before) for r, before in self.replicates.items()}
        with _device():
            begun = time.perf_counter()
            swept = sweep.sweep(program, previous, self.fingerprint)
        made = {"environment": machine.environment(), "lanes": program.lanes}
        encoded = [records.encode(replace(r, meta={**r.meta, **made})) for r in swept]
        return encoded, time.perf_counter() - begun

    def _fitting(self) -> "Program":
        """The cell's program, of as many lanes as there is memory for."""
        width = _widths.get(self._cell, lanes())
        while True:
            program = _program(self.task, self.optimizer, self.protocol, self.fingerprint, width)
            needed, there = needs(program), room()
            if needed <= there:
                return program
            if width == 1:
                raise UserError(
                    f"{program.optimizer.name} on {program.task.name} needs {machine.shown(needed)} of memory beside "
                    f"what its worker holds, and may take {machine.shown(there)}; --memory allows more"
                )
            width //= 2


@dataclass(frozen=True)
class TimingJob:
    """Step times of a task's optimizers, by `settings` {optimizer: hyperparameters}, beside SGD's, one run at a time.

    `fingerprints` are those of the optimizers' cells and the baseline's. An optimizer whose program cannot be had now
    is left out.
    """

    task: str | Task
    settings: Mapping[str, Mapping[str, float]]
    protocol: Protocol
    fingerprints: Mapping[str, str]
    baseline: str = BASELINE

    @property
    def own(self) -> frozenset[str]:
        """Whose code it runs beside the project's."""
        return _own([self.task], self.settings)

    def __call__(self) -> dict[str, dict[str, Any]]:
        """Compiles what this process has not yet, and measures."""
        from bench import timing

        programs = {}
        for name in self.settings:
            with suppress(UserError, OptimizerError):
                programs[name] = _program(self.task, name, self.protocol, self.fingerprints[name], 1)
        baseline = _program(self.task, self.baseline, self.protocol, self.fingerprints[self.baseline], 1)
        return timing.measure(programs, self.settings, baseline)


def _own(task_specs: Iterable[str | Task], optimizer_specs: Iterable[str]) -> frozenset[str]:
    """Those of the specs that name somebody's code."""
    strange = {str(spec) for spec in task_specs if isinstance(spec, Task) or _names_code(_spec.parse(spec))}
    return frozenset(strange | {spec for spec in optimizer_specs if is_own(spec)})


def _names_code(spec: _spec.Spec) -> bool:
    return spec.is_path or spec.attr is not None


@dataclass(frozen=True)
class DiagnosticsJob:
    """What is recorded along one run of a cell, at the setting `hparams`, to an encoded `bench.traces.Trace`.

    `fingerprint` is the cell's, `made_from` what the trace is known by.
    """

    task: str | Task
    optimizer: str
    hparams: Mapping[str, float]
    protocol: Protocol
    fingerprint: str
    made_from: str

    @property
    def own(self) -> frozenset[str]:
        """Whose code runs beside the project's."""
        return _own([self.task], [self.optimizer])

    def __call__(self) -> bytes:
        """Compiles what this process has not yet, and records.

        Raises:
          UserError: the cell's code was changed.
        """
        from bench import diagnostics, traces

        program = _program(self.task, self.optimizer, self.protocol, self.fingerprint, 1)
        with _device():
            layers, arrays = diagnostics.trace(program, self.hparams)
        task = program.task
        meta = {
            "task": task.name,
            "optimizer": program.optimizer.name,
            "fingerprint": self.made_from,
            "cell": self.fingerprint,
            "hparams": dict(self.hparams),
            "layers": layers,
            "full_batch": task.batch_size in (None, program.data.rows),
            "schedule": self.protocol.schedule,
            "device": _kind(),
        }
        return traces.encode(traces.Trace(meta, arrays))


@dataclass(frozen=True)
class LandscapeJob:
    """The loss around the runs of two optimizers of a task, by specs, to an encoded `bench.traces.Landscape`.

    `settings` and `fingerprints` are those of their cells, in the same order.
    """

    task: str | Task
    optimizers: tuple[str, str]
    settings: tuple[Mapping[str, float], Mapping[str, float]]
    protocol: Protocol
    fingerprints: tuple[str, str]
    made_from: str

    @property
    def own(self) -> frozenset[str]:
        """Whose code runs beside the project's."""
        return _own([self.task], self.optimizers)

    def __call__(self) -> bytes:
        """Compiles what this process has not yet, and computes.

        Raises:
          UserError: a cell's code was changed.
        """
        from bench import diagnostics, traces

        first, second = (
            _program(self.task, name, self.protocol, known, 1)
            for name, known in zip(self.optimizers, self.fingerprints, strict=True)
        )
        with _device():
            arrays = diagnostics.landscape((first, second), self.settings)
        meta = {
            "task": first.task.name,
            "optimizers": [first.optimizer.name, second.optimizer.name],
            "fingerprint": self.made_from,
            "cells": list(self.fingerprints),
        }
        return traces.encode(traces.Landscape(meta, arrays))


def _kind() -> str:
    import jax

    return str(jax.devices()[0].device_kind)


@lru_cache(maxsize=128)
def _program(task_spec: str | Task, optimizer: str, protocol: Protocol, expected: str, lanes: int) -> "Program":
    """Compiles a cell, whose code must still be that of the fingerprint `expected`.

    Raises:
      UserError: it is not: a file was edited since the run began. Or an optimizer's updates do not fit its parameters.
    """
    from bench import checks, tasks
    from bench.program import compile_program
    from bench.sweep import searched
    from optimizers import _bare

    task, loaded = tasks.get(task_spec, protocol.steps), _bare.get(optimizer)
    if fingerprint(task, optimizer, protocol) != expected:
        raise UserError(f"the code of {loaded.name} on {task.name} was changed while the run went on; run again")
    if problem := "" if is_listed(optimizer) else checks.fits(loaded):
        raise UserError(f"{loaded.name}: {problem}")
    return compile_program(task, searched(loaded, protocol), protocol, lanes)


def needs(program: "Program") -> int:
    """Bytes that a call of a program takes beside the data that it is given, as XLA laid it out."""
    return max(_laid_out(program.call), _laid_out(program.evaluator))


def _laid_out(compiled: Any) -> int:
    laid = compiled.memory_analysis()
    return 0 if laid is None else int(laid.temp_size_in_bytes + laid.output_size_in_bytes)


def room() -> float:
    """Bytes that this process may still take where its programs run; infinite where there is no bound."""
    import jax

    if platform() != "cpu":
        stats = jax.local_devices()[0].memory_stats() or {}
        return float(stats["bytes_limit"] - stats["bytes_in_use"]) if "bytes_limit" in stats else float("inf")
    return machine.allowance()


@contextmanager
def scratch(spec: str) -> Iterator[None]:
    """An empty working directory for somebody's code.

    Raises:
      UserError: something was written into it.
    """
    before, number = Path.cwd(), os.getpid()
    folder = workplace(number)
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier process of this number, which was killed
    folder.mkdir()
    os.chdir(folder)
    try:
        yield
        if written := sorted(path.name for path in folder.iterdir()):
            raise UserError(
                f"the code of {spec} wrote {', '.join(written[:3])} into its working directory; an optimizer writes "
                "no files"
            )
    finally:
        if os.getpid() == number:  # and not a copy of it, made by that code
            os.chdir(before)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _device() -> Iterator[None]:
    """One worker's turn on an accelerator: two that compute at once slow each other down more than they gain, while
    others may compile. On a CPU each has a core of its own."""
    if platform() == "cpu":
        yield
    else:
        device = os.environ.get("CUDA_VISIBLE_DEVICES", "all").replace(",", "-")
        with FileLock(paths.cache() / f"accelerator-{socket.gethostname()}-{device}.lock", poll_interval=0.005):
            yield
