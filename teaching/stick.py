"""``python course.py stick FOLDER``: the course, MNIST and all wheels, for machines without a network.

In the copy, course.py finds the folder ``wheels`` beside it and asks pip to take everything from there.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from course import CPU_WHEELS, ROOT, WHEELS
from mnist_helpers import fetch_mnist

LEFT_HERE = shutil.ignore_patterns(
    ".git",
    ".venv",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".ipynb_checkpoints",
    "checkpoints",
    "runs",
    "_site",
    "data",  # which may lie elsewhere
)


def main() -> int:
    """Run the command line; return pip's exit status if it fails."""
    parser = argparse.ArgumentParser(
        prog="python course.py stick",
        description="Write a folder from which `python course.py` installs and opens the lessons with the "
        "network off, on machines with this system and this version of Python: 3 GB with CUDA, less without.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="a new folder, on a stick or a share")
    folder = parser.parse_args().folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        parser.error(f"{folder} exists and is not empty; name a new folder")
    if folder.is_relative_to(ROOT):
        parser.error(f"{folder} lies inside the course; name a folder outside")
    raw = Path("MNIST", "raw")
    data = fetch_mnist() / raw
    print(f"Copying the course to {folder}", flush=True)
    shutil.copytree(ROOT, folder, ignore=LEFT_HERE, dirs_exist_ok=True)
    shutil.copytree(data, folder / "data" / raw)
    return collect_wheels(folder / WHEELS.name)


def collect_wheels(folder: Path) -> int:
    """Fetch, or build, the wheels of all that the lessons need; return pip's exit status."""
    pip = [sys.executable, "-m", "pip", "wheel", "--wheel-dir", folder, "--find-links", folder]
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith(("#", "-e"))]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    packages += project["build-system"]["requires"] + extras["tracking"] + extras["pad"]
    commands = [[*pip, *packages]]
    if version("torch").endswith("+cpu"):  # as in this environment; pip then prefers these
        commands.insert(0, [*pip, "-i", CPU_WHEELS, *(name for name in packages if name.startswith("torch"))])
    for command in commands:
        if status := subprocess.run(command, check=False).returncode:
            print("course.py: the wheels are not complete (see above)", file=sys.stderr)
            return status
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
    print(
        f"Done, with {size:.1f} GB of wheels. Copy {folder.parent} to a machine, and there: python course.py"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
