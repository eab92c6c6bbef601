"""MNIST and Fashion-MNIST: from files, from a folder of TFDS, from Debian's package, and without any of them."""

import gzip
import hashlib
import os
import socket
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data import DATASETS, dataset, idx, open_dataset
from bench.data.idx import FASHION_MNIST, MNIST, NAMES, Idx
from bench.errors import Unavailable, UserError

ROWS = {"train": 30, "t10k": 10}


def content(name: str) -> bytes:
    """A small idx file: images, or labels 0 to 9 in turn."""
    rows = ROWS[name.split("-")[0]]
    rng = np.random.RandomState(len(name))
    if "labels" in name:
        return struct.pack(">HBBi", 0, 8, 1, rows) + bytes(range(10)) * (rows // 10)
    return struct.pack(">HBBiii", 0, 8, 3, rows, 28, 28) + rng.randint(0, 256, rows * 784, np.uint8).tobytes()


SHA256 = tuple(hashlib.sha256(content(name)).hexdigest() for name in NAMES)
SMALL = Idx("fashion_mnist", ("small",), SHA256, "a package")


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No folder of the user's and no network; gives a folder that is looked at."""
    monkeypatch.setenv("OPTGRID_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPTGRID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    dataset._opened.cache_clear()
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def put(folder: Path, packed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        path = folder / f"{name}.gz" if packed else folder / name
        path.write_bytes(gzip.compress(content(name)) if packed else content(name))


def as_a_set(x: np.ndarray, y: np.ndarray) -> set[tuple[bytes, int]]:
    return {(row.tobytes(), int(label)) for row, label in zip(x, y, strict=True)}


@pytest.mark.parametrize("packed", [True, False])
def test_files_are_read_whole_with_training_rows_first(alone: Path, packed: bool) -> None:
    put(alone / "small", packed)
    assert not SMALL.missing()
    x, y = SMALL.read()
    assert x.shape == (40, 784)
    assert x.dtype == np.uint8
    assert y.dtype == np.int32
    for rows, part in ((slice(0, 30), "train"), (slice(30, 40), "t10k")):
        images = np.frombuffer(content(f"{part}-images-idx3-ubyte"), np.uint8, offset=16).reshape(-1, 784)
        labels = np.frombuffer(content(f"{part}-labels-idx1-ubyte"), np.uint8, offset=8)
        assert as_a_set(x[rows], y[rows]) == as_a_set(images, labels)
    assert not list((alone.parent / "cache").glob("tfds-*"))
    assert "tensorflow" not in sys.modules


def test_a_folder_that_tfds_has_ready_is_read(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(Path(os.environ["TFDS_DATA_DIR"]), alone)
    expected = SMALL.read()
    monkeypatch.delenv("OPTGRID_DATA")
    assert not SMALL.missing()
    monkeypatch.setattr(Idx, "_built", lambda self, files: pytest.fail("built anew"))
    for ours, theirs in zip(SMALL.read(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_file_with_other_content_is_refused_by_name(alone: Path) -> None:
    put(alone, packed=False)
    file = alone / NAMES[1]
    file.write_bytes(file.read_bytes()[:-1] + b"\3")
    with pytest.raises(UserError, match=f"{NAMES[1]} is not that of fashion_mnist") as error:
        SMALL.read()
    assert not isinstance(error.value, Unavailable)


def test_a_damaged_file_is_refused_by_name(alone: Path) -> None:
    put(alone)
    (alone / f"{NAMES[0]}.gz").write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(UserError, match=rf"{NAMES[0]}\.gz cannot be read"):
        SMALL.read()


def test_three_of_four_files_are_not_a_data_set(alone: Path) -> None:
    put(alone)
    (alone / f"{NAMES[2]}.gz").unlink()
    assert SMALL.missing()


@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.name)
def test_without_a_network_it_is_unavailable_within_seconds(source: Idx, capfd: pytest.CaptureFixture[str]) -> None:
    nowhere = Idx(source.name, source.folders, source.content, source.debian)
    begin = time.monotonic()
    with pytest.raises(Unavailable, match=r"run once with a network.*OPTGRID_DATA.*the network failed") as error:
        nowhere.read()
    assert time.monotonic() - begin < 10  # seconds with TFDS's own retries switched off, minutes with them
    assert "\n" not in str(error.value)
    assert not "".join(capfd.readouterr())


def test_a_network_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{silent.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(Unavailable, match="the network failed"):
            Idx(MNIST.name, MNIST.folders, MNIST.content).read()
    assert time.monotonic() - begin < 10  # minutes without a limit


def ready(folder: Path, files: Path) -> Path:
    """A version of a small data set that TFDS has ready in a folder."""
    put(files)
    with idx._quiet() as tfds:
        builder = idx._builder(tfds, "fashion_mnist", idx._idx_files(files, ()), str(folder))
        builder.download_and_prepare(file_format="array_record")
    return Path(builder.data_dir)


def test_a_folder_in_another_format_is_not_here_and_the_remedy_is_told(alone: Path) -> None:
    for file in ready(alone, alone.parent / "files").glob("*.array_record*"):
        file.rename(file.with_name(file.name.replace("array_record", "tfrecord")))
    assert SMALL.missing()
    with pytest.raises(Unavailable, match="run once with a network"):
        SMALL.read()


def test_a_folder_that_could_not_be_checked_is_not_read(alone: Path) -> None:
    ready(alone, alone.parent / "files")
    assert not SMALL.missing()
    assert replace(SMALL, ready=False).missing()
    for source in (data.source for data in DATASETS.values() if data.sha256 is None):
        assert isinstance(source, Idx)
        assert not source.ready


@pytest.mark.slow
def test_fashion_mnist_has_its_known_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """From Debian's package, or a folder named in FASHION_MNIST_FILES."""
    monkeypatch.setenv("OPTGRID_DATA", os.environ.get("FASHION_MNIST_FILES", ""))
    data = open_dataset("fashion_mnist")
    if data.missing():
        pytest.skip("needs the Debian package dataset-fashion-mnist, or FASHION_MNIST_FILES")
    x, y = data.raw()
    hashes = [hashlib.sha256(part.tobytes()).hexdigest()[:16] for part in (x[:60000], y[:60000], x[60000:], y[60000:])]
    assert hashes == ["d6f7acb83157a750", "0f719277c94fd64b", "a84f70bc4eaa1b2c", "85e2be1b62985fe3"]
    table = data.table()
    assert [np.bincount(y[rows]).tolist() for rows in table.rows.values()] == [[6000] * 10, [500] * 10, [500] * 10]


def test_tensorflow_datasets_is_imported_only_where_it_is_needed() -> None:
    code = "import sys, bench.tasks; bench.tasks.get('mnist').missing(); print('tensorflow_datasets' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
