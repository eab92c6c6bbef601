"""What the suites measured and what it should be, read from the files that pytest-benchmark writes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError

SUITES = {
    "cells": "whole cells of the reference task, our speed beside others' on the whole machine",
    "updates": "one update, our speed beside optax's on one core",
    "compile": "compiling a program on one core",
    "peak": "arithmetic, as a share of the peak of a matrix product",
    "parts": "where a step of the reference task goes, on one core",
    "startup": "commands with nothing to compute",
}


@dataclass(frozen=True)
class Goal:
    """What a measurement should show.

    Attributes:
      at_least, at_most: bounds of the figure; None where there is none.
      beyond: what the next step would be, for the record.
      unit: "x" for how many times a peer's speed ours is, or the figure's own unit.
    """

    at_least: float | None = None
    at_most: float | None = None
    beyond: float | None = None
    unit: str = "x"

    def holds(self, figure: float) -> bool:
        """Whether the figure is within the bounds."""
        return (self.at_least is None or figure >= self.at_least) and (self.at_most is None or figure <= self.at_most)


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
      suite: which of SUITES.
      name: what was measured.
      figure, low, high: median and range of the rounds, in the goal's unit.
      goal: what it should be.
      more: what else was kept: `ours`, `theirs` and `ratios` where two sides were measured.
    """

    suite: str
    name: str
    figure: float
    low: float
    high: float
    goal: Goal
    more: Mapping[str, Any]

    @property
    def asked(self) -> str:
        """The goal in words: '>= 16x (22x)', the next step in brackets."""
        goal = self.goal
        bounds = ((goal.at_least, ">= {:g}{}"), (goal.at_most, "<= {:g}{}"), (goal.beyond, "({:g}{})"))
        return " ".join(words.format(bound, goal.unit) for bound, words in bounds if bound is not None)

    @property
    def verdict(self) -> str:
        """'pass' or 'short'; nothing where no bound was set."""
        if self.goal.at_least is None and self.goal.at_most is None:
            return ""
        return "pass" if self.goal.holds(self.figure) else "short"


@dataclass(frozen=True)
class Microbench:
    """A whole run of the suites.

    Attributes:
      figures: in the order in which they were measured.
      machine: `bench.machine.environment` of it.
      when: date and time, ISO 8601.
    """

    figures: Sequence[Figure]
    machine: Mapping[str, Any]
    when: str


def read(file: Path) -> Microbench:
    """A file of pytest-benchmark.

    Raises:
      UserError: it is none, or not of these suites.
    """
    try:
        content = json.loads(file.read_text())
        figures = [_figure(entry) for entry in content["benchmarks"]]
        return Microbench(figures, content["machine_info"]["optgrid"], content["datetime"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{file} holds no results of optgrid microbench ({why})") from error


def newest(folder: Path) -> Path | None:
    """The file of the last run that pytest-benchmark kept in a folder; None if there is none."""
    return max(folder.rglob("[0-9][0-9][0-9][0-9]_*.json"), key=lambda file: file.stat().st_mtime, default=None)


def _figure(entry: Mapping[str, Any]) -> Figure:
    match = re.fullmatch(r"bench_(\w+)\[(.*)\]", entry["name"], re.DOTALL)
    if match is None:
        raise ValueError(entry["name"])
    info = dict(entry["extra_info"])
    figure, low, high, goal = (info.pop(key) for key in ("figure", "low", "high", "goal"))
    return Figure(match[1], match[2], figure, low, high, Goal(**goal), info)
