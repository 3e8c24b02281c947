"""The folder that holds MNIST: where it is, what is missing from it, and how it is filled.

The data may come from anywhere, but only the right bytes are used: each file is compared with its SHA-256.
torchvision's own loader trusts what is there, has no timeout, and is confused by two processes at once.
"""

import errno
import math
import os
import shutil
import tempfile
import tomllib
from contextlib import nullcontext, suppress
from itertools import chain, count
from pathlib import Path

from ..errors import ReaderError
from ..files import has_locks
from .mirrors import Mirror, mirror_addresses
from .raw_files import FILES, RawFile, Refused, Unreachable, describe_problem, move_into_place, unpack
from .wheel import Wheel

SCRATCH = ".fetching-"


class DataError(ReaderError):
    """MNIST is not there and cannot be obtained; the text says why and what to do."""


def find_data_dir(data_dir: str | Path | None = None) -> Path:
    """Return the data folder, which need not exist yet, as an absolute path.

    That is the argument; else the environment variable ``MNIST_DATA_DIR``; else ``data/`` at the root of a
    checkout of the course; else a cache folder of this user.
    """
    chosen = data_dir or os.environ.get("MNIST_DATA_DIR")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError:  # ~name, and there is no such user here
            return Path(chosen).absolute()
    root = Path(__file__).resolve().parents[2]
    with suppress(OSError, ValueError, KeyError):
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        if project["name"] == "mnist-notebooks" and (root / "notebooks").is_dir():
            return root / "data"
    import pooch

    return Path(pooch.os_cache("mnist-notebooks"))


def fetch_mnist(data_dir: str | Path | None = None) -> Path:
    """Return the folder that holds MNIST, verified, after fetching what is missing.

    The layout is torchvision's, so ``torchvision.datasets.MNIST(fetch_mnist(), download=False)`` opens it.
    If all four files verify, nothing is fetched or written. Files put into the folder by hand are used,
    unpacked or as ``.gz``. Raises DataError when no source has the data or the folder cannot be used.
    """
    return _fetch(find_data_dir(data_dir))


def _fetch(root: Path, sources=None) -> Path:
    """Fetch from ``sources``: each has a ``name``, and a ``get`` that raises Refused, as Mirror's does."""
    raw = root / "MNIST" / "raw"
    if not (missing := _missing(raw)):
        if any(raw.glob(f"{SCRATCH}*")):  # a process was killed when its last file was in place
            # Refused if another process is still at work, or the folder cannot be written: never mind.
            with suppress(OSError, DataError), _lock(raw, wait=False):
                pass
        return root
    try:
        _check_folder(raw)
        _announce(raw, missing)
        raw.mkdir(parents=True, exist_ok=True)
        with _lock(raw):
            if missing := _missing(raw):  # or another process fetched them while this one waited
                _fill(raw, missing, sources)
                print(f"MNIST: verified in {raw}", flush=True)
    except OSError as error:
        raise _explain_disk(error, raw) from None
    return root


def _missing(raw: Path) -> list[RawFile]:
    return [file for file in FILES if describe_problem(raw / file.name, file)]


def _lock(raw: Path, wait: bool = True):
    """Lock the data folder, sweep up after killed processes and return the lock.

    The operating system frees it if this process is killed, so whoever holds it is alone here.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(raw.parent / "fetch.lock")
    if not has_locks(lock.lock_file):
        print(f"MNIST: {raw.parent} cannot be locked; fetch with one program at a time", flush=True)
        return nullcontext()
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise
        print("MNIST: waiting for another process that is fetching it", flush=True)
        held = lock.acquire()
    for left in raw.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    return held


def _check_folder(raw: Path) -> None:
    """Raise DataError if ``raw`` cannot be made."""
    for path in (*reversed(raw.parents), raw):
        if path.is_dir():
            continue
        if path.is_symlink():
            what = "is a link that leads nowhere"
        elif path.exists():
            what = "is not a folder"
        elif path.name.startswith("~") and path.parent == Path.cwd():
            what = "is no user's home"
        else:
            continue
        root = raw.parents[1]
        named = os.environ.get("MNIST_DATA_DIR") and root == find_data_dir()
        raise DataError(
            f"{'MNIST_DATA_DIR points at' if named else 'The data folder is'} {root}, and {path} {what}. "
            "Move that out of the way, or set MNIST_DATA_DIR to a folder."
        )


def _announce(raw: Path, missing: list[RawFile]) -> None:
    """Say what will be downloaded, and where: the folder's name may be a typo."""
    root = raw.parents[1]
    size = sum(file.size for file in missing if not any(map(Path.is_file, _by_hand(raw, file))))
    if size:
        found = "not found" if len(missing) == len(FILES) else "not complete"
        new = "" if root.exists() else ", a new folder"
        packed, unpacked = math.ceil(size * 0.211 / 1e6), math.ceil(size / 1e6)
        sizes = f"about {packed} MB, which become {unpacked} MB"
        print(f"MNIST: {found} in {root}{new}; fetching {sizes} in {raw}", flush=True)


def _fill(raw: Path, missing: list[RawFile], sources) -> None:
    """Put the missing files into place, from what is in the folder or else from the sources in order."""
    for file in missing:
        _set_aside(raw / file.name, describe_problem(raw / file.name, file))
    reasons: dict[str, str] = {}
    prefix = f"{SCRATCH}{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=raw, ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        missing = [file for file in missing if not _take_by_hand(raw, file, scratch)]
        if missing and sources is None:
            sources = [*map(Mirror, mirror_addresses()), Wheel()]
        for source in sources or ():
            for file in tuple(missing):
                try:
                    move_into_place(source.get(file, scratch), raw / file.name, file)
                    missing.remove(file)
                except Refused as refusal:
                    print(f"MNIST: that failed: {refusal}", flush=True)
                    reasons.setdefault(source.name, str(refusal))
                    if isinstance(refusal, Unreachable):
                        break
    if missing:
        raise DataError(_explain_all(reasons, raw))


def _set_aside(path: Path, problem: str | None) -> None:
    """Rename a wrong file to NAME.bad, NAME.bad2 and so on; it may be somebody's only copy."""
    if not os.path.lexists(path):
        return
    names = (path.with_name(f"{path.name}.bad{number}") for number in chain([""], count(2)))
    aside = next(name for name in names if not os.path.lexists(name))
    os.rename(path, aside)
    print(f"MNIST: {path.name} is not as it should be: {problem}. Kept as {aside.name}", flush=True)


def _by_hand(raw: Path, file: RawFile) -> tuple[Path, ...]:
    """Return where somebody may have put the file: the .gz in either folder, or the file above MNIST/."""
    return raw / f"{file.name}.gz", raw.parents[1] / f"{file.name}.gz", raw.parents[1] / file.name


def _take_by_hand(raw: Path, file: RawFile, scratch: Path) -> bool:
    for path in filter(Path.is_file, _by_hand(raw, file)):
        try:
            unpacked = unpack(path, file, scratch)
            if unpacked == path:
                unpacked = Path(shutil.copyfile(path, scratch / file.name))
            move_into_place(unpacked, raw / file.name, file)
        except Refused as refusal:
            if path.parent == raw:
                _set_aside(path, str(refusal))
            else:  # the same names are used by other data sets, and this folder may be theirs
                print(f"MNIST: {path} was not used: {refusal}", flush=True)
        else:
            print(f"MNIST: {file.name} taken from {path}", flush=True)
            return True
    return False


def _explain_all(reasons: dict[str, str], raw: Path) -> str:
    return "\n".join(
        [
            "MNIST could not be fetched. Tried, and why not:",
            *(f"  {name}: {reason}" for name, reason in reasons.items()),
            f"Try again with a network, or put these four files (or the same with .gz) into {raw} yourself:",
            *(f"  {file.name}  {file.size:,} bytes" for file in FILES),
            "If they are elsewhere already, set the environment variable MNIST_DATA_DIR to that folder.",
        ]
    )


def _explain_disk(error: OSError, raw: Path) -> DataError:
    root, otherwise = raw.parents[1], "or set MNIST_DATA_DIR to a folder that can be written."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # 55 MB unpacked, and for a moment the wheel of 15.5 MB twice.
        free = free_megabytes(root)[0] if error.errno == errno.ENOSPC else "fewer"
        return DataError(
            f"The disk is full: MNIST needs up to 90 MB free in {root} while it is fetched (55 MB of them "
            f"for good), and {free} MB are free. Make room there, {otherwise}"
        )
    where = f": {error.filename}" if error.filename else ""
    lacking = ", ".join(f"{file.name} ({describe_problem(raw / file.name, file)})" for file in _missing(raw))
    return DataError(
        f"MNIST cannot be kept in {root} ({error.strerror or error}{where}), and it is not complete there: "
        f"{lacking}. Put good copies into {raw}, {otherwise}"
    )


def free_megabytes(folder: Path) -> tuple[int, Path]:
    """Return the free space where ``folder`` is or will be, and the nearest folder that exists."""
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    return shutil.disk_usage(existing).free // 1_000_000, existing
