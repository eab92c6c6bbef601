"""Files that are not as a run writes them, by name, each with the words in which it is to be refused."""

import os
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench import records
from bench.manifest import ROUNDS
from bench.protocol import SELECTIONS, Protocol

Write = Callable[[Path, bytes], object]  # (path, bytes of a good record of replicate 0)
SELECTED = [f"selected/{by}" for by in SELECTIONS]
UNLIKE = "no array as they are written here"
SAYS_NOTHING = "its header says nothing"


# Files that are no records


def changed(meta: Mapping[str, Any] | None = None, arrays: Mapping[str, Any] | None = None, schema: Any = 1) -> Write:
    """Writes a record with the right checksum in which fields and arrays are others, or gone where None is given."""

    def write(path: Path, good: bytes) -> None:
        record = records.decode(good)
        told = {**record.meta, "replicate": 7, "schema": schema, **(meta or {})}
        held = {**record.arrays, **{name: a if a is None else np.asarray(a) for name, a in (arrays or {}).items()}}
        kept = {name: values for name, values in held.items() if values is not None}
        path.write_bytes(records.pack(told, kept))

    return write


def header(text: str) -> Write:
    """Writes a record whose header says something else."""

    def write(path: Path, good: bytes) -> None:
        held: dict[str, Any] = {records.HEADER: np.array(text), **records.decode(good).arrays}
        np.savez_compressed(path, **held)

    return write


def member(name: str, content: bytes, times: int = 1) -> Write:
    """Adds members to the archive of a record."""

    def write(path: Path, good: bytes) -> None:
        path.write_bytes(good)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file:
            for number in range(times):
                file.writestr(name.format(number), content)

    return write


def npy(kind: str, shape: str, data: bytes = bytes(32), order: str = "False", pad: int = 0) -> bytes:
    """An array's file by its claims."""
    words = f"{{'descr': '{kind}', 'fortran_order': {order}, 'shape': {shape}, }}{' ' * pad}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words) % 2**16) + words + data


def lie(at: int, form: str, value: int) -> Write:
    """Changes what the directory says of its first member."""

    def write(path: Path, good: bytes) -> None:
        content = bytearray(good)
        struct.pack_into(form, content, content.index(b"PK\1\2") + at, value)
        path.write_bytes(content)

    return write


def pickled(path: Path, good: bytes) -> None:
    """A record with an array that runs code when it is unpickled."""

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(path.parent / "run by a pickle"),)

    arrays: dict[str, Any] = {**records.decode(good).arrays, "step": np.array([Evil()], object)}
    np.savez(path, allow_pickle=True, **{records.HEADER: np.array("{}")}, **arrays)


def bomb(path: Path, good: bytes) -> None:
    member("search/train/bomb.npy", bytes(2**26))(path, good)


def lying_bomb(path: Path, good: bytes) -> None:
    bomb(path, good)
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.rindex(b"PK\1\2") + 24, 100)
    path.write_bytes(content)


def doubled(path: Path, good: bytes) -> None:
    with warnings.catch_warnings(action="ignore"):
        member("step.npy", npy("<i4", "(8,)"))(path, good)


def huge(path: Path, good: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)  # of a disk's nothing


def loop(path: Path, good: bytes) -> None:
    path.symlink_to(path)


def link(path: Path, good: bytes) -> None:
    path.symlink_to(path.with_name("nowhere"))


DEEP = "[" * 100_000 + "]" * 100_000
UNITS: dict[str, tuple[Write, str]] = {
    # Of a disk, or no archive at all
    "empty": (lambda path, good: path.write_bytes(b""), "no archive"),
    "cut off": (lambda path, good: path.write_bytes(good[:-40]), "cut off, or something else"),
    "its middle lost": (lambda path, good: path.write_bytes(good[:500] + good[900:]), "cut off, or something else"),
    "zeros": (lambda path, good: path.write_bytes(bytes(len(good))), "cut off, or something else"),
    "a page": (lambda path, good: path.write_text("<!doctype html>" * 9), "cut off, or something else"),
    "a folder": (lambda path, good: path.mkdir(), "a folder, not a file"),
    "a pipe": (lambda path, good: os.mkfifo(path), "not a plain file"),
    "a device": (lambda path, good: path.symlink_to("/dev/zero"), "not a plain file"),
    "a link to itself": (loop, "cannot be read"),
    "a link to nothing": (link, "a link to nothing"),
    "a terabyte": (huge, "1099511627776 bytes"),
    # Archives that lie
    "a bomb": (bomb, "would unpack to"),
    "a bomb that lies": (lying_bomb, "another size than the directory says"),
    "too many members": (member("search/train/{}.npy", b"", 2000), r"\d{4} members"),
    "a member twice": (doubled, "two members are called 'step'"),
    "a member out of the folder": (member("../../evil.npy", npy("<i4", "(8,)")), r"no array ../../evil"),
    "an absolute member": (member("/etc/evil.npy", npy("<i4", "(8,)")), "no array /etc/evil"),
    "a member that climbs": (member("search/train/../../x.npy", npy("<i4", "(8,)")), "no array search/train/"),
    "a member of a line's length": (member("a\nb.npy", npy("<i4", "(8,)")), "a member is called"),
    "a larger size than there is": (lie(24, "<L", 2**20), "another size than the directory says"),
    "a size of four gigabytes": (lie(24, "<L", 2**32 - 1), "larger than can be"),
    "a member beyond the end": (lie(42, "<L", 2**31), "lies beyond its end"),
    "a packing of our own": (lie(10, "<H", 99), "what is not written here"),
    "a password": (lie(8, "<H", 1), "what is not written here"),
    # Arrays that lie
    "a pickle": (pickled, SAYS_NOTHING),
    "a pickle behind a header": (member("search/train/x.npy", npy("|O", "(1,)")), UNLIKE),
    "a shape of a terabyte": (member("search/train/x.npy", npy("<f4", "(1000000, 1000000)")), "32 bytes, which"),
    "a shape without end": (member("search/train/x.npy", npy("<f4", f"({'9' * 99},)")), UNLIKE),
    "a negative shape": (member("search/train/x.npy", npy("<f4", "(-8,)")), UNLIKE),
    "a shape that is code": (member("search/train/x.npy", npy("<f4", "(exit(),)")), UNLIKE),
    "a long header": (member("search/train/x.npy", npy("<f4", "(8,)", pad=70_000)), UNLIKE),
    "columns first": (member("search/train/x.npy", npy("<f4", "(4, 2)", order="True")), UNLIKE),
    "complex numbers": (changed(arrays={"search/train/loss": np.ones((2, 21), complex)}), UNLIKE),
    "text for numbers": (changed(arrays={"search/train/loss": np.array([["a"] * 21] * 2)}), "no array of numbers"),
    # Headers
    "no header": (lambda path, good: np.savez(path, step=np.arange(3)), "it has no header"),
    "a header of depth": (header(DEEP), SAYS_NOTHING),
    "a header without metadata": (header('{"checksum": ""}'), SAYS_NOTHING),
    "a header that is a list": (header("[]"), SAYS_NOTHING),
    "a number without end": (header('{"meta": {"schema": ' + "9" * 5000 + "}}"), SAYS_NOTHING),
    "a long header of text": (header(" " * 2**19), "its header has"),
    "a wrong checksum": (header('{"meta": {"schema": 1}, "checksum": ""}'), "its checksum does not match"),
    "a newer schema": (changed(schema=2), "made by a newer optgrid .* update optgrid"),
    "an older schema": (changed(schema=0), "of schema 0, which this optgrid"),
    "a schema that is text": (changed(schema="1"), "does not say of which schema"),
    # Right checksums
    "another unit's": (lambda path, good: path.write_bytes(good), "holds diabetes--sgd--r00"),
    "a task out of the folder": (changed({"task": "../../evil"}), "its task has a name of no file"),
    "a hidden task": (changed({"task": ".evil"}), "its task has a name of no file"),
    "an optimizer that clears the screen": (changed({"optimizer": "\x1b[2J"}), "its optimizer has characters that"),
    "an optimizer that cannot be written": (changed({"optimizer": "\ud800"}), "its optimizer has characters that"),
    "an optimizer of a kilobyte": (changed({"optimizer": "x" * 1000}), "its optimizer has more than"),
    "a task that is a list": (changed({"task": []}), "its task has no name"),
    "a negative replicate": (changed({"replicate": -1}), "its replicate is no whole number"),
    "a true replicate": (changed({"replicate": True}), "its replicate is no whole number"),
    "a floor that is not a number": (changed({"floor": float("nan")}), "its floor is no number"),
    "a floor of nothing": (changed({"floor": 0.0}), "its floor is no number above 0"),
    "a floor of many digits": (changed({"floor": 10**400}), "its floor is no number"),
    "no budget": (changed({"budget": None}), "its budget is no whole number"),
    "no parameters": (changed({"param_bytes": 0}), "its param_bytes is no whole number of at least 1"),
    "a protocol of more": (changed({"protocol": {**Protocol().identity, "evil": 1}}), "its protocol is none that"),
    "a protocol that is a list": (changed({"protocol": [1]}), "its protocol says nothing"),
    "a protocol of nothing": (changed({"protocol": {}}), "its protocol says nothing"),
    "times below nothing": (changed({"compile_s": -1.0}), "its compile_s is no time"),
    "a space that is text": (changed({"space": "wide"}), "its space are no plain values"),
    "defaults in depth": (changed({"defaults": {"a": {"b": [1]}}}), "its defaults are no plain values"),
    "a share that is text": (changed({"share": "all"}), "its share is not above 0"),
    "a metric that it has not": (changed({"metric": "evil"}), "it has no final/train/evil"),
    "steps that turn back": (changed(arrays={"step": np.arange(21)[::-1]}), "its step does not go from"),
    "steps that stand": (changed(arrays={"step": np.array([0] * 20 + [20])}), "its step does not ascend"),
    "a choice beyond the trials": (changed(arrays={"chosen": [9], **dict.fromkeys(SELECTED, 9)}), "none of its 2"),
    "a choice that was not selected": (changed(arrays={"chosen": np.arange(3)}), "not the trials that were"),
    "other trials than the protocol's": (changed({"protocol": Protocol(trials=99).identity}), "its protocol 99"),
    "a curve cut short": (changed(arrays={"search/test/loss": np.ones((2, 9), np.float32)}), r"has the shape \(2, 9\)"),
    "a curve of whole numbers": (changed(arrays={"search/test/loss": np.ones((2, 21), int)}), "not as a record has it"),
    "settings that are infinite": (changed(arrays={"hparams/learning_rate": [np.inf, 1.0]}), "is not finite"),
    "a learning rate of nothing": (changed(arrays={"hparams/learning_rate": [0.0, 1.0]}), "is not above 0"),
    "a place without a setting": (changed(arrays={"open/x": [True, True]}), "of no hyperparameter"),
    "no runs that diverged": (changed(arrays={"final/diverged": None}), "it has no final/diverged"),
    "no distance": (changed(arrays={"search/distance": None}), "it has no search/distance"),
    "evaluations that are given back": (changed(arrays={"search/grad_evals": [[*range(21)][::-1]] * 2}), "descends"),
    "evaluations below nothing": (changed(arrays={"search/grad_evals": np.full((2, 21), -1)}), "below what it can be"),
}  # fmt: skip


# Manifests and step times

MANIFESTS: dict[str, tuple[Any, str]] = {
    "empty": (b"", "not JSON"),
    "zeros": (bytes(100), "not JSON"),
    "in another encoding": ("{}".encode("utf-16")[:-1], "not JSON"),
    "deep": (DEEP.encode(), "not JSON"),
    "a list": ([], "it names no schema"),
    "without schema": ({"schema": None}, "it names no schema"),
    "of a schema without end": ({"schema": 10**400}, "it names no schema"),
    "tasks out of the folder": ({"tasks": ["../../evil"]}, "tasks"),
    "tasks that are text": ({"tasks": "diabetes"}, "tasks"),
    "tasks twice": ({"tasks": ["diabetes", "diabetes"]}, "tasks"),
    "optimizers that are numbers": ({"optimizers": [1, []]}, "optimizers"),
    "an optimizer of a surrogate": ({"optimizers": ["\ud800"]}, "optimizers"),
    "a suite that is a path": ({"suite": "../core"}, "suite"),
    "a protocol of another kind": ({"protocol": {**Protocol().identity, "schedule": []}}, "protocol"),
    "replicates without end": ({"replicates": 10**9}, "replicates"),
    "no replicates": ({"replicates": 0}, "replicates"),
    "true seeds": ({"seeds": True}, "seeds"),
    "fingerprints in depth": ({"fingerprints": {"a": {}}}, "fingerprints"),
    "failures that are a list": ({"failed": ["x"]}, "failed"),
    "skipped that is text": ({"skipped": "x"}, "skipped"),
    "a wall of words": ({"wall": {"sweep_s": "long"}}, "wall"),
    "an environment in depth": ({"environment": {"a": [1]}}, "environment"),
}  # fmt: skip


TIMES = {
    **{name: [1e-5, 2e-5, 3e-5] for name in ROUNDS},
    **{"doubling": 2.0, "distance": 1.0, "steps": 10, "device": "cpu", "cell": "right", "fingerprint": ""},
}
TIMINGS: dict[str, Any] = {
    "not JSON": b"{",
    "a list": [],
    "deep": DEEP.encode(),
    "in another encoding": b"\xff\xfe\x00",
    "not an object": {"o": 5},
    "not numbers": {"o": {**TIMES, "step_s": ["a", "b", "c"]}},
    "NaN": {"o": {**TIMES, "step_s": [float("nan")] * 3}},
    "infinite": {"o": {**TIMES, "step_cpu_s": [1.0, 1.0, float("inf")]}},
    "below nothing": {"o": {**TIMES, "step_s": [-1.0, -1.0, 1.0]}},
    "of fewer rounds": {"o": {**TIMES, "step_s": [1.0]}},
    "of no rounds": {"o": {**TIMES, "step_s": []}},
    "in multiples of nothing": {"o": {**TIMES, "sgd_step_s": [0.0, 1.0, 1.0]}},
    "of a number without end": {"o": {**TIMES, "distance": 10**400}},
    "of true steps": {"o": {**TIMES, "steps": True}},
    "of no cell": {"o": {name: value for name, value in TIMES.items() if name != "cell"}},
    "of a cell that is a list": {"o": {**TIMES, "cell": []}},
    "unsound without reason": {"o": {"unsound": None}},
}
