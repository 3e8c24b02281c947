"""Does this machine have what the course needs? One answer per requirement, each with its remedy.

Nothing here is imported before it is tried: a torch that does not import is one of the things to be found.
"""

import errno
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from .errors import first_line

DISTRIBUTION = "mnist-notebooks"
OLDEST_PYTHON = (3, 11)
IMPORTED_AS = {"pillow": "PIL"}  # all others are imported under the name they are installed by
# MNIST takes 55 MB unpacked and as much again while it is being unpacked; the lessons' checkpoints are small.
MEGABYTES_WITHOUT_DATA = 200
MEGABYTES_WITH_DATA = 50

# Two OpenMP runtimes, or an instruction that this processor lacks: no Python error is left to read.
KILLED = "make a new environment, all from one place; if it happens again, try an older PyTorch"
OTHER_PYTHON = "this Python was built without a part of its own; use one from python.org, uv or conda"
KILLS = "importing it kills Python"
INSTALL = "in the course's folder: python -m pip install -r requirements.txt"
FETCH = "python -m mnist_helpers fetch"
OPEN = "its owner lets others read it (chmod -R a+rX FOLDER), or set MNIST_DATA_DIR to a folder of your own"
# In the error of a torchvision whose compiled part was built for a different torch from the one it finds.
MISMATCH = ("operator torchvision::nms does not exist", "undefined symbol", "could not be found in")
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
    packages = required_packages()
    for name, floor in packages.items():
        yield check_package(name, floor)
    yield from check_pairs(packages)
    yield check_jupyter()
    yield from check_data_and_disk(data_dir)
    yield check_device()
    if missing := [name for name in ("swanlab", "tensorboard") if find_spec(name) is None]:
        yield Finding(True, f"lesson 9 will first install {' and '.join(missing)}, from the network")


def check_python() -> Finding:
    """Check that this Python is new enough."""
    have, need = (".".join(map(str, version)) for version in (sys.version_info[:3], OLDEST_PYTHON))
    remedy = f"the course needs Python {need} or newer"
    return Finding(sys.version_info[:2] >= OLDEST_PYTHON, f"Python {have}", remedy)


def required_packages() -> dict[str, str]:
    """Return the lowest version of each package, from the checkout or else from the installed metadata."""
    pyproject, project = Path(__file__).resolve().parent.parent / "pyproject.toml", {}
    with suppress(OSError, KeyError):
        project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    if project.get("name") == DISTRIBUTION:
        requirements = project["dependencies"]
    else:
        requirements = [line for line in metadata.requires(DISTRIBUTION) or [] if "extra ==" not in line]
    return dict(line.split(">=") for line in requirements)


def check_package(name: str, floor: str) -> Finding:
    """Check that a package imports and is not older than `floor`."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    _, problem = run_apart(f"import {IMPORTED_AS.get(name, name)}")
    if problem and version is None:
        return Finding(False, f"{name} is not installed", INSTALL)
    if problem:
        return Finding(False, f"{name} {version} does not import: {problem}", remedy_for(name, problem))
    if version is None:
        return Finding(True, f"{name} (version unknown)")
    if is_older(version, floor):
        return Finding(False, f"{name} {version} is older than {floor}", f"{INSTALL} --upgrade")
    return Finding(True, f"{name} {version}")


def remedy_for(name: str, problem: str) -> str:
    """Return what helps where a package that is installed does not import."""
    missing = re.search(r"No module named '(_\w+)'", problem)
    if missing and missing[1] in sys.stdlib_module_names:
        return OTHER_PYTHON
    if KILLS in problem:
        return KILLED
    if name == "torchvision" and any(sign in problem for sign in MISMATCH):
        return BOTH_FROM_ONE_PLACE
    return f"{INSTALL} --force-reinstall"


def run_apart(code: str) -> tuple[str, str]:
    """Run a line of Python in a process of its own, which a library may kill; return (printed, problem)."""
    report = "except Exception as error:\n    sys.exit(first_line(error))"  # whatever a broken library raises
    program = f"import sys\nfrom {first_line.__module__} import first_line\ntry:\n    {code}\n{report}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode in (0, 1):
        return done.stdout.strip(), done.stderr.strip().splitlines()[-1] if done.returncode else ""
    name = signal.Signals(-done.returncode).name if done.returncode < 0 else f"{done.returncode:#x}"
    return "", f"{KILLS} ({name})"


def is_older(version: str, floor: str) -> bool:
    """Compare as pip does, but let 2.11.0a0 pass for 2.11: some vendors' builds of torch are called that."""
    try:
        from packaging.version import Version
    except ImportError:  # it comes with matplotlib, so that has a line of its own
        return False
    return Version(Version(version).base_version) < Version(floor)


def check_pairs(packages: Collection[str]) -> Iterator[Finding]:
    """Ask pip whether the packages, torchvision and torch above all, go together; say nothing without pip."""
    command = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if not done.stdout:
        return
    # Such as "torchvision 0.25.0 has requirement torch==2.10.0, but you have torch 2.11.0."
    words = {line: line.split() for line in done.stdout.splitlines() if ", but you have " in line}
    found = [line for line, (name, *_, other, _) in words.items() if {name, other} <= {*packages}]
    for line in found:
        yield Finding(False, line, BOTH_FROM_ONE_PLACE if "torchvision" in line else f"{INSTALL} --upgrade")
    if not found:
        yield Finding(True, "pip check: these packages fit together")


def check_jupyter() -> Finding:
    """Check that there is something to open the lessons with."""
    if find_spec("google") and find_spec("google.colab"):
        return Finding(True, "Jupyter: Google Colab")
    if find_spec("jupyterlab") is None or find_spec("ipykernel") is None:
        return Finding(False, "Jupyter: no JupyterLab here", INSTALL)
    return Finding(True, f"Jupyter: JupyterLab {metadata.version('jupyterlab')}")


def check_data_and_disk(data_dir: str | Path | None = None) -> Iterator[Finding]:
    """Check that the data folder holds MNIST, verified, and that there is room for what is still to come."""
    try:
        from .fetching import find_data_dir
        from .fetching.raw_files import FILES, describe_problem

        folder = find_data_dir(data_dir)
    except ImportError as error:
        yield Finding(False, f"data: cannot look for it: {first_line(error)}", INSTALL)
        return
    raw = folder / "MNIST" / "raw"
    checked = {file.name: describe_problem(raw / file.name, file) for file in FILES}
    problems = [f"{name} {problem}" for name, problem in checked.items() if problem]
    if set(checked.values()) == {"missing"}:
        yield Finding(False, f"data: not in {folder} yet", FETCH)
    elif problems:
        closed = any(os.strerror(errno.EACCES) in problem for problem in problems)
        yield Finding(False, f"data: in {folder}: {', '.join(problems)}", OPEN if closed else FETCH)
    else:
        yield Finding(True, f"data: {folder}, four files verified")
    yield check_disk(folder, MEGABYTES_WITHOUT_DATA if problems else MEGABYTES_WITH_DATA)


def check_disk(folder: Path, megabytes: int) -> Finding:
    """Check the free space where `folder` is or will be."""
    from .fetching.folder import free_megabytes

    free, existing = free_megabytes(folder.absolute())
    remedy = f"free {megabytes} MB, or set MNIST_DATA_DIR to a folder on another disk"
    return Finding(free >= megabytes, f"disk: {free:,} MB free at {existing}", remedy)


def check_device() -> Finding:
    """Say what the lessons will compute on. Every device will do, so only a missing torch is a failure."""
    printed, problem = run_apart(f"from {__name__} import device_name; print(device_name())")
    if problem:  # as in check_package, which has said why
        return Finding(False, "device: not known without torch", "see the line for torch")
    return Finding(True, "device: " + "; ".join(reversed(printed.splitlines())))  # a note comes first


def device_name() -> str:
    """Return what ``pick_device`` chooses here, in words."""
    import torch

    from .training import pick_device

    kind = pick_device().type
    if kind == "cuda":
        return f"CUDA, {torch.cuda.get_device_name(0)}"
    if kind == "mps":
        return "MPS, this Mac's graphics processor"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
