"""The folder of a run: what it was started with, what it printed, what it measured, where it stopped."""

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib import metadata
from itertools import chain, count
from pathlib import Path

from ..errors import ReaderError
from ..files import has_locks, replace
from .settings import SettingError
from .torchrun import torchrun_env

CONFIG, LOG, METRICS = "config.json", "stdout.log", "metrics.csv"
CHECKPOINT, SNAPSHOTS = "checkpoint.pt", "snapshots.pt"
CURVE, LOCK = "loss_curve.png", ".lock"
COURSE = Path(__file__).resolve().parents[2]


class RunError(ReaderError):
    """A run folder cannot be made, read or used; the text says which, why and what to do."""


def default_folder() -> Path:
    """Return a new folder under ``runs/``, named after the time, with a number if that exists."""
    first = Path("runs") / time.strftime("%Y-%m-%d_%H-%M-%S")
    numbered = (first.with_name(f"{first.name}_{number}") for number in count(2))
    return next(folder for folder in chain([first], numbered) if not folder.exists())


def require_free(folder: Path) -> None:
    """Raise SettingError unless a new run may go here: the folder does not exist yet, or is empty."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SettingError("run_dir", f"{folder} is a file; a run needs a folder")
    # A process that is killed before it writes config.json leaves no more than these.
    names = {path.name for path in folder.iterdir() if path.name != LOCK and path.suffix != ".part"}
    if CONFIG in names:
        raise SettingError(
            "run_dir", f"{folder} exists and holds a run; go on with it by --resume, or choose another"
        )
    if names:
        raise SettingError("run_dir", f"{folder} holds other files; choose a new folder, or an empty one")


@contextmanager
def locked(folder: Path):
    """Keep other processes from training in this folder. The system frees the lock of a killed process."""
    from filelock import FileLock, Timeout

    if not has_locks(folder / LOCK):
        print(f"note: {folder} cannot be locked here; do not start two trainings in it")
        yield
        return
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunError(f"{folder}: another process is training in it; wait for it, or stop it") from None


def circumstances(device, data_dir: Path) -> dict:
    """Return what a result depends on besides the settings: code, data, versions, device, threads."""
    import torch

    versions = {"python": platform.python_version()}
    for package in ("mnist-notebooks", "torch", "torchvision", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # used from its folder, without being installed
            versions[package] = "not installed"
    versions["torch"] = str(torch.__version__)  # with the build, +cpu or +cu130, which the metadata may lack
    return {
        "command": sys.argv[1:],
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
        "course": course_commit(),
        "data_dir": str(data_dir),
        "device": str(device),
        "processes": torchrun_env().world,
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "versions": versions,
    }


def course_commit() -> dict:
    """Return the commit of the course and whether files differ from it; None for what cannot be known."""

    def git(*words) -> str | None:
        try:
            finished = subprocess.run(["git", "-C", COURSE, *words], capture_output=True, text=True)
        except OSError:  # there is no git here
            return None
        return finished.stdout.strip() if finished.returncode == 0 else None

    if (COURSE / ".git").exists():
        changes = git("status", "--porcelain")
        return {
            "commit": git("rev-parse", "HEAD"),
            "files_differ": None if changes is None else bool(changes),
        }
    try:  # pip records the commit that it installed from
        installed = metadata.distribution("mnist-notebooks").read_text("direct_url.json")
        return {"commit": json.loads(installed)["vcs_info"]["commit_id"], "files_differ": None}
    except (metadata.PackageNotFoundError, TypeError, KeyError, ValueError):
        return {"commit": None, "files_differ": None}


def counted(number: int, thing: str) -> str:
    """Return "1 epoch", "2 epochs", "2 batches"."""
    ending = "" if number == 1 else "es" if thing == "batch" else "s"
    return f"{number:,} {thing}{ending}"


def quoted(path) -> str:
    """Return a path as a shell reads it, in quotes if it holds a space or the like."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def write_config(folder: Path, config: dict) -> None:
    """Write ``config.json``, so that there is either the old one or the new one, never half of one."""
    with replaced(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


@contextmanager
def replaced(path: Path):
    """Yield a temporary name beside ``path``, and move the file written there into place."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_config(folder: Path) -> dict:
    """Return what ``write_config`` wrote, or raise RunError."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder}: there is no run to resume ({CONFIG} is missing)") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from None
    parts = {"settings": dict, "started": dict, "resumed": list}
    if (
        not isinstance(config, dict)
        or any(not isinstance(config.get(name), kind) for name, kind in parts.items())
        or any(not isinstance(each, dict) for each in config["resumed"])
    ):
        raise RunError(f"{path}: is not the {CONFIG} of a run")
    return config


class _Copy:
    """A standard output that also writes to a file, except what a progress bar draws over itself."""

    def __init__(self, terminal, file) -> None:
        self.terminal, self.file = terminal, file

    def write(self, text: str) -> int:
        if not text.startswith("\r"):
            self.file.write(text)
            self.file.flush()
        try:
            self.terminal.write(text)
            self.terminal.flush()  # a pipe would hold the lines back until there are many
        except BrokenPipeError:
            # The reader of the lines is gone: ``| head``, or ``| tee`` after Ctrl-C, which reaches both. The
            # run goes on; its lines are in the file. What is still in the buffer needs somewhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.terminal.fileno())
        return len(text)

    def __getattr__(self, name):
        return getattr(self.terminal, name)


@contextmanager
def copied_output(path: Path):
    """Append what is printed to the file at ``path``; yields a function that prints only there."""
    terminal = sys.stdout
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        sys.stdout = _Copy(terminal, file)
        try:
            yield lambda line: print(line, file=file, flush=True)
        finally:
            sys.stdout = terminal
