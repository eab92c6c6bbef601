"""What a comparison says, of small made-up runs: words, numbers for programs, and the head of the page."""

import json
from pathlib import Path

import pytest

from bench.comparison import Comparison
from bench.results import Results
from reports import comparison
from tests.test_page import content
from tests.test_reports import OPTIMIZERS, diverge, odd_runs, record, run


def compared(
    results: Results, newcomers: tuple[str, ...] = ("adam",), rivals: tuple[str, ...] = ("sgd",)
) -> Comparison:
    return Comparison(results, newcomers, rivals, {"lion": "there are no baselines of it"})


@pytest.fixture
def eight(tmp_path: Path) -> Comparison:
    return compared(run(tmp_path, replicates=8))


def test_a_better_one_is_said_to_be(eight: Comparison) -> None:
    said = comparison.lines(comparison.told(eight))
    assert said[:2] == ["adam beside sgd", "  optimization: BETTER"]
    text = "\n".join(said)
    assert "task by task: better on all 2" in text
    assert "on tasks like these: no difference shown" in text
    assert "so few data sets could show none" in text
    assert "adam among 2 others" in text
    assert "A step takes 1.08 times as long" in text
    assert "Its state is 2.0 times the parameters; sgd's is 2.0 times." in text
    assert "baselines not used: lion: there are no baselines of it" in text


def test_page_and_file_hold_the_same(eight: Comparison) -> None:
    told = comparison.told(eight)
    index = comparison.make(told)
    html, kept = index.read_text(), json.loads((index.parent / "verdict.json").read_text())
    assert "Is adam better?" in html
    assert html.index("panel-verdict") < html.index("panel-answer")
    data = content(html)
    assert [data["optimizers"][o]["name"] for o in data["newcomers"]] == ["adam"]
    by_board = {duel["board"]: duel for duel in kept["duels"]}
    for effect in data["effects"]:
        verdicts = by_board[effect["board"]]["tasks"]
        assert effect["said"] == [verdicts[task]["said"] for task in effect["tasks"]]
    assert by_board["optimization"]["these_tasks"]["said"] == "better"
    for pair in told.compared:
        for board in pair["boards"]:
            assert board["here"][1:] in html.replace("&lt;", "<").replace("&#39;", "'")


def test_several_are_said_to_be_corrected_for(tmp_path: Path) -> None:
    told = comparison.told(compared(run(tmp_path, replicates=8), ("adam", "momentum"), ("sgd",)))
    said = comparison.lines(told)
    assert "adam beside sgd" in said
    assert "momentum beside sgd" in said
    assert any("Holm-corrected for the 2 pairs compared" in words for words in said)


@pytest.mark.parametrize("name", [name for name, results in odd_runs(Path()).items() if len(results.optimizers) > 1])
def test_odd_results_get_a_verdict(name: str, tmp_path: Path) -> None:
    told = comparison.told(compared(odd_runs(tmp_path)[name]))
    assert comparison.lines(told)
    assert comparison.make(told).stat().st_size > 1_000_000


def test_one_that_never_learns_is_told_where_to_look(tmp_path: Path) -> None:
    cells = [(task, name, replicate) for task in ("flowers", "prices") for name in OPTIMIZERS for replicate in range(4)]
    units = [record(*cell) for cell in cells]
    lost = [diverge(unit) if unit.meta["optimizer"] == "adam" else unit for unit in units]
    said = comparison.lines(comparison.told(compared(run(tmp_path, lost, replicates=4))))
    assert (
        "  next: No trial ends below its starting loss: look at the sign of its updates, and at how large they are."
        in said
    )
    assert "  optimization: WORSE" in said
