"""course.py, run as a reader runs it.

Installing PyTorch takes minutes and gigabytes, so these tests run the real script, a real virtual environment
and the real pip on a small stand-in for the course: requirements.txt is empty, and in the folder lie modules
named like mnist_helpers, JupyterLab and pytest that print what they were given. .ci/run does the rest.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.support.course import PRINT_ARGUMENTS, outside, start

from .files import ROOT


def test_help_names_both_commands():
    done = start(ROOT, "--help")
    assert done.returncode == 0
    assert "JupyterLab" in done.stdout
    assert "run all tests" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for one process group")
def test_jupyterlab_opens_lesson_1_and_asks_no_question_about_news():
    """The real JupyterLab; as root too, it starts."""
    pytest.importorskip("jupyterlab")
    program = "import course, sys; course.open_lessons(sys.executable, ['--no-browser'])"
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as lab:
        try:
            lines = (re.search(r"(http://[^/]+/lab)(\S*)(\?token=\w+)", line) for line in lab.stderr)
            server, opened, token = next(filter(None, lines)).groups()
            news = f"{server}/api/settings/@jupyterlab/apputils-extension:notification{token}"
            for _ in range(600):  # the address is printed a little before it is served
                with contextlib.suppress(urllib.error.URLError):
                    settings = json.load(urllib.request.urlopen(news, timeout=60))["schema"]["properties"]
                    break
                time.sleep(0.1)
        finally:
            os.killpg(lab.pid, signal.SIGKILL)
    assert opened == "/tree/01_data_exploration.ipynb"
    assert settings["fetchNews"]["default"] == "false"  # "none" asks


def test_an_unknown_command_is_refused(course):
    done = start(course, "tets")
    assert done.returncode == 2
    assert "unknown command 'tets'" in done.stderr
    assert not (course / ".venv").exists()


def old_pythons() -> list[str]:
    """Find Pythons too old for the course, from 3.6 on: on the path or kept by pyenv."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = {}
    for minor in range(6, 11):
        candidates = [*map(str, versions.glob(f"3.{minor}.*/bin/python")), shutil.which(f"python3.{minor}")]
        for candidate in filter(None, candidates):
            works = subprocess.run([candidate, "--version"], capture_output=True, check=False).returncode == 0
            if works:
                found.setdefault(minor, candidate)
    return list(found.values())


def test_an_old_python_is_told_which_one_is_needed(course):
    pythons = old_pythons()
    if not pythons:
        pytest.skip("no Python from 3.6 to 3.10 on this machine")
    for python in pythons:
        done = start(course, python=python)
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "the course needs Python 3.11 or newer" in done.stderr
    assert not (course / ".venv").exists()


@outside
def test_the_second_start_does_not_call_pip(course):
    log = course.parent / "pip.log"  # written by pip itself, whenever it runs
    first = start(course, "--no-browser", "--port=1", PIP_LOG=str(log))
    if "cannot make virtual environments" in first.stderr:
        pytest.skip("this system's Python comes without venv")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "mnist_helpers.__main__ fetch" in first.stdout.splitlines()
    name, folder, *options = first.stdout.splitlines()[-1].split()
    assert (name, folder, *options[-2:]) == ("jupyterlab", "notebooks", "--no-browser", "--port=1")
    assert log.exists()
    assert (course / ".venv").is_dir()
    log.unlink()

    second = start(course, PIP_LOG=str(log))
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Installing" not in second.stdout
    assert not log.exists()

    (course / "requirements.txt").write_text("# something else\n", encoding="utf-8")
    third = start(course, PIP_LOG=str(log))
    assert third.returncode == 0
    assert "Installing" in third.stdout
    assert log.exists()


def test_arguments_and_status_are_pytest_s(course, environment):
    (course / "pytest.py").write_text(PRINT_ARGUMENTS + "sys.exit(5)\n", encoding="utf-8")
    done = start(course, "test", "-k", "two words", "test", python=environment)
    assert done.returncode == 5
    assert done.stdout.splitlines() == ["mnist_helpers.__main__ fetch", "pytest -k two words test"]


def test_an_active_environment_is_used(course, environment):
    done = start(course, python=environment)
    assert done.returncode == 0, done.stderr
    assert not (course / ".venv").exists()


def test_the_environment_of_a_folder_that_was_moved_is_installed_again(course, environment):
    """The environment would go on importing mnist_helpers from where the folder was."""
    moved = course.rename(course.with_name("elsewhere"))
    done = start(moved, python=environment)
    assert done.returncode == 0, done.stderr
    assert "Installing" in done.stdout


def test_the_tests_need_more_than_the_lessons(course, environment):
    stamp = course.parent / "environment" / "mnist-notebooks.stamp"
    stamp.write_text(stamp.read_text(encoding="utf-8").replace("test", ""), encoding="utf-8")
    assert "Installing" not in start(course, python=environment).stdout
    done = start(course, "test", python=environment, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert "Installing the course's requirements (with what the command test needs)" in done.stdout
    assert done.returncode == 1  # Without an index, pip cannot have them.


def test_without_the_data_nothing_is_opened(course, environment):
    (course / "mnist_helpers" / "__main__.py").write_text("raise SystemExit(1)\n", encoding="utf-8")
    done = start(course, python=environment)
    assert done.returncode == 1
    assert done.stdout == ""


@outside
def test_a_failed_installation_is_one_line_and_tried_again(course):
    (course / "requirements.txt").write_text("a-package-that-nobody-has-made>=1\n", encoding="utf-8")
    for _ in range(2):
        done = start(course, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
        if "cannot make virtual environments" in done.stderr:
            pytest.skip("this system's Python comes without venv")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("course.py: pip could not install everything")
        assert "Traceback" not in done.stderr
        assert "jupyterlab" not in done.stdout


@outside
def test_a_broken_environment_is_named(course):
    python = course / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    python.parent.mkdir(parents=True)
    python.write_bytes(b"no program")
    done = start(course)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "delete the folder .venv" in done.stderr


def wait_to_be_stopped(course: Path, python: Path) -> subprocess.Popen:
    """Start course.py, with a command below it that waits and tidies up after Ctrl-C."""
    wait = "import os, time\ntry:\n    print(os.getpid(), flush=True); time.sleep(60)\n"
    tidy = "except KeyboardInterrupt:\n    time.sleep(0.5); print('tidied up', flush=True); exit(130)\n"
    (course / "mnist_helpers" / "__main__.py").write_text(wait + tidy, encoding="utf-8")
    return subprocess.Popen(
        [python, course / "course.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background job ignores SIGINT and hands that on; a test run may well be one.
        preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal for one process group")
def test_ctrl_c_ends_without_a_traceback(course, environment):
    with wait_to_be_stopped(course, environment) as process:
        assert process.stdout.readline()
        time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert output == "tidied up\n"
    assert "course.py: stopped" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
def test_sigterm_leaves_nothing_running(course, environment):
    with wait_to_be_stopped(course, environment) as process:
        below = int(process.stdout.readline())
        process.terminate()
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 128 + signal.SIGTERM
    assert errors == ""
    with pytest.raises(ProcessLookupError):
        os.kill(below, 0)
