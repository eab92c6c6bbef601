"""Looks: the same for an optimizer everywhere, told apart by all eyes, on light and dark grounds, in greyscale."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from bench.results import Results
from reports import boards, drawing, figures, looks
from tests.test_reports import run

NAMES = [f"optimizer{index}" for index in range(100)]
# Machado, Oliveira and Fernandes (2009), whole deficiency, of linear RGB.
EYES = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
APART = {"usual": 21, "protanopia": 13, "deuteranopia": 13, "tritanopia": 13}  # about 1 is just noticeable
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)


def linear(color: str) -> np.ndarray:
    values = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear RGB."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / TO_XYZ.sum(1)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """CIEDE2000 of two L*a*b* (Sharma, Wu and Dalal, 2005, Color Res. Appl. 30:21-30)."""
    grey = (np.hypot(*one[1:]) + np.hypot(*other[1:])) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(grey**7 / (grey**7 + 25.0**7)))
    chroma = np.array([np.hypot(stretch * x[1], x[2]) for x in (one, other)])
    hue = np.array([np.degrees(np.arctan2(x[2], stretch * x[1])) % 360 for x in (one, other)])
    turn = (hue[1] - hue[0] + 180) % 360 - 180
    light, middle, h = (one[0] + other[0]) / 2, chroma.mean(), np.radians(hue[0] + turn / 2)
    weight = 1 - 0.17 * np.cos(h - np.radians(30)) + 0.24 * np.cos(2 * h)
    weight += 0.32 * np.cos(3 * h + np.radians(6)) - 0.2 * np.cos(4 * h - np.radians(63))
    d_light = (other[0] - one[0]) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    d_chroma = (chroma[1] - chroma[0]) / (1 + 0.045 * middle)
    d_hue = 2 * np.sqrt(chroma.prod()) * np.sin(np.radians(turn) / 2) / (1 + 0.015 * middle * weight)
    bent = np.radians(60) * np.exp(-(((np.degrees(h) % 360 - 275) / 25) ** 2))
    cross = -2 * np.sqrt(middle**7 / (middle**7 + 25.0**7)) * np.sin(bent)
    return float(np.sqrt(d_light**2 + d_chroma**2 + d_hue**2 + cross * d_chroma * d_hue))


def contrast(one: str, other: str) -> float:
    """As the web's accessibility guidelines have it."""
    dark, light = sorted(float(TO_XYZ[1] @ linear(color)) + 0.05 for color in (one, other))
    return light / dark


def many(folder: Path, count: int = 12) -> Results:
    return run(folder, tasks=["flowers"], optimizers=NAMES[:count], replicates=2)


def test_an_optimizer_looks_the_same_everywhere_and_unlike_any_other() -> None:
    found = looks.looks(NAMES)
    assert list(found) == NAMES
    assert len({(look.color, look.marker) for look in found.values()}) == len(NAMES)
    first = [found[name] for name in NAMES[:10]]
    assert len({look.color for look in first}) == len({look.marker for look in first}) == 10
    assert all(first[i].dash != first[i + 1].dash for i in range(9))
    assert looks.looks(NAMES[:7]) == {name: found[name] for name in NAMES[:7]}


def test_the_distance_is_as_published() -> None:
    pairs = {
        2.0425: ((50, 2.6772, -79.7751), (50, 0, -82.7485)),
        7.1792: ((50, 2.49, -0.001), (50, -2.49, 0.0009)),
        27.1492: ((50, 2.5, 0), (73, 25, -18)),
    }
    for expected, (one, other) in pairs.items():
        assert distance(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("eyes", list(EYES))
def test_the_colour_blind_tell_colours_apart(eyes: str) -> None:
    seen = [lab(np.asarray(EYES[eyes]) @ linear(color)) for color in looks.COLORS]
    assert min(distance(a, b) for a, b in combinations(seen, 2)) > APART[eyes]


@pytest.mark.parametrize("color", looks.COLORS)
@pytest.mark.parametrize("ground", ["#ffffff", "#15181c"])
def test_a_thin_line_is_seen_on_light_and_dark(color: str, ground: str) -> None:
    assert contrast(color, ground) >= 2


def test_few_are_all_in_colour_in_the_order_of_the_run(tmp_path: Path) -> None:
    results = many(tmp_path, 10)
    both = boards.boards(results)
    assert looks.foremost(both) == results.optimizers
    assert looks.of(both) == looks.looks(results.optimizers)
    assert drawing.cast(both).looks == looks.of(both)
    assert drawing.cast(both).said == ""


def test_of_many_the_foremost_of_both_boards_are_in_different_colours(tmp_path: Path) -> None:
    results = many(tmp_path)
    both = boards.boards(results)
    first, look = looks.foremost(both), looks.of(both)
    assert len(first) == looks.FOREMOST
    for board in both:
        assert {board.optimizers[o] for o in board.order[: looks.FOREMOST // 2]} <= set(first)
    assert list(look) == results.optimizers
    assert len({look[name].color for name in first}) == looks.FOREMOST
    those = drawing.cast(both)
    assert [those.looks[name] for name in first] == [look[name] for name in first]
    assert {those.looks[name].color for name in those.behind} == {looks.GREY}
    assert those.said.endswith(" in grey: the 4 others.")


def test_pictures_of_many_say_who_is_grey(tmp_path: Path) -> None:
    results = many(tmp_path)
    pictures = {picture.name: picture for picture in figures.pictures(results, boards.boards(results))}
    assert all("in grey: the 4 others." in picture.caption for picture in pictures.values())
    for name in ("convergence_steps", "targets", "tunability", "learning_rate"):
        (legend,) = pictures[name].figure.legends
        named = [text.get_text() for text in legend.get_texts()]
        assert len(named) == looks.FOREMOST + 1
        assert "4 others in grey" in named
    rows = {text.get_text() for ax in pictures["final"].figure.axes for text in ax.get_yticklabels()}
    assert rows == set(results.optimizers)


def test_looks_need_nothing_that_draws() -> None:
    code = "import sys, reports.looks; print(sorted({'matplotlib', 'seaborn', 'scipy', 'pandas'} & set(sys.modules)))"
    root = Path(__file__).parent.parent
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert out.strip() == "[]"
