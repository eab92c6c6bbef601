"""The comparison of two revisions' curves: rounding passes, a real change does not."""

from pathlib import Path

import numpy as np
import pytest

from bench import records
from bench.records import Record
from tests import drift

FLOOR = 1e-4


def test_curves_are_apart_by_the_logarithm_of_their_losses() -> None:
    one = np.array([[1.0, 0.5], [1.0, np.nan], [1.0, np.nan], [1.0, 1e-9]])
    other = np.array([[1.0, 1.0], [1.0, np.nan], [1.0, 0.5], [1.0, 1e-5]])
    np.testing.assert_allclose(drift.apart(one, other, FLOOR), [np.log(2), 0, np.inf, 0])


def test_a_cell_may_drift_by_what_rounding_does_to_it() -> None:
    assert drift.Cell("steady", drift=5e-7, noise=0.0).agrees
    assert drift.Cell("chaotic", drift=0.02, noise=0.005).agrees
    assert not drift.Cell("steady", drift=1e-4, noise=1e-6).agrees


@pytest.mark.slow
def test_a_run_agrees_with_itself_and_not_with_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import bench

    after, same, changed = (tmp_path / name for name in ("after", "same", "changed"))
    bench.run(tasks=["breast_cancer"], optimizers=["sgd", "adam"], out=after, replicates=1, trials=3, seeds=1)
    for file in (after / "units").glob("*.npz"):
        record = records.read(file)
        worse = record.arrays["search/train/loss"] * np.float32(1.001)
        for folder, kept in (
            (same, record),
            (changed, Record(record.meta, {**record.arrays, "search/train/loss": worse})),
        ):
            (folder / "units").mkdir(parents=True, exist_ok=True)
            (folder / "units" / file.name).write_bytes(records.encode(kept))
    assert drift.main([str(same), str(after)]) == 0
    assert "2 of 2 cells agree" in capsys.readouterr().out
    assert drift.main([str(changed), str(after)]) == 1
    assert drift.main([str(tmp_path), str(after)]) == 2
