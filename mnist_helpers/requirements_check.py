"""Does this machine have what the course needs? One answer per requirement, each with its remedy.

Nothing here is imported before it is tried: a torch that does not import is one of the things to be found.
"""

import importlib
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

DISTRIBUTION = "mnist-notebooks"
OLDEST_PYTHON = (3, 11)
IMPORTED_AS = {"pillow": "PIL"}  # all others bear the name under which they are installed
# MNIST takes 55 MB unpacked and as much again while it is being unpacked; the lessons' checkpoints are small.
MEGABYTES_WITHOUT_DATA = 200
MEGABYTES_WITH_DATA = 50

INSTALL = "in the course's folder: python -m pip install -r requirements.txt"
FETCH = "python -m mnist_helpers fetch"
# Raised when torchvision's compiled part was built for another torch than the one it finds.
MISMATCH = "operator torchvision::nms does not exist"
BOTH_FROM_ONE_PLACE = (
    "install both from one place, and in one go: "
    "python -m pip uninstall -y torch torchvision, then python -m pip install torch torchvision"
)


class Finding(NamedTuple):
    """One line of the report: whether it is as it should be, what was found, and the remedy if it is not."""

    ok: bool
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"OK    {self.text}" if self.ok else f"FAIL  {self.text} -> {self.remedy}"


def check_requirements(data_dir: str | Path | None = None) -> Iterator[Finding]:
    """Yield a Finding for each requirement of the course, in the order in which they build on each other.

    Nothing is downloaded, installed or written. `data_dir` is as in ``fetch_mnist``.
    """
    yield check_python()
    for name, floor in required_packages():
        yield check_package(name, floor)
        if name == "torchvision":
            yield check_pair()
    yield check_jupyter()
    yield from check_data_and_disk(data_dir)
    yield check_device()


def check_python() -> Finding:
    """Check that this Python is new enough."""
    have = ".".join(map(str, sys.version_info[:3]))
    need = ".".join(map(str, OLDEST_PYTHON))
    return Finding(
        sys.version_info[:2] >= OLDEST_PYTHON, f"Python {have}", f"the course needs Python {need} or newer"
    )


def required_packages() -> list[tuple[str, str]]:
    """Return name and lowest version of each package the course needs.

    They are read from the checkout's pyproject.toml or, where the package was installed without one, from
    the installed metadata; so they are stated once.
    """
    pyproject = Path(__file__).resolve().parent.parent / "pyproject.toml"
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
        requirements = project["dependencies"] if project["name"] == DISTRIBUTION else None
    except (OSError, KeyError):
        requirements = None
    if requirements is None:
        requirements = [line for line in metadata.requires(DISTRIBUTION) or [] if "extra ==" not in line]
    found = (re.match(r"([\w.-]+?)\s*\(?>=\s*([\w.]+)", line) for line in requirements)
    return [match.groups() for match in found]


def check_package(name: str, floor: str) -> Finding:
    """Check that a package imports and is not older than `floor`."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    try:
        importlib.import_module(IMPORTED_AS.get(name, name))
    except Exception as error:  # A broken installation raises anything: OSError for a DLL, RuntimeError, ...
        if version is None:
            return Finding(False, f"{name} is not installed", INSTALL)
        remedy = BOTH_FROM_ONE_PLACE if is_mismatch(name, error) else f"{INSTALL} --force-reinstall"
        return Finding(False, f"{name} {version} does not import: {one_line(error)}", remedy)
    if version is None:
        return Finding(True, f"{name} (version unknown)")
    if release(version) < release(floor):
        return Finding(False, f"{name} {version} is older than {floor}", f"{INSTALL} --upgrade")
    return Finding(True, f"{name} {version}")


def is_mismatch(name: str, error: Exception) -> bool:
    """Tell whether torchvision fails because it was built for another torch."""
    signs = (MISMATCH, "undefined symbol", "could not be found in")
    return name == "torchvision" and any(sign in str(error) for sign in signs)


def check_pair() -> Finding:
    """Check that torchvision was built for this torch: its metadata names the one version that fits."""
    try:
        have, needs = metadata.version("torch"), metadata.requires("torchvision") or []
    except metadata.PackageNotFoundError as error:
        return Finding(False, f"torchvision and torch: {error.name} is not installed", INSTALL)
    exact = [match[1] for line in needs if (match := re.match(r"torch\s*\(?==\s*([\w.]+)", line))]
    if exact and release(exact[0]) != release(have):
        return Finding(
            False, f"torchvision wants torch {exact[0]}, and torch {have} is here", BOTH_FROM_ONE_PLACE
        )
    return Finding(True, f"torchvision and torch {have} fit each other")


def check_jupyter() -> Finding:
    """Check that there is something to open the lessons with."""
    if find_spec("google") and find_spec("google.colab"):
        return Finding(True, "Jupyter: Google Colab")
    if find_spec("jupyterlab") is None or find_spec("ipykernel") is None:
        return Finding(False, "Jupyter: no JupyterLab here", INSTALL)
    return Finding(True, f"Jupyter: JupyterLab {metadata.version('jupyterlab')}")


def check_data_and_disk(data_dir: str | Path | None = None) -> Iterator[Finding]:
    """Check that MNIST lies verified in the data folder, and that there is room for what is still to come.

    Yields two findings, because the room that is needed depends on whether the data is there.
    """
    # Imported late: a package that fetch needs may be missing.
    try:
        from .fetch import find_data_dir
        from .sources.raw_files import FILES, describe_problem

        folder = find_data_dir(data_dir)
    except ImportError as error:
        yield Finding(False, f"data: cannot be looked for: {one_line(error)}", INSTALL)
        return
    raw = folder / "MNIST" / "raw"
    problems = {file.name: describe_problem(raw / file.name, file) for file in FILES}
    problems = {name: problem for name, problem in problems.items() if problem}
    if not raw.is_dir():
        yield Finding(False, f"data: not in {folder} yet", FETCH)
    elif problems:
        listing = ", ".join(f"{name} {problem}" for name, problem in problems.items())
        yield Finding(False, f"data: in {folder}: {listing}", FETCH)
    else:
        yield Finding(True, f"data: {folder}, four files verified")
    yield check_disk(folder, MEGABYTES_WITHOUT_DATA if problems else MEGABYTES_WITH_DATA)


def check_disk(folder: Path, megabytes: int) -> Finding:
    """Check the free space where `folder` is or will be."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free // 1_000_000
    remedy = f"free {megabytes} MB, or set MNIST_DATA_DIR to a folder on another disk"
    return Finding(free >= megabytes, f"disk: {free:,} MB free at {existing}", remedy)


def check_device() -> Finding:
    """Say what the lessons will compute on. Every device will do, so only a missing torch is a failure."""
    try:
        import torch
    except Exception:  # As in check_package, which has said why.
        return Finding(False, "device: not known without torch", "see the line for torch")
    if torch.cuda.is_available():
        return Finding(True, f"device: CUDA, {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Finding(True, "device: MPS, this Mac's graphics processor")
    threads = torch.get_num_threads()
    return Finding(True, f"device: CPU, {threads} thread{'s' if threads > 1 else ''}")


def release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version: (2, 11, 0) for ``2.11.0+cu128``, so that 2.9 comes before 2.10."""
    numbers = [int(part) for part in re.match(r"[\d.]*", version)[0].split(".") if part]
    while numbers and numbers[-1] == 0:  # 2.11 and 2.11.0 are the same version.
        numbers.pop()
    return tuple(numbers)


def one_line(error: Exception) -> str:
    """Return the first line of an error's text, or its kind where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
