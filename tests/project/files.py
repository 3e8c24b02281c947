"""The repository's files, as these tests read them."""

import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEST_COMMAND = "python course.py test"


def repository_files() -> list[Path]:
    """Return the files that git tracks or would track; without git (an unpacked ZIP) the test is skipped."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout, so the repository's own files cannot be told from others")
    paths = [ROOT / name for name in listing.split("\0") if name]
    assert len(paths) > 20
    return [path for path in paths if path.is_file()]
