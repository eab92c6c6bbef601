"""Best settings at the edges of their spaces: found, told, and got rid of by wider spaces."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import bench
import reports
from bench.edges import Edge, at_edge, edges
from bench.errors import UserError
from bench.experiment import Watcher
from bench.grid import Grid
from bench.protocol import Protocol
from bench.records import Record
from reports import boards, page, tables, words
from reports.marks import marks
from reports.rows import of_board
from tests import test_reports
from tests.toy import Quadratic

INSIDE = 0.5
EIGHT = tuple(n / 10 for n in range(1, 9))
NARROW = """
import optax
from optimizers._base import Optimizer
from optimizers._space import log_uniform

narrow = Optimizer(
    make=lambda learning_rate=1e-3: optax.sgd(learning_rate),
    space={"learning_rate": log_uniform(1e-4, 1e-2)},
    paper="none",
)
"""


def chosen(
    *places: float, others: Sequence[float] = (0.01, 0.99), ends: tuple[bool, bool] = (True, True)
) -> list[Record]:
    """Replicates whose chosen trial, the last, lies at these places."""
    return [
        Record(
            {},
            {
                "hparams/rate": np.ones(1 + len(others)),
                "position/rate": np.array([*others, place]),
                "open/rate": np.array(ends),
                "selected/train": np.array(len(others)),
            },
        )
        for place in places
    ]


@pytest.mark.parametrize(
    ("cell", "sides"),
    [
        (chosen(0.96, 0.99, 1.0), ["upper"]),
        (chosen(0.96, 0.99, 1.0, INSIDE, INSIDE), ["upper"]),  # three of five
        (chosen(0.02, 0.05, 0.0), ["lower"]),
        (chosen(0.96, 0.99, INSIDE), []),  # as two of three are by chance, once in seventy
        (chosen(0.96, INSIDE, INSIDE), []),
        (chosen(0.96, INSIDE), []),  # one of two is no majority
        (chosen(0.96, 0.02, INSIDE), []),  # two of three, but at two edges
        (chosen(0.96), []),  # one replicate shows nothing, nor do two
        (chosen(0.96, 0.99), []),
        (chosen(0.96, 0.99, 1.0, ends=(True, False)), []),
        (chosen(0.02, 0.01, 0.03, ends=(True, False)), ["lower"]),
        (chosen(0.9, 0.93, 0.88, others=EIGHT), ["upper"]),  # no trial lies beyond
        (chosen(0.9, 0.93, 0.75, others=EIGHT), []),
        (chosen(0.9, 0.93, 0.88, others=EIGHT, ends=(True, False)), []),
        (chosen(0.9, 0.93, others=(0.1, 0.8)), []),  # so few trials would be so by chance
        ([], []),
    ],
)
def test_where_the_edge_is(cell: list[Record], sides: list[str]) -> None:
    assert at_edge(cell, "train") == [("rate", side) for side in sides]


def test_a_search_of_nothing_has_no_edge() -> None:
    assert at_edge([Record({}, {"selected/train": np.array(0)})] * 3, "train") == []


def placed(replicate: int, optimizer: str, places: Sequence[float]) -> Record:
    """A unit of a made-up run that chose its third setting by training loss, its first by validation loss."""
    unit = test_reports.record("flowers", optimizer, replicate)
    where = {"position/learning_rate": np.array(places), "open/learning_rate": np.array([True, True])}
    return Record(unit.meta, {**unit.arrays, **where})


def test_a_report_says_what_is_at_an_edge(tmp_path: Path) -> None:
    at = {"sgd": [0.4, 0.1, 0.97, 0.6], "adam": [0.4, 0.1, 0.5, 0.6]}
    units = [placed(r, name, places) for name, places in at.items() for r in range(3)]
    results = test_reports.run(tmp_path, units, tasks=["flowers"], optimizers=list(at))
    assert edges(results) == [Edge("flowers", "sgd", "train", "learning_rate", "upper")]
    both = boards.boards(results)
    rows = boards.rows(results, both)
    told = {(row.board, row.optimizer): (row.edges, row.edge_of) for row in rows}
    assert told.pop(("optimization", "sgd")) == (1, "upper learning_rate")
    assert set(told.values()) == {(0, "")}
    first, second = (words.cautions(of_board(rows, name)) for name in tables.SUBJECTS)
    assert "sgd on 1 of 1 (upper learning_rate)" in first[-1]
    assert not any("edge" in said for said in second)
    assert "sgd on 1 of 1" in tables.to_markdown(rows, {board.name: marks(board) for board in both})
    html = page.render(results, rows)
    assert "the best learning_rate lies at the upper edge of its space (optimization)" in html


def test_of_records_that_do_not_tell_it_is_not_known(tmp_path: Path) -> None:
    results = test_reports.run(tmp_path)
    rows = boards.rows(results, boards.boards(results))
    assert edges(results) == []
    assert all(np.isnan(row.edges) for row in rows)
    assert {tables.cells(row)["edge"] for row in rows} == {"–"}
    assert "not known of results this old" in words.cautions(of_board(rows, "optimization"))[-1]


class Told(Watcher):
    """Keeps what it is told of edges."""

    def __init__(self) -> None:
        self.found: list[Sequence[Edge]] = []
        self.protocols: list[Protocol] = []
        self.folders: list[Path] = []
        self.computed: list[int] = []

    def planned(self, grid: Grid, plan: object) -> None:
        """Counts what was missing."""
        self.computed.append(len(plan.missing))  # type: ignore[attr-defined]

    def widening(self, found: Sequence[Edge], before: Path, grid: Grid, folder: Path) -> None:
        """Keeps it."""
        assert before.is_dir()
        self.found.append(found)
        self.protocols.append(grid.protocol)
        self.folders.append(folder)

    def widest(self, found: Sequence[Edge]) -> None:
        """Keeps it."""
        self.found.append(found)


@pytest.mark.slow
def test_spaces_are_widened_until_the_best_setting_is_inside(tmp_path: Path) -> None:
    file = tmp_path / "narrow.py"
    file.write_text(NARROW)
    asked = {"tasks": [Quadratic()], "optimizers": ["sgd", str(file)], "out": tmp_path / "run", "workers": 1}
    small = {"trials": 10, "replicates": 3, "seeds": 1}
    plain = bench.run("smoke", **asked, **small)
    assert Edge("quadratic", "narrow", "train", "learning_rate", "upper") in edges(plain)

    watcher = Told()
    widest = bench.run("smoke", **asked, **small, widen=True, watcher=watcher)
    assert watcher.folders == [tmp_path / f"run-widened-{n + 1}" for n in range(len(watcher.folders))]
    assert watcher.computed == [0, *[6] * len(watcher.folders)]
    assert [p.trials for p in watcher.protocols] == [17, 24, 30][: len(watcher.protocols)]
    assert "narrow" in {edge.optimizer for edge in watcher.found[0]}
    assert watcher.found[-1] == edges(widest)
    assert not [edge for edge in edges(widest) if edge.optimizer == "narrow"]
    assert widest.folder == watcher.folders[-1]
    protocol = watcher.protocols[-1]
    assert widest.manifest["protocol"] == protocol.identity
    assert {len(record.arrays["hparams/learning_rate"]) for record in widest.units} == {protocol.trials}
    assert max(record.chosen_hparams("train")["learning_rate"] for record in widest.units) > 0.01

    again = Told()
    assert bench.run("smoke", **asked, **small, widen=True, watcher=again).folder == widest.folder
    assert again.computed == [0] * len(watcher.computed)
    with pytest.raises(UserError, match="extensions 1 there, 0 asked"):
        bench.run("smoke", **{**asked, "out": watcher.folders[0]}, **small)

    reports.ensure(widest)
    console = Console(width=160, record=True)
    reports.print_boards(widest, console)
    assert "edge" in console.export_text()
