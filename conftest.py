"""How the test run executes the lessons: each one once, by nbval, in an empty folder.

nbval executes the cells and compares those tagged ``nbval-check-output``. Added here: a last cell with the
lesson's probes from tests/lessons/lesson_NN.py, and checks of the outputs that are not compared.
"""

import os
import subprocess
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell
from nbval.kernel import CURRENT_ENV_KERNEL_NAME
from nbval.plugin import IPyNbCell, IPyNbFile, RunningKernel

ROOT = Path(__file__).resolve().parent

# Kernels inherit the environment. A progress bar would only fill their outputs.
os.environ["TQDM_DISABLE"] = "1"
# Three tests run side by side; with all cores each, they would wait for one another and be many times slower.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collect_file(file_path, parent):
    """Collect the lessons; nbval's own hook, which would run them where they lie, is left switched off."""
    if file_path.parent == ROOT / "notebooks" and file_path.match("[0-9][0-9]_*.ipynb"):
        return Lesson.from_parent(parent, path=file_path)


class Lesson(IPyNbFile):
    """A lesson whose cells run in a folder that holds nothing else, and whose last cell is its probes."""

    def collect(self):
        from tests.lessons.notebooks import probe_of

        self.compare_outputs = False  # but for the cells that are tagged
        cells = list(super().collect())
        probe = new_code_cell(probe_of(self.path))
        yield from cells
        yield IPyNbCell.from_parent(
            self, name="Probe", cell_num=len(cells), cell=probe, options=defaultdict(bool)
        )

    def setup(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        timeout = self.config.option.nbval_kernel_startup_timeout
        self.kernel = RunningKernel(CURRENT_ENV_KERNEL_NAME, cwd=self.folder.name, startup_timeout=timeout)

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Look at all that a cell of a lesson has put out."""
    yield
    if isinstance(item, IPyNbCell):
        from tests.lessons.notebooks import problem_of_outputs

        if problem := problem_of_outputs(item.cell, item.test_outputs):
            item.raise_cell_error(problem)


# The longest first, so that no worker is left alone with one at the end; seconds on two cores, roughly.
LONGEST = [
    *("10_faster", "06_checkpoint", "04_loss", "12_draw", "05_prediction", "08_comparing", "03_training"),
    *("test_page.py", "09_experiment", "test_drawing.py", "07_notebook", "11_many"),
    *("01_data", "test_notebooks.py", "test_site.py", "test_pictures.py", "test_colab.py", "test_recipes.py"),
    *("test_jupyterlab.py", "test_time_to_accuracy.py", "test_page_command.py", "test_grading.py"),
    *("test_train.py", "test_tracking.py", "test_course.py"),
    *("test_data.py", "test_train_resume.py", "test_train_processes.py", "test_checkpoints.py"),
]


def pytest_collection_modifyitems(items):
    """Put the files that take longest first; the order within a file stays."""

    def place(item):
        return next((at for at, name in enumerate(LONGEST) if item.path.name.startswith(name)), len(LONGEST))

    items.sort(key=place)


def pytest_terminal_summary(terminalreporter):
    """After a failure, name the lessons that a reader has worked in: the tests judge what is there now."""
    if not terminalreporter.stats.get("failed"):
        return
    command = ["git", "diff", "--name-only", "HEAD", "--", "notebooks"]
    with suppress(OSError):  # no git
        changed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
        if changed:
            terminalreporter.write_line(f"These differ from what was committed: {', '.join(changed)}")
