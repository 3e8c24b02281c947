"""python -m mnist_helpers, run as a reader runs it: in a process of its own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from mnist_helpers.requirements_check import check_disk, release

# No source of MNIST answers: every connection is refused, and pip is kept from every index and folder.
NO_NETWORK = {
    "HTTP_PROXY": "http://127.0.0.1:9",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
}


@pytest.fixture
def command(root):
    """Run the command line with the given arguments and environment variables."""

    def run(*arguments, python=sys.executable, **environment) -> subprocess.CompletedProcess:
        return subprocess.run(
            [python, "-m", "mnist_helpers", *arguments],
            cwd=root,
            env={**os.environ, "PYTHONIOENCODING": "utf-8", **environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run


def failures(done: subprocess.CompletedProcess) -> list[str]:
    assert "Traceback" not in done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]


@pytest.fixture
def without_torch(tmp_path) -> Path:
    """A folder that, on PYTHONPATH, keeps torch from being imported. That also saves seconds."""
    folder = tmp_path / "without torch"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ImportError('no module of that name')\n", encoding="utf-8")
    return folder


def failures_beside_torch(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in failures(done) if not line.startswith(("FAIL  torch", "FAIL  device"))]


def distribution(folder: Path, name: str, version: str, *requirements: str) -> None:
    """Write the metadata of an installed package into `folder`, where it is found before the real one."""
    information = folder / f"{name}-{version}.dist-info"
    information.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
    (information / "METADATA").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_check_on_a_complete_machine(command, data_dir):
    done = command("check", "--data-dir", data_dir)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith("OK    ") for line in lines[:-1])
    assert lines[-1] == "Everything is ready."
    subjects = [
        "Python 3.",
        "torch ",
        "torchvision ",
        "numpy ",
        "matplotlib ",
        "pillow ",
        "Jupyter: ",
        "data: ",
        "disk: ",
    ]
    for subject in [*subjects, "device: "]:
        assert any(line.startswith(f"OK    {subject}") for line in lines), subject
    assert str(data_dir) in done.stdout


def test_check_without_the_data_says_how_to_get_it(command, tmp_path):
    folder = tmp_path / "not there"
    done = command("check", "--data-dir", folder)
    assert done.returncode == 1
    (line,) = failures(done)  # With the real torch: this one line is enough for the exit status.
    assert f"data: not in {folder} yet" in line
    assert line.endswith("-> python -m mnist_helpers fetch")
    assert not folder.exists()


def test_check_finds_a_damaged_file(command, data_dir, tmp_path, without_torch):
    shutil.copytree(data_dir / "MNIST" / "raw", tmp_path / "MNIST" / "raw")
    damaged = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    done = command("check", MNIST_DATA_DIR=str(tmp_path), PYTHONPATH=str(without_torch))
    (line,) = failures_beside_torch(done)
    assert "t10k-labels-idx1-ubyte damaged" in line
    assert "t10k-images" not in line


def test_check_without_torch(command, data_dir, without_torch):
    done = command("check", "--data-dir", data_dir, PYTHONPATH=str(without_torch))
    assert done.returncode == 1
    found = failures(done)
    assert found[0].startswith("FAIL  torch ")
    assert "does not import: no module of that name -> in the course's folder: python -m pip" in found[0]
    assert found[-1].startswith("FAIL  device: not known without torch")
    assert f"OK    data: {data_dir}" in done.stdout


def test_check_where_torchvision_does_not_fit_torch(command, data_dir, tmp_path):
    message = "operator torchvision::nms does not exist"
    (tmp_path / "torchvision.py").write_text(f"raise RuntimeError({message!r})\n", encoding="utf-8")
    distribution(tmp_path, "torchvision", "0.25.0", "numpy", "torch (==2.10.0)")
    done = command("check", "--data-dir", data_dir, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    does_not_import, pair = failures(done)
    assert message in does_not_import
    assert "torchvision wants torch 2.10.0, and torch " in pair
    for line in (does_not_import, pair):
        assert "install both from one place" in line


def test_check_with_a_package_that_is_too_old(command, data_dir, without_torch):
    distribution(without_torch, "tqdm", "4.9.1")
    done = command("check", "--data-dir", data_dir, PYTHONPATH=str(without_torch))
    (line,) = failures_beside_torch(done)
    assert line.startswith("FAIL  tqdm 4.9.1 is older than 4.66")


def test_check_where_nothing_is_installed(command, root, tmp_path):
    venv.create(tmp_path, with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = command("check", python=python, PYTHONPATH="")
    assert done.returncode == 1
    assert done.stdout.startswith("OK    Python 3.")
    found = "\n".join(failures(done))
    for subject in ("torch is not installed", "numpy is not installed", "no JupyterLab", "device: "):
        assert subject in found
    assert "pip install -r requirements.txt" in found


def test_disk_is_judged_where_the_data_will_be(tmp_path):
    folder = tmp_path / "not" / "there"
    enough = check_disk(folder, 0)
    assert enough.ok
    assert enough.text.endswith(f"free at {tmp_path}")
    too_little = check_disk(folder, 10**9)
    assert not too_little.ok
    assert "free 1000000000 MB, or set MNIST_DATA_DIR" in str(too_little)


def test_versions_are_compared_as_numbers():
    assert release("2.9.1") < release("2.10") == release("2.10.0+cu128") < release("2.11.0rc1")


def test_fetch_prints_the_folder(command, data_dir):
    done = command("fetch", "--data-dir", data_dir, **NO_NETWORK)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"MNIST is in {data_dir}\n"


def test_fetch_without_any_source_prints_the_error_s_text(command, tmp_path):
    done = command("fetch", "--data-dir", tmp_path / "empty", **NO_NETWORK)
    assert done.returncode == 1
    assert "MNIST is in" not in done.stdout
    assert "Traceback" not in done.stderr
    assert "MNIST_DATA_DIR" in done.stderr
    assert "train-images-idx3-ubyte" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("fetsh",), "invalid choice: 'fetsh'"),
        (("check", "--fast"), "unrecognized arguments: --fast"),
        (("fetch", "--data-dir"), "expected one argument"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_status_2(command, arguments, message):
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("arguments", [(), ("check",), ("fetch",)])
def test_help(command, arguments):
    done = command(*arguments, "--help")
    assert done.returncode == 0
    assert ("--data-dir DIR" if arguments else "download MNIST, if it is not here yet") in done.stdout
