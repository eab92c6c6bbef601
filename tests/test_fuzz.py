"""A fuzzer of the reader of records: any bytes are a record that keeps what it promises, or are refused as none."""

import io
import json
import random
import re
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import archive, layout, records
from bench.errors import DamagedRecord
from bench.protocol import SELECTIONS
from bench.records import Record
from bench.task import SPLITS
from tests import filed
from tests.hostile import npy

PEAK = 16 * 2**20  # bytes that reading a small file may take


def judge(content: bytes) -> bool:
    """Reads bytes and holds what comes of it to what a record promises; whether they are a record."""
    begin = time.process_time()
    tracemalloc.start()
    try:
        record = records.decode(content)
    except DamagedRecord as error:
        assert str(error).isprintable()  # noqa: PT017
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < PEAK
        assert time.process_time() - begin < 2
    promised(record)
    return True


def promised(record: Record) -> None:
    """What those who read records rely on."""
    folder = Path("folder")
    assert records.unit_file(folder, record.name).parent == folder / "units"
    assert record.name.isprintable()
    step, budget = record.arrays["step"], record.meta["budget"]
    assert step[0] == 0
    assert step[-1] == budget
    assert (np.diff(step) > 0).all()
    assert (np.diff(record.shares) > 0).all()
    for by in SELECTIONS:
        assert all(np.isfinite(value) for value in record.chosen_hparams(by).values())
        for split in SPLITS:
            for metric in ("loss", record.meta["metric"]):
                assert record.ends(by, f"{split}/{metric}").shape == (record.seeds,)
                assert record.final(by, f"{split}/{metric}").shape == (record.seeds, len(step))
                assert record.arrays[f"search/{split}/{metric}"].shape[1] == len(step)
    assert record.at(float(record.shares[0])).whole_budget >= budget
    assert records.decode(records.encode(record)).meta == record.meta
    json.dumps(dict(record.meta)).encode()


def good(seed: int) -> bytes:
    """A whole record of one of several sizes."""
    return records.encode(filed.record(seeds=1 + seed % 3, replicate=seed, optimizer="adam(b2=0.5)"))


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """The bytes of a record, changed, cut, lengthened, or joined to those of another."""
    content = bytearray(good(draw(st.integers(0, 3))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        kind = draw(st.sampled_from(["change", "cut", "insert", "remove", "splice"]))
        if kind == "change" and content:
            content[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at:]
        elif kind == "insert":
            content[at:at] = draw(st.binary(max_size=40))
        elif kind == "remove":
            del content[at : at + draw(st.integers(1, 200))]
        else:
            other = good(draw(st.integers(0, 3)))
            content[at:] = other[draw(st.integers(0, len(other))) :]
    return bytes(content)


FIELDS = ("<H", "<L")


@st.composite
def misdirected(draw: st.DrawFn) -> bytes:
    """A record whose archive's own numbers, of members and of the end, are others."""
    content = bytearray(good(draw(st.integers(0, 3))))
    marks = [match.start() for match in re.finditer(rb"PK(\x01\x02|\x03\x04|\x05\x06)", bytes(content))]
    for _ in range(draw(st.integers(1, 3))):
        form = draw(st.sampled_from(FIELDS))
        at = draw(st.sampled_from(marks)) + draw(st.integers(4, 44))
        small, large = st.integers(0, 300), st.integers(0, 2 ** (8 * struct.calcsize(form)) - 1)
        if at + 4 <= len(content):
            struct.pack_into(form, content, at, draw(small | large) % 2 ** (8 * struct.calcsize(form)))
    return bytes(content)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8) | st.just("../x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted(filed.arrays())) | st.sampled_from(
    ["open/x", "search/train/x", "final/x", "../x", "share"]
)
KINDS = st.sampled_from(["<f4", "<f8", "<i4", "<i8", "|b1", "<f2", ">f4", "<c8", "<U3", "|S2", "<M8[s]"])


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """A record with the right checksum whose fields and arrays are others, more or gone."""
    record = filed.record(seeds=draw(st.integers(1, 3)))
    meta, arrays = {**record.meta, "schema": records.SCHEMA}, dict(record.arrays)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(meta)) | st.text(max_size=5) | st.sampled_from(["share", "whole_budget"]))
        meta[name] = draw(JUNK)
    for _ in range(draw(st.integers(0, 2))):
        name = draw(NAMES)
        if draw(st.booleans()):
            arrays.pop(name, None)
            continue
        like = arrays.get(name, np.ones(3))
        shape = draw(st.just(like.shape) | st.lists(st.integers(0, 4), max_size=5).map(tuple))
        kind = np.dtype(draw(st.just(like.dtype.str) | KINDS))
        count = int(np.prod(shape)) * kind.itemsize
        raw = random.Random(draw(st.integers(0, 99))).randbytes(count) if draw(st.booleans()) else bytes(count)
        arrays[name] = np.frombuffer(raw, kind).reshape(shape) if count else np.zeros(shape, kind)
    return records.pack(meta, arrays)


@st.composite
def claimed(draw: st.DrawFn) -> bytes:
    """A record with a member whose header claims something."""
    shape = draw(st.lists(st.integers(-9, 10**12), max_size=6))
    words = draw(st.text(max_size=20) | st.just(f"({', '.join(map(str, shape))},)"))
    kind = draw(st.sampled_from(["<f4", "|O", "<U9999999", "<f4','x':exit()", "|V9", "<i8"]))
    order, data = draw(st.sampled_from(["False", "True", "0"])), draw(st.binary(max_size=64))
    body = npy(kind, words.encode("ascii", "replace").decode(), data, order)
    buffer = io.BytesIO(good(0))
    with zipfile.ZipFile(buffer, "a", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as file:
        file.writestr(f"search/train/{draw(st.text('abc./_', min_size=1, max_size=8))}.npy", body)
    return buffer.getvalue()


FUZZ = spoiled() | misdirected() | forged() | claimed() | st.binary(max_size=300)
calm = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=200, deadline=None, suppress_health_check=calm)
@given(FUZZ)
def test_any_bytes_are_a_record_or_refused(content: bytes) -> None:
    judge(content)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=calm)
@given(FUZZ)
def test_very_many_bytes_are_a_record_or_refused(content: bytes) -> None:
    judge(content)


def test_the_fuzzer_makes_records_too() -> None:
    """What it holds records to is worth something only where some of its bytes are records."""
    assert all(judge(good(seed)) for seed in range(4))


def test_bounds_leave_room_for_what_is_run() -> None:
    """Ten times the trials, seeds and points of any suite, where all runs diverged and pack to nothing."""
    step = np.arange(201, dtype=np.int32)
    arrays = filed.arrays(trials=100, seeds=30, budget=200, points=201)
    lost = {name: np.full_like(a, np.nan) if a.dtype == np.float32 else a for name, a in arrays.items()}
    about = filed.meta(budget=200, protocol={**filed.PROTOCOL, "trials": 100})
    record = Record(about, {**lost, "step": step})
    assert records.decode(records.encode(record)).seeds == 30
    assert sum(a.nbytes for a in lost.values()) < archive.FREE
    assert layout.unfit_name("lookahead:optax:adam(b1=0.5, kind='<b>&')") == ""
