"""Known answers of the data sets, and what happens when a file is not what it should be."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from bench.data import DATASETS, Dataset, dataset, open_dataset, sources
from bench.errors import Unavailable, UserError
from bench.preprocess import RandomSplit
from bench.task import SPLITS

# rows of train, valid, test; features; counts of each class, or positives of each label, or the range of the target
KNOWN = {
    "mnist_5k": ((3500, 750, 750), 784, [500] * 10),
    "digits": ((1259, 269, 269), 64, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    "segment": ((1610, 350, 350), 18, [330] * 7),
    "shuttle": ((34367, 7365, 7365), 9, [45586, 3511]),
    "yeast": ((1691, 363, 363), 103, [762, 1038, 983, 862, 722, 597, 428, 480, 178, 253, 289, 1816, 1799, 34]),
    "breast_cancer": ((397, 86, 86), 30, [212, 357]),
    "diabetes": ((310, 66, 66), 10, (25, 346)),
    "diamonds_price": ((37741, 8088, 8088), 9, (326, 18823)),
    "diamonds_cut": ((37743, 8087, 8087), 9, [1609, 4902, 12080, 13779, 21547]),
    "txhousing": ((5592, 1197, 1197), 7, (50000, 304200)),
    "dem": ((97042, 20795, 20795), 2, (236, 1076)),
}
# first 16 digits of the SHA-256 of the rows' numbers, int32, train then valid then test
ROWS = {
    "mnist_5k": "3b0617fb9323dd8b",
    "digits": "5681354930306b1b",
    "segment": "3df2b26dc6c24a88",
    "shuttle": "84f6e6517c53e07e",
    "yeast": "76ae19b5031a1852",
    "breast_cancer": "44377324ee3fc1ee",
    "diabetes": "04f94eb33929f8d3",
    "diamonds_price": "0afda75f069fe509",
    "diamonds_cut": "5edb7afa0218bd7a",
    "txhousing": "9aff383448549195",
    "dem": "8839461907fa4398",
}
FETCHED = {"mnist", "fashion_mnist"}  # not on every machine; tests/test_idx.py has theirs


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPTGRID_CACHE", str(tmp_path))
    dataset._opened.cache_clear()
    return tmp_path


@dataclass(frozen=True)
class Given:
    """A source that gives what it was given."""

    give: Callable[[], sources.Raw]
    credit: str = "a test"

    def missing(self) -> str:
        return ""

    def read(self) -> sources.Raw:
        return self.give()


def small() -> Dataset:
    """A copy of the smallest data set that counts how often its source is read."""
    return replace(open_dataset("diabetes"), name="small")


def reopened(data: Dataset) -> sources.Raw:
    dataset._opened.cache_clear()
    return data.raw()


def test_every_data_set_has_a_known_answer() -> None:
    assert set(KNOWN) == set(ROWS) == set(DATASETS) - FETCHED


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_answers(name: str) -> None:
    rows, features, answer = KNOWN[name]
    data = open_dataset(name)
    x, y = data.raw()
    table = data.table()
    assert data.sizes == tuple(len(table.rows[split]) for split in SPLITS) == rows
    assert x.shape == (sum(rows), features)
    assert x.dtype == np.float32
    assert data.sha256 == tuple(hashlib.sha256(array.tobytes()).hexdigest() for array in (x, y))
    if isinstance(answer, tuple):
        assert (y.min(), y.max()) == answer
    else:
        counts = y.sum(0) if y.ndim == 2 else np.bincount(y)
        assert counts.tolist() == answer


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_split_is_frozen_and_no_row_is_in_two(name: str) -> None:
    table = open_dataset(name).table()
    rows = np.concatenate([table.rows[split] for split in SPLITS])
    assert hashlib.sha256(rows.astype("<i4").tobytes()).hexdigest()[:16] == ROWS[name]
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(table.y)))


def test_missing_values_are_the_sources() -> None:
    x, _ = open_dataset("txhousing").raw()
    assert np.isnan(x).sum(0).tolist() == [0, 0, 0, 0, 1, 818, 860]


def test_a_second_opening_reads_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    first = small().raw()
    monkeypatch.setattr(dataset, "prepare", lambda data: pytest.fail("prepared again"))
    np.testing.assert_array_equal(first[0], reopened(small())[0])


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def other_numbers(file: Path) -> None:
    with np.load(file) as arrays:
        x, y = arrays["x"], arrays["y"]
    x[0, 0] += 1
    np.savez(file, x=x, y=y)


@pytest.mark.parametrize(
    "damage", [cut, flipped, other_numbers, lambda file: file.write_bytes(b""), lambda file: np.savez(file, z=0)]
)
def test_a_damaged_cache_is_made_again(damage: Callable[[Path], None]) -> None:
    data = small()
    whole = data.raw()
    damage(data.file)
    for mended in (reopened(data), dataset._read(data)):
        assert mended is not None
        np.testing.assert_array_equal(mended[0], whole[0])


def test_a_half_written_cache_is_not_seen(own_cache: Path) -> None:
    data = small()
    data.raw()
    content = data.file.read_bytes()
    data.file.unlink()
    half = data.file.with_name(f".{data.file.name}.1234.tmp")
    half.write_bytes(content[:1000])
    assert not data.prepared
    reopened(data)
    assert data.file.read_bytes() == content


def test_two_processes_prepare_once(own_cache: Path) -> None:
    """Both ask at the same moment; the source writes a line each time it is read."""
    code = f"""
import sys, time, pathlib
from dataclasses import replace
from bench.data import open_dataset
from tests.test_data import Given
data = open_dataset("diabetes")
def give():
    with open({str(own_cache / "read")!r}, "a") as file:
        file.write("read\\n")
    time.sleep(0.5)
    return data.source.read()
mine = replace(data, name="shared", source=Given(give))
pathlib.Path({str(own_cache)!r}, sys.argv[1]).touch()
while not all(pathlib.Path({str(own_cache)!r}, who).exists() for who in "ab"):
    time.sleep(0.01)
print(mine.raw()[0].sum())
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, who], stdout=subprocess.PIPE, text=True) for who in "ab"]
    told = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert told[0] == told[1] != ""
    assert (own_cache / "read").read_text() == "read\n"


def test_other_numbers_from_the_source_are_refused_by_name() -> None:
    x, y = open_dataset("diabetes").raw()
    changed = replace(small(), source=Given(lambda: (x + 1, y)))
    with pytest.raises(UserError, match=r"data set small: x from a test is not what this suite was made for"):
        changed.raw()
    assert not changed.file.exists()


def test_a_damaged_package_file_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "digits.csv.gz"
    file.write_bytes(b"not gzip")
    with pytest.raises(UserError, match=r"digits\.csv\.gz cannot be read"):
        sources._parsed(sources._last_is_label, file)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    data = open_dataset("yeast")
    assert data.missing() == "the package river is not installed; run: pip install river"
    with pytest.raises(Unavailable, match="data set yeast: the package river is not installed"):
        data.raw()


def test_a_cached_data_set_needs_its_package_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    data = small()
    data.raw()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not data.missing()
    assert reopened(data)[0].shape == (442, 10)


def test_an_unwritable_cache_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("OPTGRID_CACHE", str(tmp_path / "file"))
    with pytest.raises(UserError, match="OPTGRID_CACHE names the cache's folder"):
        small().raw()


def test_a_data_set_of_ones_own_is_identified_by_its_numbers() -> None:
    x, y = np.arange(20, dtype=np.float32).reshape(10, 2), np.arange(10) % 2
    mine = Dataset("mine", Given(lambda: (x, y)))
    other = Dataset("mine", Given(lambda: (x + 1, y)))
    assert mine.identity != other.identity
    assert mine.rows() == (6, 2, 2)
    assert not mine.file.exists()
    assert json.dumps(repr(mine)).count("0x") == 0


def test_the_default_split_draws_within_classes() -> None:
    y = np.repeat([0, 1], [80, 20]).astype(np.int32)
    rows = RandomSplit()(np.zeros((100, 1)), y)
    assert [np.bincount(y[rows[split]]).tolist() for split in SPLITS] == [[56, 14], [12, 3], [12, 3]]


@pytest.mark.slow
def test_the_frozen_files_are_those_of_their_source(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    made = subprocess.run(
        [root / ".venv-peers/bin/python", root / "tests/frozen/make.py", tmp_path], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr[-1000:]
    for name in ("diamonds", "txhousing"):
        with np.load(tmp_path / f"{name}.npz") as fresh, np.load(sources.FILES / f"{name}.npz") as kept:
            assert set(fresh) == set(kept)
            for column in fresh:
                np.testing.assert_array_equal(fresh[column], kept[column])
