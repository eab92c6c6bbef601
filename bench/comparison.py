"""A comparison: newcomers run as the baselines were, and both as one set of results.

Only what there are no baselines for is run, with as many replicates as these have, which is decided before anything is
known: adding replicates until a difference shows would find one in most equals. Step times are taken anew, of newcomers
and rivals in the same rounds.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import optimizers
from bench import baseline, catalogue, experiment
from bench.baseline import Baseline
from bench.errors import UserError
from bench.experiment import Watcher
from bench.grid import Grid, resolve
from bench.records import Record
from bench.results import Results
from optimizers import OptimizerError

PROBE = ("breast_cancer", "adam")  # what is run again to see that training is what it was; cheap, in every suite
CLOSE = 0.05  # in log loss: rounding on another processor is less, another rule or data more

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """What a comparison has to say something about.

    Attributes:
      results: newcomers first, then rivals and the suite's other optimizers, as far as their baselines stand.
      newcomers, rivals: names; every newcomer is compared with every rival.
      unfit: {name: why its baselines do not stand}, of those that were asked for or are in the suite.
    """

    results: Results
    newcomers: Sequence[str]
    rivals: Sequence[str]
    unfit: Mapping[str, str]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All that is compared at once."""
        return [(newcomer, rival) for newcomer in self.newcomers for rival in self.rivals]


def compare(
    specs: Sequence[str],
    against: Sequence[str],
    suite: str = "core",
    out: Path | None = None,
    watcher: Watcher | None = None,
    tell: Tell = lambda words: None,
    **options: Any,
) -> Comparison:
    """Runs what is missing for a comparison of `specs` with the rivals `against`.

    Args:
      out: folder of the comparison; see `folder_of`.
      tell: is told what is being done, a line at a time.
      options: `workers` and `timeout`, as `bench.experiment.run` has them.

    Raises:
      UserError, OptimizerError: a name is wrong, or one is on both sides.
    """
    newcomers, rivals = (_named(those) for those in (specs, against))
    if both := sorted(set(newcomers) & set(rivals)):
        raise UserError(f"{', '.join(both)} cannot be compared with itself; a copy under another name can")
    grid = resolve(suite, None, [*newcomers.values(), *rivals.values()], replicates=baseline.REPLICATES)
    folder = out or folder_of(list(newcomers))
    usual = {name: name for name in resolve(suite).optimizers if name not in rivals}
    stored, unfit = _standing(grid, {**newcomers, **rivals, **usual}, folder, tell, options)
    lacking = {name: spec for name, spec in {**newcomers, **rivals}.items() if name not in stored}
    units: list[Record] = []
    manifest: dict[str, Any] = {}
    if lacking:
        tell(f"running {', '.join(lacking)} as the baselines were run: {baseline.REPLICATES} replicates on every task")
        column = experiment.run(
            suite, optimizers=list(lacking.values()), out=folder / "column", replicates=baseline.REPLICATES,
            watcher=watcher, timed=False, **options,
        )  # fmt: skip
        units, manifest = list(column.units), dict(column.manifest)
    tell("measuring step times side by side")
    times = experiment.run(
        suite, optimizers=list(grid.optimizers.values()), out=folder / "times", replicates=1, trials=1, seeds=1,
        watcher=watcher, **options,
    )  # fmt: skip
    names = [*newcomers, *rivals, *(name for name in usual if name in stored and name not in newcomers)]
    units += [record for name in names if name in stored for record in stored[name].records]
    return Comparison(
        _merged(folder, grid, names, units, manifest, times), list(newcomers), list(rivals),
        {name: why for name, why in unfit.items() if name not in newcomers or name in baseline.names(suite)},
    )  # fmt: skip


def folder_of(names: Sequence[str]) -> Path:
    """Where a comparison of newcomers is kept: runs/compare/NAME."""
    written = "+".join(names)
    name = re.sub(r"[^A-Za-z0-9_]+", "_", written).strip("_")
    digest = hashlib.sha256(written.encode()).hexdigest()[:6]
    return Path("runs/compare") / (name if name == written else f"{name[:60]}_{digest}")


def _named(specs: Sequence[str]) -> dict[str, str]:
    """{name in records: spec}.

    Raises:
      UserError: two have one name, or there are none.
    """
    named = {optimizers.parse(spec).name: spec for spec in specs}
    if not named or len(named) < len(specs):
        raise UserError(f"optimizers must be named once each, not {', '.join(specs) or 'none'}")
    return named


def _standing(
    grid: Grid, specs: Mapping[str, str], folder: Path, tell: Tell, options: Mapping[str, Any]
) -> tuple[dict[str, Baseline], dict[str, str]]:
    """The baselines that stand, by name, and why others do not."""
    stored, unfit = {}, {}
    for name in specs:
        found = baseline.load(grid.suite.name, name) if name in baseline.names(grid.suite.name) else None
        if found is None:
            unfit[name] = "there are no baselines of it"
        elif why := _changed(found, grid):
            unfit[name] = why
        else:
            stored[name] = found
    if stored and (why := _otherwise(grid, folder, tell, options)):
        unfit |= dict.fromkeys(stored, why)
        stored = {}
    return stored, unfit


def _changed(found: Baseline, grid: Grid) -> str:
    """Why a baseline does not stand for the optimizer as it is now; empty if it does."""
    if why := baseline.unfit(found, grid.tasks, grid.protocol):
        return why
    if found.code == catalogue.code(found.optimizer):
        return ""
    from bench.behaviour import alike, behaviour

    try:
        now = optimizers.get(found.optimizer)
        if {name: str(law) for name, law in now.space.items()} != dict(found.records[0].meta["space"]):
            return "it was searched in another space"
        return "" if alike(behaviour(now), found.behaviour) else "it behaves otherwise now"
    except OptimizerError as error:
        return str(error)


def _otherwise(grid: Grid, folder: Path, tell: Tell, options: Mapping[str, Any]) -> str:
    """Why no baseline stands: training here is not what it was; empty if one cell comes out as it did."""
    task, name = PROBE
    known = baseline.load(grid.suite.name, name)
    before = None if known is None else next((r for r in known.records if r.cell == PROBE), None)
    if before is None:
        return ""
    tell("checking that the baselines come out here as they did")
    again = experiment.run(
        grid.suite.name, [task], [name], folder / "probe", replicates=1, timed=False, **options
    ).cell(*PROBE)
    if not again:
        return f"{name} on {task} could not be run again"
    one, other = (np.log(np.maximum(r.arrays["search/train/loss"], r.meta["floor"])) for r in (again[0], before))
    apart = float(np.median(np.abs(one - other).max(axis=1)))
    changed = f"training computes something else than when it was made ({name} on {task} is {apart:.2g} off)"
    return "" if apart <= CLOSE else changed


def _merged(
    folder: Path, grid: Grid, names: Sequence[str], units: Sequence[Record], manifest: Mapping[str, Any], times: Results
) -> Results:
    tasks = [task.name for task in grid.tasks]
    place = {cell: index for index, cell in enumerate((task, name) for task in tasks for name in names)}
    units = sorted(units, key=lambda unit: (place[unit.cell], unit.meta["replicate"]))
    about = {
        **times.manifest, "protocol": grid.protocol.identity, "replicates": baseline.REPLICATES,
        "seeds": grid.protocol.seeds, "tasks": tasks, "optimizers": list(names), "wall": {},
        "failed": {**manifest.get("failed", {})}, "skipped": dict(times.manifest.get("skipped", {})),
    }  # fmt: skip
    return Results(folder, about, units, {}, times.timings)
