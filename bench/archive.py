"""The .npz that a record is on disk, taken apart without trusting a byte of it.

Only what this project writes is read: a zip without comment, passwords or parts, whose members are deflated or stored
arrays of plain numbers in C order. Sizes are held to their bounds before anything of that size is made; the numbers are
views of the bytes that were there, whatever shape is claimed. Nothing is evaluated, and nothing written to disk.
"""

import re
import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from bench.errors import DamagedRecord

LARGEST = 2**28  # bytes of a file, and of all its members unpacked: a hundred times the largest that has been of use
FREE = 2**24  # bytes that members may unpack to however well they are packed, as runs that diverged are
RATIO = 200  # of the bytes unpacked beyond that to those of the file
MEMBERS = 1024
NAME = 240  # bytes of a member's name
TEXT = 2**20  # bytes of the text, which has four for each character

END = struct.Struct("<4s4H2LH")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
STORED, DEFLATED = 0, 8
ENCRYPTED, UTF_8 = 1, 1 << 11

ARRAY = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)"
    rb"\{'descr': '(?P<kind>[<|][bifU][0-9]{1,7})', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(?:[0-9]{1,9}(?:, [0-9]{1,9}){0,3},?)?)\), \} *\n",
    re.DOTALL,
)
KINDS = {kind: np.dtype(kind) for kind in ("|b1", "<i4", "<i8", "<f4", "<f8")}


class Member(NamedTuple):
    """Where a member's bytes are, how they are packed, and how many they are unpacked."""

    name: str
    start: int
    packed: int
    method: int
    size: int


def members(content: bytes) -> Mapping[str, Member]:
    """The members of an archive by name, without the ending .npy.

    Raises:
      DamagedRecord: it is none, or its members are too many or too large.
    """
    found: dict[str, Member] = {}
    at, end, count = _directory(content)
    for _ in range(count):
        member, at = _member(content, at, end)
        if member.name in found:
            raise DamagedRecord(f"not a record (two members are called {member.name!r})")
        found[member.name] = member
    if at != end:
        raise DamagedRecord("not a record (its directory has another length than it says)")
    total = sum(member.size for member in found.values())
    if total > min(LARGEST, max(FREE, RATIO * len(content))):
        raise DamagedRecord(f"not a record ({len(content)} bytes that would unpack to {total})")
    return found


def text(content: bytes, member: Member) -> str:
    """The text that a member holds.

    Raises:
      DamagedRecord: it is no text, or a very long one.
    """
    if member.size > TEXT:
        raise DamagedRecord(f"not a record (its header has {member.size} bytes)")
    data, kind, shape, start = _opened(content, member)
    if kind[:2] != "<U" or shape != () or len(data) - start != 4 * int(kind[2:]):
        raise DamagedRecord("not a record (its header is no text)")
    try:
        return str(memoryview(data)[start:], "utf-32-le").rstrip("\0")
    except UnicodeDecodeError as error:
        raise DamagedRecord("not a record (its header is no text)") from error


def array(content: bytes, member: Member) -> np.ndarray:
    """The numbers that a member holds; read-only.

    Raises:
      DamagedRecord: they are none, or of another shape than is said.
    """
    data, kind, shape, start = _opened(content, member)
    dtype = KINDS.get(kind)
    if dtype is None:
        raise DamagedRecord(f"{member.name} is of the kind {kind}, and no array of numbers")
    count = 1
    for length in shape:
        count *= length
    if not count or count * dtype.itemsize != len(data) - start:
        raise DamagedRecord(f"{member.name} has {len(data) - start} bytes, which are not {shape} of {kind}")
    values = np.frombuffer(data, dtype, offset=start).reshape(shape)
    if kind == "|b1" and values.view(np.uint8).max() > 1:
        raise DamagedRecord(f"{member.name} has truth values that are neither true nor false")
    return values


def _directory(content: bytes) -> tuple[int, int, int]:
    """Where the archive's directory begins and ends, and how many members it lists."""
    end = len(content) - END.size
    if end < 0:
        raise DamagedRecord(f"not a record (its {len(content)} bytes are no archive)")
    mark, disk, first, here, count, size, start, comment = END.unpack_from(content, end)
    if mark != b"PK\5\6" or disk or first or comment or here != count or start + size != end:
        raise DamagedRecord("not a record (it does not end as an archive: cut off, or something else)")
    if count > MEMBERS:
        raise DamagedRecord(f"not a record ({count} members)")
    return start, end, count


def _member(content: bytes, at: int, end: int) -> tuple[Member, int]:
    """The directory's entry at `at`, and where the next one is."""
    if at + ENTRY.size > end:
        raise DamagedRecord("not a record (its directory is cut off)")
    mark, _, _, flags, method, _, _, _, packed, size, length, extra, comment, disk, _, _, start = ENTRY.unpack_from(
        content, at
    )
    after = at + ENTRY.size + length
    if mark != b"PK\1\2" or flags & ENCRYPTED or method not in (STORED, DEFLATED) or disk or length > NAME:
        raise DamagedRecord("not a record (its directory lists what is not written here)")
    raw = content[at + ENTRY.size : after]
    if start + LOCAL.size > end:
        raise DamagedRecord("not a record (a member lies beyond its end)")
    head = LOCAL.unpack_from(content, start)
    begin = start + LOCAL.size + head[-2] + head[-1]
    if head[0] != b"PK\3\4" or content[start + LOCAL.size : start + LOCAL.size + head[-2]] != raw:
        raise DamagedRecord("not a record (its directory and its members differ)")
    if begin + packed > end or size > LARGEST:
        raise DamagedRecord("not a record (a member is larger than can be)")
    try:
        name = raw.decode("utf-8" if flags & UTF_8 else "ascii").removesuffix(".npy")
    except UnicodeDecodeError as error:
        raise DamagedRecord("not a record (a member's name is no text)") from error
    if not name.isprintable():
        raise DamagedRecord(f"not a record (a member is called {name!a})")
    return Member(name, begin, packed, method, size), after + extra + comment


def _opened(content: bytes, member: Member) -> tuple[bytes, str, tuple[int, ...], int]:
    """A member's bytes, its kind and shape by its own header, and where its numbers begin."""
    data = _unpacked(content, member)
    head = ARRAY.match(data)
    if head is None or head.end() != 10 + int.from_bytes(head["length"], "little"):
        raise DamagedRecord(f"{member.name} is no array as they are written here")
    shape = tuple(int(length) for length in head["shape"].replace(b",", b" ").split())
    return data, head["kind"].decode(), shape, head.end()


def _unpacked(content: bytes, member: Member) -> bytes:
    """The bytes of a member, no more than the directory says that there are."""
    packed = memoryview(content)[member.start : member.start + member.packed]
    if member.method == STORED:
        data, whole = bytes(packed[: member.size + 1]), True
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflater.decompress(packed, member.size + 1)
        except zlib.error as error:
            raise DamagedRecord(f"not a record ({member.name} does not unpack)") from error
        whole = inflater.eof
    if not whole or len(data) != member.size:
        raise DamagedRecord(f"not a record ({member.name} has another size than the directory says)")
    return data
