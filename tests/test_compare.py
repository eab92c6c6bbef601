"""`optgrid compare` end to end, on a small grid with baselines of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import baseline, comparison
from bench.__main__ import main
from bench.errors import UserError

MINE = """
import jax
import optax


def slow(learning_rate=0.01):
    def update(grads, state, params=None):
        return jax.tree.map(lambda g: {sign}learning_rate * g, grads), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
"""


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Baselines of the smoke grid, in a folder of their own."""
    folder = tmp_path_factory.mktemp("baselines")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baseline, "FOLDER", folder)
        assert main(["baselines", "--suite", "smoke", "--optimizers", "sgd,adam", "--out", str(folder / "runs")]) == 0
    assert {path.name for path in (folder / "smoke").iterdir()} == {"adam.npz.xz", "sgd.npz.xz"}
    return folder


@pytest.fixture
def here(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(baseline, "FOLDER", shipped)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def verdict(folder: Path) -> dict[str, dict[str, object]]:
    """What was said on these tasks, by board."""
    told = json.loads((folder / "report" / "verdict.json").read_text())
    return {duel["board"]: duel["these_tasks"] for duel in told["duels"]}


@pytest.mark.slow
def test_a_file_gets_its_verdict(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "uphill.py").write_text(MINE.format(sign=""))
    assert main(["compare", "uphill.py", "--suite", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "the mean square of the parameters is" in said
    assert "uphill beside adam" in said
    assert "optimization: WORSE" in said
    folder = here / "runs/compare/uphill"
    assert {one["said"] for one in verdict(folder).values()} == {"worse"}
    assert "Is uphill better?" in (folder / "report" / "index.html").read_text()
    assert main(["compare", "uphill.py", "--suite", "smoke"]) == 0
    assert "all kept from before" in capsys.readouterr().out


@pytest.mark.slow
def test_what_has_baselines_is_not_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "sgd", "--vs", "adam", "--suite", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "as the baselines were run" not in said
    assert "sgd beside adam" in said
    assert not (here / "runs/compare/sgd/column").exists()


@pytest.mark.slow
def test_a_rival_without_baselines_is_run_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "adam(b1=0.5)", "--vs", "momentum,adam", "--suite", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "running adam(b1=0.5), momentum as the baselines were run" in said
    assert "baselines not used: momentum: there are no baselines of it" in said
    assert "Holm-corrected for the 2 pairs compared" in said
    (folder,) = (here / "runs/compare").iterdir()
    assert folder.name.startswith("adam_b1_0_5_")


@pytest.mark.slow
def test_what_does_not_run_gets_a_verdict_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "broken.py").write_text("def broken(learning_rate=0.1):\n    return learning_rate / 0\n")
    assert main(["compare", "broken.py", "--suite", "smoke"]) == 1
    assert "broken.py: " in capsys.readouterr().out
    assert not (here / "runs").exists()


def test_mistakes_are_told_in_a_line(here: Path) -> None:
    with pytest.raises(UserError, match="adam cannot be compared with itself"):
        comparison.compare(["adam"], ["adam"], "smoke")
    with pytest.raises(UserError, match="named once each"):
        comparison.compare(["adam", "adam"], ["sgd"], "smoke")


def test_a_folder_for_every_comparison() -> None:
    names = (["mine"], ["a", "b"], ["adam(b2=0.5)"], ["adam(b2=0.6)"], ["../x"], ["optax:lion"])
    folders = [comparison.folder_of(name) for name in names]
    assert len(set(folders)) == len(folders)
    assert folders[0] == Path("runs/compare/mine")
    assert all(folder.parent == Path("runs/compare") and ".." not in folder.parts for folder in folders)


def test_help_needs_nothing() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "compare", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "rivals (default adam)" in done.stdout
