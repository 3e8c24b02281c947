"""``python course.py stick``: what it writes is installed from, with no index to be reached."""

import os
import shutil
import subprocess
import venv

import pytest

from tests.support.course import ROOT, start
from tests.support.indexes import served, write_wheel

NEEDED = ("torch", "setuptools", "swanlab", "tensorboard", "anywidget")
NOWHERE = "http://127.0.0.1:9/"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pip's configuration is Unix's")
def test_a_stick_is_installed_from_without_a_network(course, tmp_path, monkeypatch):
    for name in NEEDED:
        write_wheel(tmp_path / "index", name, "2222.0" if name != "swanlab" else "0.10.5")
    (course / "requirements.txt").write_text("# for the lessons\ntorch>=1\n", encoding="utf-8")
    fetched = f"import pathlib\nfetch_mnist = lambda: pathlib.Path({str(tmp_path / 'elsewhere')!r})\n"
    (course / "mnist_helpers" / "__init__.py").write_text(fetched, encoding="utf-8")
    (tmp_path / "elsewhere" / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "elsewhere" / "MNIST" / "raw" / "file").touch()
    (course / "teaching").mkdir()
    shutil.copy(ROOT / "teaching" / "stick.py", course / "teaching" / "stick.py")
    (course / ".git").mkdir()
    python = tmp_path / "teacher" / "bin" / "python"
    venv.create(tmp_path / "teacher", with_pip=True)
    stick = tmp_path / "a stick"
    with served(tmp_path, monkeypatch) as address:
        monkeypatch.setenv("PIP_INDEX_URL", f"{address}/index")
        done = start(course, "stick", stick, python=python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(f"Copy {stick} to a machine, and there: python course.py")
    assert sorted(path.name.split("-")[0] for path in (stick / "wheels").iterdir()) == sorted(NEEDED)
    assert not (stick / ".git").exists()
    assert (stick / "data" / "MNIST" / "raw" / "file").exists()

    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    student = tmp_path / "student" / "bin" / "python"
    venv.create(tmp_path / "student", with_pip=True)
    done = start(stick, python=student)
    assert done.returncode == 0, done.stdout + done.stderr
    version = "from importlib.metadata import version; print(version('torch'))"
    assert subprocess.run([student, "-c", version], capture_output=True, text=True).stdout == "2222.0\n"

    done = start(course, "stick", stick, python=python)
    assert (done.returncode, done.stderr.count("exists and is not empty; name a new folder")) == (2, 1)
    done = start(course, "stick", course / "inside", python=python)
    assert (done.returncode, done.stderr.count("lies inside the course; name a folder outside")) == (2, 1)
