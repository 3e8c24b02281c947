"""What readers and machines do to a lesson: faults 28, 29, 35 to 38 and 55 to 57 of FAULTS.md."""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from mnist_helpers import History, Net, make_loaders, save_checkpoint
from mnist_helpers.checkpoints import FORMAT, read_checkpoint
from tests.conftest import ROOT
from tests.lessons.notebooks import NOTEBOOKS, SETUP, code_cells, number, read
from tests.support.data_folders import is_complete, packed_files
from tests.support.kernels import Kernel, Ran

LESSONS = {
    number(path): {cell.id: cell.source for cell in code_cells(read(path))}
    for path in NOTEBOOKS
    if number(path) in ("02", "05", "06")
}


def bottom_up(kernel, lesson) -> dict[str, Ran]:
    """Run every cell, the last one first; none of them has what the cells above it make."""
    return {name: kernel.run(source) for name, source in reversed(LESSONS[lesson].items())}


def part(lesson, last) -> dict[str, str]:
    """The cells from the first to ``last``."""
    names = list(LESSONS[lesson])
    return {name: LESSONS[lesson][name] for name in names[: names.index(last) + 1]}


def twice(kernel, cells) -> dict[str, list[Ran]]:
    return {name: [kernel.run(source), kernel.run(source)] for name, source in cells.items()}


@pytest.fixture(scope="module")
def lesson_2(data_dir):
    """Lesson 2 in the root of the repository: from the bottom up, each cell twice, then run all again."""
    before, kernel = set(os.listdir(ROOT)), Kernel(ROOT)
    seen = SimpleNamespace(first=bottom_up(kernel, "02"), twice=twice(kernel, LESSONS["02"]))
    seen.again = {name: kernel.run(source) for name, source in LESSONS["02"].items()}
    seen.data = kernel.run("print(data_dir)").printed.strip()
    seen.made = {name for name in set(os.listdir(ROOT)) - before if name in ("MNIST", "checkpoints", "data")}
    kernel.stop()
    return seen


@pytest.fixture(scope="module")
def good_checkpoint(data_dir, tmp_path_factory):
    """(path, network) of a file as lesson 3 writes it; the network has not been trained, only asked to."""
    network, loaders = Net(), make_loaders(data_dir=data_dir)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()  # makes the velocities
    loaders.train.sampler.set_epoch(4)
    values = [0.0] * 4
    history = History(180_000, [0], [2.3], [0, 60_000, 120_000, 180_000], values, values)
    path = tmp_path_factory.mktemp("good") / "lesson_03.pt"
    save_checkpoint(path, network, optimizer, loaders, history)
    return path, network


@pytest.fixture(scope="module")
def lesson_6(good_checkpoint, data_dir, tmp_path_factory):
    """Lesson 6 up to its first long training, the kernel restarted half-way; in a folder of its own."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "checkpoints").mkdir()
    shutil.copy(good_checkpoint[0], folder / "checkpoints")
    kernel = Kernel(folder)
    half = {name: kernel.run(source) for name, source in part("06", "save-weights").items()}
    kernel.restart()
    seen = SimpleNamespace(folder=folder, kernel=kernel, half=half, first=bottom_up(kernel, "06"))
    seen.left = sorted(path.name for path in folder.rglob("*.*"))
    seen.twice = twice(kernel, part("06", "save-weights"))
    seen.data = kernel.run("print(data_dir)").printed.strip()
    yield seen
    kernel.stop()


@pytest.fixture(params=["02", "06"])
def lesson(request):
    return request.getfixturevalue(f"lesson_{int(request.param)}")


# 28


def test_fault_28_cells_out_of_order(lesson):
    """A cell that needs another one names what it lacks, whichever is run first; from the top all is well."""
    errors = {name: ran.error for name, ran in lesson.first.items() if ran.error}
    assert len(errors) > len(lesson.first) / 3
    for name, error in errors.items():
        assert re.fullmatch(r"NameError: name '\w+' is not defined", error), name
    assert lesson.first["setup"].error == ""
    assert [ran.error for runs in lesson.twice.values() for ran in runs if ran.error] == []


def test_fault_28_cells_run_twice(lesson):
    """Each cell twice in a row: equal text, equal pictures."""
    for name, (one, other) in lesson.twice.items():
        assert one == other, name
        assert one.error == "", name


def test_fault_28_run_all_twice(lesson_2):
    for name, ran in lesson_2.again.items():
        assert ran == lesson_2.twice[name][0], name


def test_fault_28_a_kernel_restarted_half_way(lesson_6):
    """The middle names what is missing; from the top it works, whatever the first half has left there."""
    assert [ran.error for ran in lesson_6.half.values() if ran.error] == []
    assert lesson_6.first["state-dict"].error == "NameError: name 'trained' is not defined"
    assert lesson_6.left == ["epoch_1.pt", "lesson_03.pt"]
    for name, ran in lesson_6.half.items():
        assert ran == lesson_6.twice[name][0], name


def test_fault_28_a_lesson_started_in_another_folder(lesson_2, lesson_6, data_dir):
    """In the root of the repository and in a folder outside it: the same data, and none brought there."""
    for lesson in (lesson_2, lesson_6):
        assert lesson.data == str(data_dir)
        assert lesson.twice["setup"][0].printed.startswith("Ready: PyTorch ")
    assert lesson_2.made == set()
    assert os.listdir(lesson_6.folder) == ["checkpoints"]


def test_fault_28_two_lessons_at_once_on_one_data_folder(data_dir, tmp_path):
    """The folder is empty but for the files of a mirror: one kernel unpacks them, the other waits."""
    root = tmp_path / "data"
    root.mkdir()
    for name, content in packed_files(data_dir / "MNIST" / "raw").items():
        (root / name).write_bytes(content)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        kernels = list(pool.map(lambda _: Kernel(tmp_path, MNIST_DATA_DIR=str(root)), range(2)))
        try:
            # What takes long is imported before, so that they come to the data at the same time.
            list(pool.map(lambda kernel: kernel.run("import torch, matplotlib.pyplot, filelock"), kernels))
            ready = list(pool.map(lambda kernel: kernel.run(LESSONS["02"]["setup"]), kernels))
            used = list(pool.map(lambda kernel: kernel.run(LESSONS["02"]["shrug"]), kernels))
        finally:
            for kernel in kernels:
                kernel.stop()
    assert [ran.error for ran in ready + used] == ["", "", "", ""]
    assert used[0] == used[1]
    assert is_complete(root)
    said = sorted((ran.printed for ran in ready), key=len)
    assert [text.count(" taken from ") for text in said] == [0, 4]
    assert [text.count("Ready: ") for text in said] == [1, 1]
    assert all(line.startswith(("Ready: ", "MNIST: waiting for another")) for line in said[0].splitlines())


def test_the_command_line_called_from_a_notebook(lesson_6, data_dir):
    """ipykernel's stdout lacks a method that a terminal's has."""
    ran = lesson_6.kernel.run("from mnist_helpers.__main__ import main\nprint(main(['fetch']))")
    assert (ran.printed, ran.error) == (f"MNIST is in {data_dir}\n0\n", "")


# 29


def bare(path, network):
    """The weights and nothing else, as many tutorials save them."""
    torch.save(network.state_dict(), path)


def future(path, network):
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format": 999}, path)


def half(path, network):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def first_edition(path, network):
    """As the course wrote it when there were six lessons."""
    content = torch.load(path, weights_only=True)
    del content["sampler"], content["history"]["seen"]
    torch.save({**content, "format": 1, "epoch": 3}, path)


REFUSED = {
    bare: "lesson_03.pt: is not a checkpoint of save_checkpoint",
    future: f"lesson_03.pt: has format 999, this course reads up to {FORMAT}; update it",
    half: "lesson_03.pt: cut short or damaged, ",
}
GUESSES = r"[89]\d{3} mistakes among 10,000\n"  # the network of the file has learned nothing
WEIGHTS = "print([hash(tuple(w.flatten().tolist())) for w in {}.state_dict().values()])"


@pytest.fixture
def lying_there(lesson_6, good_checkpoint):
    """The old checkpoint under the name that lessons 5 and 6 look for; a kernel whose set-up cell has run."""
    path = lesson_6.folder / "checkpoints" / "lesson_03.pt"
    yield Path(shutil.copy(good_checkpoint[0], path))
    (path.parent / "lesson_06_start.pt").unlink(missing_ok=True)


def first_cells(kernel, lesson, **options) -> Ran:
    """Run the lesson up to the cell in which the checkpoint is loaded, and return what came of that one."""
    *before, last = part(lesson, {"05": "network", "06": "start"}[lesson]).values()
    assert [kernel.run(source).error for source in before] == [""] * len(before)
    return kernel.run(last, **options)


@pytest.mark.parametrize(
    ("lesson", "network", "said"),
    [("05", "network", GUESSES), ("06", "trained", r"lesson_03.pt: format, model, .*")],
    ids=["05", "06"],
)
def test_fault_29_the_checkpoint_of_lesson_3_is_read(
    lesson, network, said, lesson_6, lying_there, good_checkpoint
):
    before = lying_there.read_bytes()
    ran = first_cells(lesson_6.kernel, lesson)
    assert ran == Ran(ran.printed)
    assert re.fullmatch(said, ran.printed, re.DOTALL)
    weights = [hash(tuple(value.flatten().tolist())) for value in good_checkpoint[1].state_dict().values()]
    assert lesson_6.kernel.run(WEIGHTS.format(network)).printed == f"{weights}\n"
    assert lying_there.read_bytes() == before


def test_fault_29_the_weights_of_a_first_edition_are_read(lesson_6, lying_there, good_checkpoint):
    first_edition(lying_there, None)
    assert re.fullmatch(GUESSES, first_cells(lesson_6.kernel, "05").printed)
    ran = first_cells(lesson_6.kernel, "06", interrupt_at="So one epoch is trained here.")
    assert "was saved by an earlier version of the course; its weights can be used" in ran.printed


@pytest.mark.parametrize("lesson", ["05", "06"])
@pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)
def test_fault_29_a_file_that_cannot_be_used(lesson, kind, lesson_6, lying_there, good_checkpoint):
    """One line says which and why, an epoch is trained in its place, and the file stays as it was."""
    kind(lying_there, good_checkpoint[1])
    before, kernel = lying_there.read_bytes(), lesson_6.kernel
    to_the_end = (lesson, kind) == ("06", future) or os.name == "nt"  # an epoch takes long: the others stop
    ran = first_cells(kernel, lesson, interrupt_at=None if to_the_end else "So one epoch is trained here.")
    line, trained, *_ = ran.printed.splitlines()
    assert REFUSED[kind] in line
    assert trained == "So one epoch is trained here."
    assert ran.error == ("" if to_the_end else "KeyboardInterrupt:")
    assert lying_there.read_bytes() == before
    if lesson == "06" and to_the_end:
        assert "\nlesson_06_start.pt: format, model, " in ran.printed
        assert kernel.run(LESSONS["06"]["state-dict"]).error == ""
        assert read_checkpoint(lying_there.with_name("lesson_06_start.pt"))["sampler"]["epoch"] == 2
    # With a file that can be used the same cell goes on at once.
    shutil.copy(good_checkpoint[0], lying_there)
    assert "So one epoch is trained here." not in first_cells(kernel, lesson).printed


# 35 to 38 and 55 to 57


@pytest.mark.parametrize("backend", ["Agg", "TkAgg"])
def test_fault_35_a_backend_without_figures_in_the_shell(backend, tmp_path, data_dir):
    kernel = Kernel(tmp_path, MPLBACKEND=backend, MNIST_DATA_DIR=str(data_dir), DISPLAY="")
    ready = kernel.run(SETUP)
    drawn = kernel.run("plt.plot([1, 2])\nplt.show()")
    kernel.stop()
    assert (ready.error, drawn.error, len(drawn.pictures)) == ("", "", 1)


# All where TWICE_LESSONS=all is set, as in the weekly run, which takes half an hour; otherwise the quickest.
TWICE = [path for path in NOTEBOOKS if os.environ.get("TWICE_LESSONS") == "all" or number(path) == "02"]


@pytest.mark.parametrize("path", TWICE, ids=number)
def test_fault_36_each_cell_twice_in_a_row(path, tmp_path, data_dir):
    """And a cell from the middle again after the end: nothing fails."""
    kernel = Kernel(tmp_path, MNIST_DATA_DIR=str(data_dir), TQDM_DISABLE="1")
    cells = {cell.id: cell.source for cell in code_cells(read(path))}
    ran = twice(kernel, cells)
    middle = list(cells)[len(cells) // 2]
    ran[f"{middle}, after the end"] = [kernel.run(cells[middle])]
    kernel.stop()
    assert {name: runs for name, runs in ran.items() if any(run.error for run in runs)} == {}


def test_fault_37_saved_as_a_script_it_is_a_py_and_38_it_runs(tmp_path, data_dir):
    """By plain Python, which has no %magics."""
    (path,) = (path for path in NOTEBOOKS if number(path) == "02")
    convert = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "script", "--output-dir", tmp_path, path]
    subprocess.run(convert, check=True, capture_output=True)
    script = tmp_path / f"{path.stem}.py"
    assert [*tmp_path.iterdir()] == [script]
    environment = {"MPLBACKEND": "Agg", "MNIST_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}
    run = {"cwd": tmp_path, "env": {**os.environ, **environment}, "capture_output": True, "text": True}
    done = subprocess.run([sys.executable, "-W", "ignore", script], **run)
    assert done.returncode == 0, done.stderr
    assert "Ready: PyTorch" in done.stdout


def test_fault_38_what_plain_python_cannot_run_says_how():
    """Lessons that write a program with %%writefile need ipython, and their first line of code says so."""
    assert "ipython NAME.py" in SETUP.splitlines()[0]


def test_fault_55_the_wrong_kernel_in_a_local_checkout(tmp_path):
    """It is told which one to choose; nothing is fetched and nothing is installed."""
    hide = tmp_path / "sitecustomize.py"
    hide.write_text("import sys\nsys.modules['mnist_helpers'] = None\n", encoding="utf-8")
    kernel = Kernel(tmp_path, PYTHONPATH=str(tmp_path), PATH=os.defpath)
    ran = kernel.run(SETUP)
    kernel.stop()
    assert ran.error == "SystemExit: Wrong kernel: Kernel → Change Kernel → Python 3 (or run the next line)"
    assert ran.printed.count("\n") <= 3


SCRATCH = f"""
import os, sys
import IPython, pooch, requests, filelock, torch  # while the folders of root can be read
sys.path.insert(0, {str(ROOT)!r})
import mnist_helpers.starting, mnist_helpers.fetching
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
os.environ["HOME"] = os.environ["XDG_CACHE_HOME"] = sys.argv[1]
mnist_helpers.starting.use_writable_folder()
print(os.getcwd())
mnist_helpers.starting.use_writable_folder()
os.makedirs("runs/lesson_07")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions bind no folder on Windows")
def test_fault_56_notebooks_in_a_folder_that_cannot_be_written():
    """The lesson says where it writes instead, and the next one writes there too."""
    with tempfile.TemporaryDirectory() as outer:
        shared, home = Path(outer) / "shared", Path(outer) / "home"
        shared.mkdir(mode=0o555)
        home.mkdir()
        home.chmod(0o777)
        Path(outer).chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", SCRATCH, str(home)], cwd=shared, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        said, folder = done.stdout.splitlines()
        assert (
            said
            == f"Nothing can be written here (Permission denied); what this lesson saves goes to {folder}"
        )
        assert Path(folder).is_relative_to(home)
        assert (Path(folder) / "runs" / "lesson_07").is_dir()
        assert [*shared.iterdir()] == []


@pytest.fixture
def clone(tmp_path):
    """A commit of what the tests of form need."""
    folder = tmp_path / "clone"
    skip = shutil.ignore_patterns("data", ".git", ".venv", "__pycache__", "runs", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=skip)
    git = ["git", "-c", "user.name=n", "-c", "user.email=n@localhost", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--force", "."], ["commit", "--quiet", "-m", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
    return folder


def test_fault_57_the_tests_after_a_lesson_was_changed(clone):
    """A notebook of the reader's own is left alone; a lesson that was changed is named if a test fails."""
    test = [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/lessons/test_form.py", "-k", "02 or 03"]
    (clone / "notebooks" / "Untitled.ipynb").write_text('{"cells": []}', encoding="utf-8")
    done = subprocess.run(test, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    path = next((clone / "notebooks").glob("03_*.ipynb"))
    solved = path.read_text(encoding="utf-8").replace('"execution_count": 1,', '"execution_count": 40,')
    path.write_text(solved, encoding="utf-8")
    done = subprocess.run(test, cwd=clone, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"differ from what was committed: notebooks/{path.name}" in done.stdout
    assert "Untitled" not in done.stdout
