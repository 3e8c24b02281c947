"""course.py in a folder with stand-ins for everything heavy, and how a test starts it."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Outside of the environment that runs these tests; the script would use that one, and install into it.
SYSTEM_PYTHON = getattr(sys, "_base_executable", sys.executable)
IN_CONDA = Path(sys.base_prefix, "conda-meta").is_dir() and not Path(sys.base_prefix, "condabin").is_dir()
outside = pytest.mark.skipif(IN_CONDA, reason="no Python outside of this conda environment is known")
PRINT_ARGUMENTS = "import sys; print(__spec__.name, *sys.argv[1:], flush=True)\n"


def start(folder: Path, *arguments: str, python=SYSTEM_PYTHON, **environment: str):
    """Run course.py in `folder` and return what it printed and its exit status."""
    return subprocess.run(
        [python, folder / "course.py", *arguments],
        cwd=folder.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def course(tmp_path) -> Path:
    """A folder with the real course.py and pyproject.toml and stand-ins for everything heavy."""
    folder = tmp_path / "a course"
    (folder / "mnist_helpers").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    for name in ("course.py", "pyproject.toml"):
        shutil.copyfile(ROOT / name, folder / name)
    (folder / "requirements.txt").write_text("# nothing\n", encoding="utf-8")
    (folder / "mnist_helpers" / "__init__.py").touch()
    for module in ("mnist_helpers/__main__.py", "jupyterlab.py", "pytest.py"):
        (folder / module).write_text(PRINT_ARGUMENTS, encoding="utf-8")
    return folder


@pytest.fixture
def environment(course) -> Path:
    """The Python of an environment in which, by its stamp, everything is installed. It has no pip."""
    folder = course.parent / "environment"
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    question = [python, "-c", "import course; print(course.fingerprint())"]
    fingerprint = subprocess.run(question, cwd=course, capture_output=True, text=True, check=True).stdout
    (folder / "mnist-notebooks.stamp").write_text(f"{fingerprint.strip()} test\n", encoding="utf-8")
    return python
