"""Settings that searches chose at the edge of their spaces, which then were too narrow to hold the best one.

A hyperparameter of a cell is at the edge of its law where the trials chosen in most replicates lie within its outer
ZONE on one side, or where in every replicate no other trial lies beyond the chosen one: with few trials even the
outermost is often further in than ZONE. Either counts only where it is less likely than CHANCE for a hyperparameter
that does not matter: a grid has a thousand ends, and one or two replicates show none. An end that is set by nature, as
0 for an averaging constant, is no edge.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.protocol import SELECTIONS
from bench.records import Record
from bench.results import Results

ZONE = 0.05  # of a law's probability
CHANCE = 0.002
SIDES = ("lower", "upper")


class Edge(NamedTuple):
    """One hyperparameter of a cell whose best values lie at one end of its law."""

    task: str
    optimizer: str
    selected_by: str
    hyperparameter: str
    side: str


def edges(results: Results) -> list[Edge]:
    """All of a run, by either selection; cells whose records do not tell have none."""
    return [
        Edge(task, optimizer, by, name, side)
        for task in results.tasks
        for optimizer in results.optimizers
        for by in SELECTIONS
        for name, side in at_edge(results.cell(task, optimizer), by)
    ]


def known(record: Record) -> bool:
    """Whether a record tells where its trials lie; those of earlier versions do not."""
    searched = [name for name in record.arrays if name.startswith("hparams/")]
    return all(name.replace("hparams", "position", 1) in record.arrays for name in searched)


def at_edge(cell: Sequence[Record], selected_by: str) -> list[tuple[str, str]]:
    """(hyperparameter, side) for each that is at the edge, of a cell's replicates."""
    told = [record for record in cell if known(record)]
    names = told[0].group("position") if told else ()
    return [(name, side) for name in names for side, at in zip(SIDES, _at(told, selected_by, name), strict=True) if at]


def _at(cell: Sequence[Record], selected_by: str, name: str) -> np.ndarray:
    """Whether the values chosen lie at the lower and the upper edge: bool (2,)."""
    near, outermost = np.zeros(2, int), np.zeros(2, int)
    chance = 1.0
    for record in cell:
        heights = record.arrays[f"position/{name}"]
        depths = np.stack([heights, 1.0 - heights])
        chosen = depths[:, int(record.arrays[f"selected/{selected_by}"])]
        near += chosen <= ZONE
        outermost += chosen <= depths.min(axis=1)
        chance /= len(heights)
    last = (outermost == len(cell)) & (chance <= CHANCE)
    most = (2 * near > len(cell)) & (np.array([_at_least(k, len(cell)) for k in near]) <= CHANCE)
    return np.asarray(cell[0].arrays[f"open/{name}"] & (most | last))


def _at_least(count: int, of: int) -> float:
    """The chance that so many of all replicates, or more, choose a trial in one ZONE though it does not matter."""
    return sum(math.comb(of, k) * ZONE**k * (1 - ZONE) ** (of - k) for k in range(count, of + 1))
