"""Sentences about boards, from rows made up for them."""

from typing import Any

import numpy as np
import pytest

from reports import tables, words
from reports.rows import Row


def row(optimizer: str, tier: int, **more: Any) -> Row:
    names = (
        *("score", "low", "high", "rank", "rank_low", "rank_high", "ert_ratio", "seconds_ratio", "iqm", "p"),
        *("step_ratio", "compile_s", "end_to_end_s", "state_ratio", "edges"),
    )
    counts = {"tasks": 8, "all_tasks": 8, "replicates": 3, "runs": 72, "diverged": 0, "missing": 0, "own_units": 0}
    unknown = dict.fromkeys(("detectable", "detectable_share", "p_like"), np.nan)
    values = dict.fromkeys(names, 0.0) | unknown | counts | {"data_sets": 8} | more
    return Row(board="optimization", tier=tier, optimizer=optimizer, edge_of="", **values)


def test_what_would_have_been_seen_in_words() -> None:
    several = [row(name, 1, detectable=0.314, detectable_share=0.12) for name in "ab"]
    assert words.cautions(several)[-1] == (
        "Optimization: not told apart is not equal; a difference of 0.31 in score, 12% of the loss on the median task, "
        "would have been seen four times in five."
    )
    assert (
        "difference of 0.31 in score would"
        in words.cautions([row(name, 1, detectable=0.314, detectable_share=4.0) for name in "ab"])[-1]
    )
    assert len(words.cautions(several[:1])) == 1  # with nobody to be told apart from


def test_units_of_the_run_itself_are_told() -> None:
    assert words.cautions([row("a", 1, own_units=8)])[-1].startswith("Scores are in units of this run")
    assert words.cautions([row("a", 1, own_units=2)])[-1].startswith("Scores on 2 of 8 tasks are in units of this run")


def test_what_verdicts_are_worth_in_words() -> None:
    rate = {"procedure": "tiers of a board", "replicates": 3, "names": 10, "share": 0.041, "low": 0.03, "high": 0.055}
    verdicts = {"false": [{**rate, "board": "speed"}, {**rate, "procedure": "other", "board": "none"}]}
    said = words.worth(verdicts, 3, 10)
    assert "one optimizer under 10 names, each with 3 replicates, some are told apart on 4.1% (3.0% to 5.5%) of" in said
    assert words.worth(verdicts, 3, 11) == words.worth(verdicts, 5, 10) == words.worth({}, 3, 10) == ""


def test_what_holds_on_tasks_like_these_in_words() -> None:
    def said(*p: float, data_sets: int = 12) -> str:
        rivals = [row(name, 1, p_like=value, data_sets=data_sets) for name, value in zip("bcd", p, strict=False)]
        return words.cautions([row("a", 1, p_like=np.nan, data_sets=data_sets), *rivals])[1]

    assert said(0.04, 0.06).endswith("b is told apart from a.")
    assert said(0.3, 0.06).endswith("none is told apart from a.")
    assert said(0.3, 0.06, data_sets=6).endswith("from a, and with 6 data sets and 2 rivals none could be.")


def test_answers_in_words() -> None:
    a, b, c, d = (row("a", 1), row("b", 1), row("c", 2), row("d", 0))
    assert words.answer([a, b, c, d]) == (
        "a has the best score on these 8 tasks; b is not told apart from it; c is worse."
    )
    assert words.answer([a, c]) == "a leads, and every other is told apart from it on these 8 tasks: c."
    assert "no other is told apart" in words.answer([a, b])
    assert "nothing to compare" in words.answer([a, d])
    assert "none is ranked" in words.answer([d])
    assert words.cautions([a, c, d])[1] == "Not ranked, for want of results on every task: d."
    assert "nobody leads" in words.answer([row(name, 1, runs=9, diverged=9) for name in "ab"])
    assert "9 others are worse" in words.answer([a, b, *[c] * 9])
    on_these = "Tiers are about these tasks; on others the order may differ."
    many = "With so many optimizers, up to about one in twenty of the differences found may be false."
    assert words.cautions([a, b])[0] == words.cautions([a, *[b] * 19])[0] == on_these
    assert many not in words.cautions([a, *[b] * 19])
    assert words.cautions([a, *[b] * 20])[:2] == [on_these, many]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.00236, "0.00236"),
        (2.36e-5, "2.4e-5"),
        (1.0, "1.00"),
        (123.4, "123"),
        (-0.5, "-0.500"),
        (5e7, "5.0e7"),
        (0.0, "0.00"),
        (np.nan, "–"),
        (np.inf, "diverged"),
    ],
)
def test_numbers(value: float, written: str) -> None:
    assert tables.number(value) == written
