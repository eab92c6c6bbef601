"""What a study left: its description and its records, as one object that pages and tables are made from.

STUDY/study.json        what was turned, at which values, and in which runs the results are
STUDY/retuned/          a run, as `bench.results` reads it, of all values with settings tuned at each; where the axis is
                        of the protocol there is one a value: STUDY/retuned-cosine/
STUDY/transferred/      the same with one setting tuned at the base value, where that was asked for
STUDY/settled-64/       beside it one that was tuned at the value itself
STUDY/report/           made from these alone
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import results
from bench.errors import UserError
from bench.files import Unreadable, json_of, write_atomically
from bench.layout import unfit_name
from bench.records import Record
from bench.results import Results

FILE = "study.json"
SCHEMA = 2


@dataclass(frozen=True)
class Point:
    """One value of a study.

    Attributes:
      value: as a number, or as it is written.
      text: as it is shown.
      task: name of its task in records.
      run: folder of its results, in the study's.
      optimizers: {name in the study: name in records}.
      steps, batch, rows: budget in gradient evaluations, rows of a step, training rows; 0 for what is not known.
    """

    value: Any
    text: str
    task: str
    run: str
    optimizers: Mapping[str, str]
    steps: int
    batch: int
    rows: int


@dataclass(frozen=True)
class Description:
    """What a study is; see `bench.axes.Axis` for what its axis says.

    Attributes:
      task: the task that is turned.
      metric: the task's own.
      base: place of the value that the task has itself, else of the first.
      own: whether the base is the task's own value.
      optimizers: names in the study.
      points: the values in order.
      transferred, settled: the same values with one setting for all replicates, tuned at the base or at the value
        itself; empty if they were not asked for.
      settings: for each value {optimizer: the setting tuned there}, that of its median learning rate.
      protocol: of the searches.
    """

    axis: str
    label: str
    shows: str
    scale: str
    comparable: bool
    caution: str
    task: str
    metric: str
    base: int
    own: bool
    tuned: bool
    optimizers: Sequence[str]
    points: Sequence[Point]
    protocol: Mapping[str, Any]
    replicates: int
    seeds: int
    transferred: Sequence[Point] = ()
    settled: Sequence[Point] = ()
    settings: Sequence[Mapping[str, Mapping[str, float]]] = ()

    @property
    def all_points(self) -> Sequence[Point]:
        """The values, however they were tuned."""
        return (*self.points, *self.transferred, *self.settled)


@dataclass(frozen=True)
class Studied:
    """A study's description with its runs, by folder."""

    folder: Path
    about: Description
    runs: Mapping[str, Results]

    def records(self, point: Point, optimizer: str) -> list[Record]:
        """The records of one optimizer at one value, by replicate; empty where there are none."""
        run = self.runs.get(point.run)
        return run.cell(point.task, point.optimizers[optimizer]) if run and optimizer in point.optimizers else []

    @cached_property
    def failed(self) -> dict[str, str]:
        """{unit or file: what is wrong with it}, of all runs."""
        found: dict[str, str] = {}
        for run in self.runs.values():
            found |= {**run.manifest["failed"], **run.manifest.get("skipped", {}), **run.damaged}
        return found


def write(folder: Path, about: Description) -> None:
    """Writes a study's description."""
    write_atomically(folder / FILE, (json.dumps({"schema": SCHEMA, **asdict(about)}, indent=1) + "\n").encode())


def describe(fields: Mapping[str, Any]) -> Description:
    """The description that `write` wrote."""
    points = {name: [Point(**point) for point in fields[name]] for name in ("points", "transferred", "settled")}
    told = {name: value for name, value in fields.items() if name != "schema"}
    return Description(**{**told, **points})


def read(folder: Path) -> Description:
    """Reads the description of the study in a folder.

    Raises:
      UserError: there is none in it, or one that cannot be read.
    """
    path = folder / FILE
    try:
        fields = json_of(path)
        if fields["schema"] != SCHEMA:
            raise UserError(f"{path} is of another version of optgrid; the same `optgrid study` makes it anew")
        about = describe(fields)
    except FileNotFoundError:
        raise UserError(f"there is no study in {folder}; `optgrid study AXIS --out {folder}` makes one") from None
    except (Unreadable, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is damaged; the same `optgrid study` makes it anew: finished units are kept"
        ) from error
    if any(unfit_name(point.run) for point in about.all_points):
        raise UserError(f"{path} names runs that are none of its own; the same `optgrid study` makes it anew")
    return about


def load(folder: Path) -> Studied:
    """Reads a study's folder.

    Raises:
      UserError: there is no study in it, or one that cannot be read.
    """
    about = read(folder)
    names = dict.fromkeys(point.run for point in about.all_points)
    return Studied(folder, about, {name: results.load(folder / name) for name in names if (folder / name).is_dir()})
