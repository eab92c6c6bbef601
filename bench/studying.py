"""A planned study computed: which runs it is, what these will take, and what is transferred.

Those of one protocol are one folder in the study's, and go through the same sweep and records as every run.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

import optimizers
from bench import axes, experiment, forecast, grid, runner, studied
from bench.costs import Speed
from bench.errors import UserError
from bench.experiment import Gather, Watcher
from bench.grid import Grid
from bench.studied import Description, Point, Studied
from bench.study import BASE_ONLY, Setup, Study, is_number
from bench.tasks.mlp import Mlp

SUITE = "core"
DIGITS = 6  # of a setting that is transferred
PAGE_S = 10.0  # that the page takes

Settings = Sequence[Mapping[str, Mapping[str, float]]]  # for each value {optimizer: setting}


def describe(study: Study, settings: Settings = ()) -> Description:
    """What is kept of a study, with the settings tuned at each value, where they are known and transferred."""
    axis, first = study.axis, study.setups[0]
    moved = [_point(made, name) for name, group in _transferred(study, settings).items() for made in group]
    settled = [_point(made, name) for name, group in _settled(study, settings).items() for made in group]
    settled[study.base : study.base] = moved[study.base : study.base + 1]  # at the base the two are one
    return Description(
        axis=axis.name, label=axis.label, shows=axis.shows, scale=axis.scale, comparable=axis.comparable,
        caution=axis.caution, task=study.task.name, metric=study.task.metric, base=study.base, own=study.own,
        tuned=first.protocol.trials > 1, optimizers=study.names,
        points=[_point(made, folder(study, made, "retuned")) for made in study.setups],
        protocol=asdict(first.protocol), replicates=first.protocol.replicates, seeds=first.protocol.seeds,
        transferred=moved, settled=settled, settings=settings,
    )  # fmt: skip


def _point(made: Setup, run: str) -> Point:
    rows = made.task.source.rows()[0] if isinstance(made.task, Mlp) else 0
    if isinstance(made.task, Mlp) and not made.task.missing() and made.task.preprocessing:
        rows = len(made.task.table().train)
    value = made.value if is_number(made.value) else str(made.value)
    names = {name: optimizers.parse(spec).name for name, spec in made.specs.items()}
    return Point(value, made.text, made.task.name, run, names, made.task.steps, made.task.batch_size or rows, rows)


def folder(study: Study, made: Setup, kind: str) -> str:
    """The folder of a value's results, in the study's: one for each protocol."""
    return kind if study.axis.protocol is None else f"{kind}-{_fit(made.text)}"


def grids(study: Study, settings: Settings = ()) -> dict[str, Grid]:
    """{folder in the study's: what is run in it}: settings tuned at each value, and if they are known and transferred
    those that were tuned at the base and at each value, as they are."""
    groups = _groups(study, "retuned") | _transferred(study, settings) | _settled(study, settings)
    return {name: _grid(group) for name, group in groups.items() if any(made.specs for made in group)}


def _groups(study: Study, kind: str) -> dict[str, list[Setup]]:
    found: dict[str, list[Setup]] = {}
    for made in study.setups:
        found.setdefault(folder(study, made, kind), []).append(made)
    return found


def _transferred(study: Study, settings: Settings) -> dict[str, list[Setup]]:
    """All values with the settings tuned at the base."""
    if not (study.transfer and settings):
        return {}
    groups = _groups(study, "transferred")
    return {name: [_settle(made, settings[study.base]) for made in group] for name, group in groups.items()}


def _settled(study: Study, settings: Settings) -> dict[str, list[Setup]]:
    """Each value but the base with the settings tuned there, in a folder of its own, as optimizers are run on all tasks
    of one."""
    if not (study.transfer and settings):
        return {}
    own = [(made, _settle(made, settings[v])) for v, made in enumerate(study.setups) if v != study.base]
    return {f"settled-{_fit(made.text)}": [settled] for made, settled in own}


def _settle(made: Setup, settings: Mapping[str, Mapping[str, float]]) -> Setup:
    """The same with whole settings fixed, to DIGITS, so that nothing is left to search."""
    specs = {
        name: axes.fixed(made.specs[name], **{key: float(f"{value:.{DIGITS}g}") for key, value in own.items()})
        for name, own in settings.items()
    }
    return replace(made, specs=specs, protocol=replace(made.protocol, trials=1))


def _fit(text: str) -> str:
    return text.replace("/", ":").replace("\\", ":")


def _grid(group: Sequence[Setup]) -> Grid:
    specs = list(dict.fromkeys(spec for made in group for spec in made.specs.values()))
    turned = list({made.task.name: made.sent for made in group}.values())
    return grid.resolve(SUITE, turned, specs, **asdict(group[0].protocol))


def tuned(done: Studied) -> list[dict[str, dict[str, float]]]:
    """For each value {optimizer: the setting tuned there}: of the replicate whose learning rate, chosen by validation
    loss, is the median, so that the luck of one search decides less."""
    return [_tuned(done, point) for point in done.about.points]


def _tuned(done: Studied, point: Point) -> dict[str, dict[str, float]]:
    found = {}
    for name in done.about.optimizers:
        chosen = [unit.chosen_hparams("valid") for unit in done.records(point, name)]
        if chosen and chosen[0]:
            rates = [setting.get("learning_rate", 1.0) for setting in chosen]
            found[name] = chosen[int(np.argsort(rates)[(len(rates) - 1) // 2])]
    return found


# What is computed, and what that takes


def predict(study: Study, out: Path, workers: int, speed: Speed) -> float:
    """Seconds that what a folder lacks of a study will take, page included."""
    settings: Settings = ()
    with suppress(UserError):
        settings = studied.read(out).settings
    if len(settings) != len(study.setups):  # not known before they are tuned: as many, and as the paper has them
        settings = [{name: {} for name in study.names}] * len(study.setups)
    total = 0.0
    for name, asked in grids(study, settings).items():
        missing: dict[tuple[str, str], list[int | None]] = {}
        for unit in runner.plan(out / name, asked, asked.fingerprints()).missing:
            missing.setdefault(unit.cell, []).append(None)
        if missing:
            total += forecast.forecast(asked, missing, {}, workers, speed).sweep_s
    return total + PAGE_S if total else 0.0


def run(
    study: Study, out: Path, workers: int | None = None, watcher: Watcher | None = None, timeout: float = 600.0
) -> Studied:
    """Computes what a folder lacks of a study, and the settings tuned at the base at all values if that is asked for.

    Raises:
      UserError: the folder cannot be written or holds something else.
      KeyboardInterrupt: the watcher had it stop.
    """
    _check_folder(study, out)
    studied.write(out, describe(study))
    with experiment.kept(workers) as gather:
        retuned = grids(study)
        for name, asked in retuned.items():
            _complete(out / name, asked, gather, workers, watcher, timeout)
        done = studied.load(out)
        if not study.transfer:
            return done
        settings = tuned(done)
        if not any(settings):
            raise UserError(f"study {study.axis.name}: {BASE_ONLY}, and nothing of these optimizers is; leave it out")
        studied.write(out, describe(study, settings))
        for name, asked in grids(study, settings).items():
            if name not in retuned:
                _complete(out / name, asked, gather, workers, watcher, timeout)
        return studied.load(out)


def replaced(study: Study, out: Path) -> str:
    """What the study in a folder has beyond this one, and so leaves its page; empty if nothing."""
    try:
        before = studied.read(out)
    except UserError:
        return ""
    asked = describe(study)
    texts = {point.text for point in asked.points}
    gone = [
        *(name for name in before.optimizers if name not in asked.optimizers),
        *(point.text for point in before.points if point.text not in texts),
        *(["what was transferred"] if before.transferred and not study.transfer else []),
    ]
    return ", ".join(gone)


def _check_folder(study: Study, out: Path) -> None:
    """Refuses a folder that holds another study, whose description would be lost.

    Raises:
      UserError: it does.
    """
    try:
        before = studied.read(out)
    except UserError:  # none, or one that is made anew
        return
    first, *others = (asdict(made.protocol) for made in study.setups)
    free = {"replicates", "seeds"} | {name for one in others for name in first if one[name] != first[name]}
    held = {name: value for name, value in first.items() if name not in free}
    there, wanted = (
        [f"{one.axis} on {one.task}", *(f"{name} {own.get(name)}" for name in held)]
        for one, own in ((before, before.protocol), (describe(study), held))
    )
    if there != wanted:
        differ = [(one, other) for one, other in zip(there, wanted, strict=True) if one != other]
        holds, asked = (", ".join(words) for words in zip(*differ, strict=True))
        raise UserError(f"{out} holds another study: {holds}, and this one is {asked}; choose another with --out")


def _complete(
    out: Path, asked: Grid, gather: Gather, workers: int | None, watcher: Watcher | None, timeout: float
) -> None:
    experiment.run(
        SUITE, list(asked.specs.values()), list(asked.optimizers.values()), out=out, workers=workers, watcher=watcher,
        timeout=timeout, timed=False, gather=gather, **asdict(asked.protocol),
    )  # fmt: skip


def usual_folder(axis: str, task: str) -> Path:
    """Where a study is kept if no other place is named."""
    return Path("runs") / "study" / f"{task}-{axis}"
