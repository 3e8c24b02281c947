"""The four files of MNIST: names, sizes, checksums, and how a ``.gz`` or a CSV becomes one of them."""

import gzip
import hashlib
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple


class RawFile(NamedTuple):
    """One of the four unpacked files: ``size`` in bytes and ``sha256`` as 64 hexadecimal digits."""

    name: str
    size: int
    sha256: str


FILES = (
    RawFile(
        "train-images-idx3-ubyte",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    RawFile(
        "train-labels-idx1-ubyte",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    RawFile(
        "t10k-images-idx3-ubyte",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    RawFile(
        "t10k-labels-idx1-ubyte",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)


class Refused(Exception):
    """These bytes are not the file that was asked for, or it is not to be had; the text says why."""


def describe_problem(path: Path, file: RawFile) -> str | None:
    """Return what is wrong with the unpacked file at ``path`` in a few words, or None if it is ``file``."""
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
    """Unpack a ``.gz`` into the folder ``scratch`` and return the path; raise Refused if it is not one.

    A server may have unpacked it on the way (``Content-Encoding: gzip``), so bytes that begin like an IDX
    file are passed on as they are.
    """
    with open(packed, "rb") as stream:
        head = stream.read(512)
    if head.startswith(b"\x00\x00\x08"):
        return packed
    if head.lstrip().startswith(b"<"):
        raise Refused("a web page instead of the file (does this network want a login?)")
    if not head.startswith(b"\x1f\x8b"):
        raise Refused("neither the .gz nor the raw file" if head else "an empty file")
    target = Path(tempfile.mkdtemp(dir=scratch)) / file.name
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
    problem = describe_problem(path, file)
    if problem:
        raise Refused(problem)
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())  # on the disk before the name points at it
    os.replace(path, target)


def rebuild_from_csv(lines, split: str, folder: Path) -> None:
    """Write the images and labels of ``split`` ("train" or "t10k") into ``folder`` from CSV.

    Each line is a label and 784 pixels, 0 to 255, under one line of column names. The IDX headers are as
    MNIST's page described them: a magic number that names type and dimensions, then the sizes, big-endian.
    Raises ValueError for anything else.
    """
    import numpy as np

    table = np.loadtxt(lines, delimiter=",", dtype=np.uint8, skiprows=1, ndmin=2)  # (N, 785)
    if table.shape[1] != 785:
        raise ValueError(f"{table.shape[1]} columns instead of 785")
    count = len(table)
    with open(folder / f"{split}-images-idx3-ubyte", "wb") as images:
        images.write(struct.pack(">IIII", 0x803, count, 28, 28))
        images.write(np.ascontiguousarray(table[:, 1:]).data)
    with open(folder / f"{split}-labels-idx1-ubyte", "wb") as labels:
        labels.write(struct.pack(">II", 0x801, count))
        labels.write(np.ascontiguousarray(table[:, 0]).data)
