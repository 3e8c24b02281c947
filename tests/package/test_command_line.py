"""python -m mnist_helpers, run as a reader runs it: in a process of its own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from mnist_helpers.__main__ import main
from mnist_helpers.requirements_check import check_data_and_disk, check_disk, is_older
from tests.support.programs import COMMAND, NO_NETWORK, flip_bit


@pytest.fixture
def command(root):
    """Run the command line with the given arguments and environment variables."""

    def run(*arguments, python=sys.executable, **environment) -> subprocess.CompletedProcess:
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
        command = [python, *COMMAND[1:], *arguments]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, encoding="utf-8")

    return run


def failures(done: subprocess.CompletedProcess) -> list[str]:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("FAIL")]


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
    *lines, last = done.stdout.splitlines()
    assert last == "Everything is ready."
    assert all(line.startswith("OK    ") for line in lines)
    subjects = ["Python 3.", "torch ", "torchvision ", "numpy ", "matplotlib ", "pillow ", "pip check: "]
    for subject in [*subjects, "Jupyter: ", f"data: {data_dir}", "disk: ", "device: "]:
        assert any(line.startswith(f"OK    {subject}") for line in lines), subject


def test_check_says_what_lesson_9_will_install(command, data_dir, tmp_path):
    hide = "import sys\nsys.modules['tensorboard'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide, encoding="utf-8")
    done = command("check", "--data-dir", data_dir, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stdout
    assert "OK    lesson 9 will first install tensorboard, from the network" in done.stdout.splitlines()


def test_check_names_a_damaged_file_an_old_package_and_a_torch_that_does_not_import(command, raw, tmp_path):
    """Each with its remedy, and the others are right."""
    folder = Path(shutil.copytree(raw, tmp_path / "MNIST" / "raw"))
    flip_bit(folder / "t10k-labels-idx1-ubyte", at=-1)
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "torch.py").write_text("raise ImportError('no module of that name')\n", encoding="utf-8")
    distribution(modules, "tqdm", "4.9.1")
    done = command("check", MNIST_DATA_DIR=str(tmp_path), PYTHONPATH=str(modules))
    torch, *others, device = failures(done)
    assert torch.startswith("FAIL  torch ")
    assert "does not import: no module of that name -> in the course's folder: python -m pip" in torch
    assert device.startswith("FAIL  device: not known without torch")
    old, data = (line for line in others if not line.startswith("FAIL  torchvision"))
    assert old.startswith("FAIL  tqdm 4.9.1 is older than 4.66")
    assert "t10k-labels-idx1-ubyte damaged" in data
    assert "t10k-images" not in data


def test_check_where_torchvision_does_not_fit_torch_and_the_data_is_not_there(command, tmp_path):
    message, folder = "operator torchvision::nms does not exist", tmp_path / "not there"
    (tmp_path / "torchvision.py").write_text(f"raise RuntimeError({message!r})\n", encoding="utf-8")
    distribution(tmp_path, "torchvision", "0.25.0", "numpy", "torch (==2.10.0)")
    done = command("check", "--data-dir", folder, PYTHONPATH=str(tmp_path))
    does_not_import, pair, data = failures(done)
    assert message in does_not_import
    assert "torchvision 0.25.0 has requirement torch==2.10.0, but you have torch " in pair
    for line in (does_not_import, pair):
        assert "install both from one place" in line
    assert f"data: not in {folder} yet" in data
    assert data.endswith("-> python -m mnist_helpers fetch")
    assert not folder.exists()


def test_check_where_nothing_is_installed(command, tmp_path):
    venv.create(tmp_path, with_pip=False, symlinks=os.name != "nt")
    python = tmp_path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = command("check", python=python, PYTHONPATH="")
    assert done.stdout.startswith("OK    Python 3.")
    found = "\n".join(failures(done))
    for subject in ("torch is not installed", "numpy is not installed", "no JupyterLab", "device: "):
        assert subject in found
    assert "pip install -r requirements.txt" in found
    assert "pip check" not in done.stdout


def test_disk_is_judged_where_the_data_will_be(tmp_path):
    folder = tmp_path / "not" / "there"
    enough, too_little = check_disk(folder, 0), check_disk(folder, 10**9)
    assert enough.ok
    assert enough.text.endswith(f"free at {tmp_path}")
    assert not too_little.ok
    assert "free 1000000000 MB, or set MNIST_DATA_DIR" in str(too_little)
    assert [finding.ok for finding in check_data_and_disk(folder)] == [False, True]


def test_versions_are_compared_as_numbers():
    assert is_older("2.9.1", "2.10")
    for version in ("2.10", "2.10.0", "2.10.0+cu128", "2.10.0a0+b4e4ee8", "2.11.0rc1"):
        assert not is_older(version, "2.10")


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
def test_wrong_arguments_end_with_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(list(arguments))
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert message in line


@pytest.mark.parametrize("arguments", [(), ("check",), ("fetch",)])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([*arguments, "--help"])
    expected = "--data-dir DIR" if arguments else "download MNIST, if it is not here yet"
    assert expected in capsys.readouterr().out


def test_the_process_hands_on_status_and_output(command):
    done = command("fetsh")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "invalid choice: 'fetsh'" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["evaluate", "{}"], ["predict", "{}", "a.png"], ["predict", "net.pt", "a.png", "--picture", "{}"]],
    ids=lambda arguments: arguments[0] + ("-picture" if "--picture" in arguments else ""),
)
def test_a_name_that_no_file_can_have(capsys, arguments):
    name = 300 * "x"
    assert main([argument.format(name) for argument in arguments]) == 1
    said = capsys.readouterr().err
    assert said.startswith(name)
    assert said.endswith(": File name too long\n")
