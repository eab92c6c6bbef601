"""Experiments to folders of runs: what is run together, and where its records are found again.

The tasks of an experiment have one name, so that their starts are the same; those of one name cannot be in one folder,
so an experiment's first task goes into one, its second into the next. Experiments that share optimizers, protocol and
replicates share folders, as workers are started for each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.experiment import Watcher, kept, run
from bench.results import Results
from bench.rules.judging import Records
from bench.rules.nouns import Arm, Experiment, Rule
from bench.task import Task
from optimizers import parse

PILOT = 8  # replicates


@dataclass(frozen=True)
class Batch:
    """A folder: tasks times optimizers under one protocol."""

    folder: str
    optimizers: tuple[str, ...]
    protocol: Mapping[str, int]
    tasks: list[Task] = field(default_factory=list)


def piloted(rules: Sequence[Rule]) -> list[Rule]:
    """The same rules for the pilot: other names, and so other seeds, and PILOT replicates."""
    return [
        replace(
            rule,
            name=f"pilot_{rule.name}",
            experiments=tuple(replace(experiment, replicates=PILOT) for experiment in rule.experiments),
        )
        for rule in rules
    ]


def batches(rules: Sequence[Rule]) -> list[Batch]:
    """The folders that the experiments of rules need."""
    found: dict[str, Batch] = {}
    for rule in rules:
        for experiment in rule.experiments:
            for place, (task, specs) in enumerate(_places(experiment)):
                protocol = {**experiment.protocol, "replicates": experiment.replicates}
                folder = _folder(specs, protocol, place)
                batch = found.setdefault(folder, Batch(folder, specs, protocol))
                batch.tasks.append(Arm(task, "").named(rule.task_name(experiment)))
    return list(found.values())


@dataclass(frozen=True)
class Performed:
    """What experiments left.

    Attributes:
      records: by (rule, experiment) and arm.
      manifests: of their folders.
    """

    records: Mapping[tuple[str, str], Records]
    manifests: Sequence[Mapping[str, Any]]

    @property
    def failed(self) -> dict[str, str]:
        """{unit or task: why it is not there}."""
        return {name: why for m in self.manifests for of in ("failed", "skipped") for name, why in m[of].items()}


def perform(rules: Sequence[Rule], out: Path, workers: int | None = None, watcher: Watcher | None = None) -> Performed:
    """Runs what is missing of the experiments.

    Raises:
      UserError: a folder cannot be written, or holds results of another protocol.
    """
    done: dict[str, Results] = {}
    with kept(workers) as gather:
        for batch in batches(rules):
            how: dict[str, Any] = dict(batch.protocol)
            done[batch.folder] = run(
                "core", tasks=batch.tasks, optimizers=list(batch.optimizers), out=out / batch.folder, workers=workers,
                watcher=watcher, timed=False, gather=gather, **how,
            )  # fmt: skip
    records = {
        (rule.name, experiment.name): dict(_records(rule, experiment, done))
        for rule in rules
        for experiment in rule.experiments
    }
    return Performed(records, [results.manifest for results in done.values()])


def _records(rule: Rule, experiment: Experiment, done: Mapping[str, Results]) -> Iterator[tuple[str, list[Any]]]:
    places = _places(experiment)
    for name, arm in experiment.arms.items():
        place, specs = next((i, specs) for i, (task, specs) in enumerate(places) if task == arm.task)
        protocol = {**experiment.protocol, "replicates": experiment.replicates}
        results = done[_folder(specs, protocol, place)]
        yield name, results.cell(rule.task_name(experiment), parse(arm.optimizer).name)


def _places(experiment: Experiment) -> list[tuple[Task | str, tuple[str, ...]]]:
    """The tasks of an experiment, each with the optimizers that it is run with."""
    found: dict[Task | str, list[str]] = {}
    for arm in experiment.arms.values():
        found.setdefault(arm.task, []).append(arm.optimizer)
    return [(task, tuple(specs)) for task, specs in found.items()]


def _folder(optimizers: tuple[str, ...], protocol: Mapping[str, int], place: int) -> str:
    numbers = "-".join(f"{value}{name[0]}" for name, value in sorted(protocol.items()))
    return f"{'+'.join(optimizers)}--{numbers}--{place}"
