"""A stand-in for Colab, which the tests cannot reach: its IPython, ipykernel and matplotlib, no package."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Colab in August 2026. Its Python is 3.13; IPython 7.34 does not promise to run on a newer one.
VERSIONS = {"ipython": "7.34.0", "ipykernel": "6.17.1", "matplotlib": "3.10.0"}
NEWEST_PYTHON = (3, 13)


def make_environment(folder: Path) -> Path:
    """Make a virtual environment with Colab's versions in front of this one's packages; return its Python.

    torch and the rest come from the environment that runs the tests, by a .pth file: a path added that way
    does not run the .pth files in it, so an editable mnist_helpers is not seen. Raises RuntimeError with the
    last lines of pip when the packages cannot be had (no network, say).
    """
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).stdout.strip()
    mine = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(packages) / "tests.pth").write_text("\n".join(sorted(mine)) + "\n", encoding="utf-8")
    wanted = [f"{name}=={version}" for name, version in VERSIONS.items()]
    result = run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=False
    )
    if result.returncode != 0:
        raise RuntimeError("\n".join(result.stderr.splitlines()[-3:]))
    return python


def write_kernel(folder: Path, python: Path, environment: dict[str, str]) -> None:
    """Write a kernel named ``colab`` below ``folder`` (a JUPYTER_PATH) that runs ``python``."""
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Colab's versions",
        "language": "python",
        "env": environment,
    }
    kernel = folder / "kernels" / "colab" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps(spec), encoding="utf-8")


def make_clone(folder: Path, address: str) -> Path:
    """Put this checkout's package into a local git repository; return a git configuration that serves it.

    With that configuration git fetches ``address`` from the local repository (url.*.insteadOf).
    """
    clone = folder / "clone"
    shutil.copytree(
        ROOT / "mnist_helpers", clone / "mnist_helpers", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone / name)
    config = folder / "gitconfig"
    config.write_text(
        f"[user]\n\tname = Tests\n\temail = tests@localhost\n[safe]\n\tdirectory = *\n"
        f'[url "{clone.as_uri()}"]\n\tinsteadOf = {address}\n',
        encoding="utf-8",
    )
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(config)}
    for command in (["init", "--quiet", "-b", "main"], ["add", "."], ["commit", "--quiet", "-m", "A copy"]):
        run(["git", "-C", clone, *command], env=environment)
    return config


def run(command, check=True, **more) -> subprocess.CompletedProcess:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    if check and result.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {result.stderr[-500:]}")
    return result


def can_be_made() -> str:
    """Why the stand-in cannot be made here, or an empty string."""
    if sys.version_info[:2] > NEWEST_PYTHON:
        return f"IPython {VERSIONS['ipython']} is tried up to Python {'.'.join(map(str, NEWEST_PYTHON))}"
    if shutil.which("git") is None:
        return "git is not installed"
    return ""
