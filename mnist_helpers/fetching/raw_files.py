"""The four files of MNIST: how each is verified, and made from a ``.gz`` or from CSV."""

import gzip
import hashlib
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from ..files import replace


class RawFile(NamedTuple):
    """One of the four unpacked files: its size in bytes, its SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


_LISTING = """\
train-images-idx3-ubyte 47040016 ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train-labels-idx1-ubyte 60008 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
t10k-images-idx3-ubyte 7840016 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
t10k-labels-idx1-ubyte 10008 ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
"""
FILES = tuple(
    RawFile(name, int(size), digest) for name, size, digest in map(str.split, _LISTING.splitlines())
)


class Refused(Exception):
    """A source did not deliver the file, or delivered other bytes; the text says why."""


class Unreachable(Refused):
    """A source cannot be used at all, so there is no point in asking it for the next file."""


def describe_problem(path: Path, file: RawFile) -> str | None:
    """Return what is wrong with the unpacked file at ``path``, or None if it is ``file``."""
    try:
        if not path.exists():
            return "missing"
        if not path.is_file():
            return "not a file"
        size = path.stat().st_size
        if size != file.size:
            return f"{size:,} bytes instead of {file.size:,}"
        with open(path, "rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if digest == file.sha256 else "damaged or another file (its SHA-256 is wrong)"


def unpack(packed: Path, file: RawFile, scratch: Path) -> Path:
    """Unpack a ``.gz`` into ``scratch`` and return the path; raise Refused if it is something else.

    A file that begins like an IDX file is returned as it is: a server may have unpacked it on the way
    (``Content-Encoding: gzip``).
    """
    with open(packed, "rb") as stream:
        head = stream.read(512)
    if head.startswith(b"\x00\x00\x08"):
        return packed
    if head.lstrip().startswith(b"<"):
        raise Refused("a web page instead of the file (does this network want a login?)")
    if not head.startswith(b"\x1f\x8b"):
        raise Refused("neither the .gz nor the raw file" if head else "an empty file")
    target = scratch / file.name
    left = file.size + 1  # never more than that, whatever the .gz claims
    try:
        with gzip.open(packed) as source, open(target, "wb") as out:
            while left and (block := source.read(min(left, 1 << 20))):
                left -= out.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Refused("a .gz that is cut short or damaged") from None
    return target


def move_into_place(path: Path, target: Path, file: RawFile) -> None:
    """Verify the file at ``path`` and give it its final name; raise Refused if it is not ``file``."""
    if problem := describe_problem(path, file):
        raise Refused(problem)
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())  # on the disk before the name points to it
    replace(path, target)


def rebuild_from_csv(lines, split: str, folder: Path) -> None:
    """Write the two IDX files of ``split`` ("train" or "t10k") into ``folder``.

    A line of CSV is a label and 784 pixels, after one line of column names. Raises ValueError for anything
    else.
    """
    import numpy as np

    table = np.loadtxt(lines, delimiter=",", dtype=np.uint8, skiprows=1, ndmin=2)  # (N, 785)
    if table.shape[1] != 785:
        raise ValueError(f"{table.shape[1]} columns instead of 785")
    # An IDX header is a magic number for type and dimensions, then each dimension's size, big-endian.
    for kind, header, columns in (
        ("images-idx3", struct.pack(">IIII", 0x803, len(table), 28, 28), table[:, 1:]),
        ("labels-idx1", struct.pack(">II", 0x801, len(table)), table[:, 0]),
    ):
        (folder / f"{split}-{kind}-ubyte").write_bytes(header + columns.tobytes())
