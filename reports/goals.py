"""The table of microbenchmarks: what was measured beside what it should be."""

from collections.abc import Sequence

import numpy as np

from bench.microbench.results import SUITES, Figure, Microbench


def table(measured: Microbench) -> list[tuple[str, str, str, str]]:
    """(what, figure, goal, verdict) of every figure; of suites with many, of the median and of the farthest from it."""
    rows = []
    for suite in (name for name in SUITES if name != "parts"):
        figures = [figure for figure in measured.figures if figure.suite == suite]
        groups: dict[str, list[Figure]] = {}
        for figure in figures:
            group = figure.name.rpartition("-")[2] if suite == "updates" else "" if suite == "compile" else figure.name
            groups.setdefault(group, []).append(figure)
        for group, members in groups.items():
            rows.append(_row(f"{suite} {group}".strip(), members))
    return rows


def _row(name: str, members: Sequence[Figure]) -> tuple[str, str, str, str]:
    first = members[0]
    if len(members) == 1:
        return name, f"{first.figure:.2f}{first.goal.unit}", first.asked, first.verdict
    passed = sum(figure.verdict == "pass" for figure in members)
    worst = (max if first.goal.at_most is not None else min)(members, key=lambda figure: figure.figure)
    middle = float(np.median([figure.figure for figure in members]))
    said = f"median {middle:.2f}{first.goal.unit}, worst {worst.figure:.2f}{first.goal.unit} ({worst.name})"
    return name, said, first.asked, f"{passed} of {len(members)} pass"
