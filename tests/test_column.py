"""Pictures as wide as a column of text: their size, their letters, and captions beside them."""

import re
from pathlib import Path

import matplotlib.image
import pytest

import reports
from reports import boards, column, drawing, figures
from reports.drawing import Picture
from tests.test_looks import many
from tests.test_reports import run

NAMES = {"leaderboard_optimization", "leaderboard_generalization", "targets", "profile", "tunability"}


@pytest.fixture(scope="module", params=[3, 12])
def pictures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Picture]:
    folder = tmp_path_factory.mktemp("column")
    results = run(folder) if request.param == 3 else many(folder, request.param)
    drawn = figures.pictures(results, boards.boards(results))
    return [picture for picture in drawn if picture.folder == column.FOLDER]


def test_they_are_as_wide_as_a_column_and_legible(pictures: list[Picture]) -> None:
    assert {picture.name for picture in pictures} == NAMES
    for picture in pictures:
        assert picture.figure.get_figwidth() == column.WIDTH
        legends = [text for legend in picture.figure.legends for text in legend.get_texts()]
        ticks = [text for ax in picture.figure.axes for text in (*ax.get_xticklabels(), *ax.get_yticklabels())]
        labels = [label for ax in picture.figure.axes for label in (ax.xaxis.label, ax.yaxis.label)]
        assert all(float(text.get_fontsize()) >= 7 for text in (*legends, *ticks, *labels))


def test_they_hold_neither_title_nor_caption(pictures: list[Picture]) -> None:
    for picture in pictures:
        assert picture.caption
        assert not picture.figure.get_suptitle()
        assert not picture.figure.get_supxlabel()
        assert not any(ax.get_title(side) for ax in picture.figure.axes for side in ("left", "center", "right"))


def test_nothing_is_cut_off(pictures: list[Picture]) -> None:
    for picture in pictures:
        with drawing.theme():
            picture.figure.draw_without_rendering()
        inside = picture.figure.bbox.padded(1)
        parts = [*picture.figure.axes, *picture.figure.legends]
        boxes = [box for part in parts if (box := part.get_tightbbox()) is not None]
        assert all(inside.contains(*box.min) and inside.contains(*box.max) for box in boxes)


@pytest.mark.slow
def test_captions_lie_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "FORMATS", ("svg", "png"))
    reports.ensure(run(tmp_path))
    folder = tmp_path / "report" / "figures" / "column"
    captions = (folder / "captions.md").read_text()
    assert set(re.findall(r"^## (\w+)$", captions, re.MULTILINE)) == NAMES
    assert {path.stem for path in folder.glob("*.svg")} == NAMES
    assert captions.count("95 % bootstrap") == 4
    for name in NAMES:
        image = matplotlib.image.imread(folder / f"{name}.png")
        assert image.shape[1] == round(column.WIDTH * column.DPI)
        assert image[..., :3].std() > 0.05
