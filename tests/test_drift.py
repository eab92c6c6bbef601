"""The comparison of two revisions' curves: rounding passes, a real change does not."""

from pathlib import Path

import numpy as np
import pytest

import bench
from bench import drift, records
from bench.__main__ import main
from bench.records import Record

FLOOR = 1e-4


def test_curves_are_apart_by_the_logarithm_of_their_losses() -> None:
    one = np.array([[1.0, 0.5], [1.0, np.nan], [1.0, np.nan], [1.0, 1e-9]])
    other = np.array([[1.0, 1.0], [1.0, np.nan], [1.0, 0.5], [1.0, 1e-5]])
    np.testing.assert_allclose(drift.apart(one, other, FLOOR)[:, 1], [np.log(2), 0, np.inf, 0])


def test_a_cell_may_drift_by_what_rounding_does_to_it() -> None:
    assert drift.Cell("steady", drift=5e-7, noise=0.0).agrees
    assert drift.Cell("chaotic", drift=0.02, noise=0.005).agrees
    assert not drift.Cell("steady", drift=1e-4, noise=1e-6).agrees


@pytest.mark.slow
def test_a_run_agrees_with_itself_and_not_with_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after, same, changed = (tmp_path / name for name in ("after", "same", "changed"))
    bench.run(
        tasks=["breast_cancer"], optimizers=["sgd", "adam"], out=after, replicates=1, trials=3, seeds=1, timed=False
    )
    for file in (after / "units").glob("*.npz"):
        record = records.read(file)
        loss = record.arrays["search/train/loss"].copy()
        loss[:, 5:] *= np.float32(1.001)
        worse = Record(record.meta, {**record.arrays, "search/train/loss": loss})
        for folder, kept in ((same, record), (changed, worse)):
            (folder / "units").mkdir(parents=True, exist_ok=True)
            (folder / "units" / file.name).write_bytes(records.encode(kept))
    assert main(["compare", f"all@{same}", f"all@{after}"]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 cells agree" in said
    assert said.endswith("same\n")
    assert main(["compare", f"adam@{changed}", f"adam@{after}"]) == 1
    said = capsys.readouterr().out
    assert f"differs from step {record.arrays['step'][5]}, train loss off by 1.0e-03" in said
    assert said.endswith("not the same\n")


def test_what_cannot_be_compared_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for specs in (["adam@x"], ["adam@x", "sgd@y"], ["adam@x", "adam"], ["all@HEAD", "all@HEAD"]):
        assert main(["compare", *specs]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "units").mkdir()
    assert main(["compare", f"adam@{tmp_path}", f"adam@{tmp_path}"]) == 2
    assert "no unit of adam in common" in capsys.readouterr().err
    assert main(["compare", "adam@no-such-revision", f"adam@{tmp_path}"]) == 2
    assert "neither a folder with a run nor a revision" in capsys.readouterr().err
