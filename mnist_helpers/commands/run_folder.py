"""The folder of a run: what it was started with, what it printed, what it measured, where it stopped."""

import csv
import json
import os
import platform
import sys
import time
from contextlib import contextmanager
from importlib import metadata
from itertools import chain, count
from pathlib import Path

from ..errors import ReaderError
from ..launched import launched
from .common import ArgumentError

CONFIG, LOG, METRICS = "config.json", "stdout.log", "metrics.csv"
CHECKPOINT, CURVE, LOCK = "checkpoint.pt", "loss_curve.png", ".lock"


class RunError(ReaderError):
    """A run folder cannot be made, read or used; the text says which, why and what to do."""


def default_folder() -> Path:
    """A new folder under ``runs/``, named after the time, and numbered where two start in one second."""
    first = Path("runs") / time.strftime("%Y-%m-%d_%H-%M-%S")
    numbered = (first.with_name(f"{first.name}_{number}") for number in count(2))
    return next(folder for folder in chain([first], numbered) if not folder.exists())


def require_free(folder: Path) -> None:
    """Raise ArgumentError unless a new run may be put here: nothing is there, or an empty folder."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ArgumentError(f"argument --run-dir: {folder} is a file; a run needs a folder")
    # A process that is killed before it writes config.json leaves no more than these.
    if any(path.name != LOCK and path.suffix != ".part" for path in folder.iterdir()):
        raise ArgumentError(
            f"argument --run-dir: {folder} exists; go on with its run by --resume, or choose another"
        )


@contextmanager
def locked(folder: Path):
    """Keep other processes from training in this folder. The system frees the lock of a killed process."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RunError(f"{folder}: another process is training in it; wait for it, or stop it") from None


def circumstances(device) -> dict:
    """What the last digits of a result depend on beside the settings: versions, device, threads."""
    import torch

    versions = {"python": platform.python_version()}
    for package in ("mnist-notebooks", "torch", "torchvision", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # used from its folder, without having been installed
            versions[package] = "not installed"
    versions["torch"] = str(torch.__version__)  # with the build, +cpu or +cu130, which the metadata may lack
    return {
        "device": str(device),
        "processes": launched().world,
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "versions": versions,
    }


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
        os.replace(temporary, path)
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
    if not isinstance(config, dict) or any(not isinstance(config.get(k), t) for k, t in parts.items()):
        raise RunError(f"{path}: is not the {CONFIG} of a run")
    return config


class Metrics:
    """``metrics.csv``: a row for each logged batch and each evaluation.

    ``log`` is called as a tracker's: ``log({"train/loss": 0.5}, step=130)``. The columns are ``COLUMNS``;
    losses in nats, accuracies from 0 to 1, ``seconds`` of training since the start of the run, without the
    time between a stop and its resume. What was not measured is empty.
    """

    COLUMNS = (
        *("epoch", "step", "images_seen", "train_loss"),
        *("validation_loss", "validation_accuracy", "test_loss", "test_accuracy"),
        "seconds",
    )

    def __init__(self, path: Path, loader) -> None:
        self.path = path
        self.steps_per_epoch = len(loader)
        self.images, self.batch_size = len(loader.dataset), loader.batch_size
        self.started = time.monotonic()

    def cut(self, step: int, evaluations: int, *, without_test: bool) -> None:
        """Take back the rows that a resumed run will write again, and a line that was cut short.

        They are those of the batches from ``step`` on, and of all but the first ``evaluations`` evaluations;
        ``without_test`` also the one of the test set that ends a run with a validation split.
        """

        def stays(row) -> bool:
            if row["train_loss"]:
                return int(row["step"]) < step
            return int(row["epoch"]) < evaluations and not (without_test and row["test_loss"])

        try:
            kept = [row for row in self.read() if stays(row)]
            before = float(kept[-1]["seconds"]) if kept else 0
        except (KeyError, ValueError, csv.Error) as error:
            raise RunError(f"{self.path}: cannot be read ({error}); move it away to resume") from None
        with replaced(self.path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
        self.started = time.monotonic() - before

    def read(self) -> list[dict]:
        """Return the rows of the file, where there is one, less a last one that was cut short."""
        if not self.path.exists():
            return []
        with open(self.path, encoding="utf-8", newline="") as file:
            lines = file.read().splitlines(keepends=True)
        return list(csv.DictReader(line for line in lines if line.endswith("\n")))

    def log(self, values: dict, step: int) -> None:
        """Append a row; ``values`` are named as ``fit`` names them, "train/loss" and so on."""
        epoch, batches = divmod(step, self.steps_per_epoch)
        if "train/loss" in values:
            epoch += 1  # the one that is being trained; an evaluation counts the complete ones
        seen = (step // self.steps_per_epoch) * self.images + batches * self.batch_size
        row = {"epoch": epoch, "step": step, "images_seen": seen}
        row |= {name.replace("/", "_"): f"{value:.6f}" for name, value in values.items()}
        row["seconds"] = f"{time.monotonic() - self.started:.3f}"
        # Opened for each row, so that every row is in the file when the next batch begins.
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, self.COLUMNS, restval="", lineterminator="\n").writerow(row)


class _Copy:
    """A standard output that writes into a file too, all but what a progress bar draws over itself."""

    def __init__(self, terminal, file) -> None:
        self.terminal, self.file = terminal, file

    def write(self, text: str) -> int:
        if not text.startswith("\r"):
            self.file.write(text)
            self.file.flush()
        try:
            self.terminal.write(text)
            self.terminal.flush()  # a pipe would keep the lines back until there are many
        except BrokenPipeError:
            # Whoever read the lines has ended: ``| head``, or ``| tee`` after Ctrl-C, which reaches both. The
            # run goes on, its lines are in the file. What is still in the buffer needs somewhere to go.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.terminal.fileno())
        return len(text)

    def __getattr__(self, name):
        return getattr(self.terminal, name)


@contextmanager
def copied_output(path: Path):
    """Copy what is printed into ``path``, below what is there; yields a function that writes there alone."""
    terminal = sys.stdout
    if hasattr(terminal, "reconfigure"):  # the folder's name may hold what this terminal cannot show
        terminal.reconfigure(errors="backslashreplace")
    with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
        sys.stdout = _Copy(terminal, file)
        try:
            yield lambda line: print(line, file=file, flush=True)
        finally:
            sys.stdout = terminal
