"""Files of a run: whole or refused, and recognised by what decided their numbers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import optimizers
from bench import files, fingerprint, records, results, tasks
from bench.code import code_digest
from bench.errors import UserError
from bench.protocol import Protocol
from bench.records import DamagedRecord
from tests import filed


@settings(deadline=None)
@given(st.integers(1, 5).flatmap(lambda seeds: arrays(np.float32, (2, seeds, 2))))
def test_a_record_comes_back_as_it_went(losses: np.ndarray) -> None:
    made = filed.record({"final/train/loss": losses}, seeds=losses.shape[1])
    back = records.decode(records.encode(made))
    assert back.meta == made.meta
    assert back.arrays.keys() == made.arrays.keys()
    for name, values in made.arrays.items():
        np.testing.assert_array_equal(back.arrays[name], values)
        assert back.arrays[name].dtype == values.dtype


def test_what_could_not_be_read_again_is_not_written() -> None:
    vector = np.ones((3, 2, 7), np.float32)
    with pytest.raises(UserError, match=r"search/train/parts has the shape \(3, 2, 7\)"):
        records.encode(filed.record({"search/train/parts": vector}))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damage_is_noticed(data: st.DataObject) -> None:
    """A byte changed or the end cut off: either refused as damaged, or in a part of the file that holds nothing."""
    content = bytearray(records.encode(filed.record()))
    original = records.decode(bytes(content))
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] ^= data.draw(st.integers(1, 255))
    try:
        read = records.decode(bytes(content))
    except DamagedRecord:
        return
    assert read.meta == original.meta
    for name, values in original.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], values)


@pytest.mark.parametrize(("schema", "words"), [(99, "made by a newer optgrid"), (0, "of schema 0")])
def test_another_schema_is_refused_by_number(schema: int, words: str) -> None:
    made = filed.record()
    with pytest.raises(DamagedRecord, match=words):
        records.decode(records.pack({**made.meta, "schema": schema, "task": 5}, {"of/another/kind": np.ones(3)}))


def test_a_folder_without_a_run_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run in"):
        results.load(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    files.write_atomically(path, b"first")
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match="the disk is full"):
        files.write_atomically(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


class TestFingerprint:
    task = tasks.get("diabetes")
    protocol = Protocol()

    def of(self, task=None, optimizer: str = "adam", protocol: Protocol | None = None) -> str:  # type: ignore[no-untyped-def]
        return fingerprint.fingerprint(task or self.task, optimizer, protocol or self.protocol)

    def test_more_replicates_or_seeds_only_add(self) -> None:
        assert self.of(protocol=replace(self.protocol, replicates=8, seeds=9)) == self.of()

    @pytest.mark.parametrize("change", [{"trials": 11}, {"evaluations": 5}, {"schedule": "cosine"}, {"steps": 7}])
    def test_the_protocol_decides(self, change: dict[str, object]) -> None:
        assert self.of(protocol=replace(self.protocol, **change)) != self.of()  # type: ignore[arg-type]

    def test_task_and_optimizer_decide(self) -> None:
        different = [
            self.of(task=tasks.get("digits")),
            self.of(task=replace(self.task, steps=7)),
            self.of(optimizer="sgd"),
            self.of(optimizer="adam(b2=0.5)"),
        ]
        assert len({*different, self.of()}) == 5

    def test_flags_and_platform_decide(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = self.of()
        monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        flagged = self.of()
        monkeypatch.setenv("JAX_PLATFORMS", "cuda")
        assert len({before, flagged, self.of()}) == 3

    def test_code_decides_but_words_about_it_do_not(self, tmp_path: Path) -> None:
        source = optimizers.source_file("sgd").read_text()
        digests = {}
        for name, text in {
            "as it is": source,
            "commented": source + "\n# a remark\n",
            "reworded": source.replace('"""', '"""Indeed: ', 1),
            "changed": source + "\nEXTRA = 1\n",
        }.items():
            (tmp_path / "rule.py").write_text(text)
            digests[name] = code_digest(tmp_path / "rule.py")
        assert digests["as it is"] == digests["commented"] == digests["reworded"] != digests["changed"]

    def test_what_an_optimizer_imports_beside_it_decides(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "rules"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "inner.py").write_text("SCALE = 1.0\n")
        (package / "outer.py").write_text("from .inner import SCALE\n")
        monkeypatch.syspath_prepend(tmp_path)
        before = self.of(optimizer="rules.outer:rule")
        (package / "inner.py").write_text("SCALE = 10.0\n")
        assert self.of(optimizer="rules.outer:rule") != before

    def test_a_file_that_is_not_python_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "broken.py").write_text("x = 1\ndef (\n")
        with pytest.raises(UserError, match=r"broken\.py, line 2 is not Python"):
            self.of(optimizer=str(tmp_path / "broken.py"))

    def test_code_that_changed_since_the_run_began_is_refused(self) -> None:
        from bench.jobs import SweepJob
        from bench.worker import attempt

        failure = attempt(SweepJob(self.task, "sgd", self.protocol, {0: None}, "of the code as it was"))
        assert "was changed while the run went on" in failure.reason

    def test_the_code_of_a_unit_is_all_that_it_imports(self) -> None:
        from bench.code import closure

        root = fingerprint.ROOT
        found = closure(
            {root / "bench/sweep.py", root / "bench/tasks/mlp.py"}, root, fingerprint.PACKAGES, fingerprint.NEUTRAL
        )
        names = {str(path.relative_to(root)) for path in found}
        assert {"bench/train.py", "bench/losses.py", "bench/network.py", "bench/schedule.py"} <= names
        assert {"optimizers/_base.py", "optimizers/_space.py"} <= names
        assert not {"bench/records.py", "bench/data/sources.py", "bench/runner.py", "bench/tasks/core.py"} & names
