"""Lessons on a Colab machine, played by a stand-in (see colab.py)."""

import os
import warnings

import nbclient
import nbformat
import pytest

from . import colab
from .notebooks import ADDRESS, NOTEBOOKS, SETUP, code_cells, number, printed, probe_of, read

# These two in every run; all of them where COLAB_LESSONS=all is set, as the weekly run does.
LESSONS = [
    path for path in NOTEBOOKS if os.environ.get("COLAB_LESSONS") == "all" or number(path) in ("01", "02")
]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory, data_dir):
    """Return (JUPYTER_PATH, Python) of a kernel named colab; skip where the stand-in cannot be made."""
    reason = colab.can_be_made()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("colab")
    try:
        python = colab.make_environment(folder / "environment")
    except RuntimeError as error:
        warnings.warn(f"Colab's versions cannot be installed here: {error}", stacklevel=1)
        pytest.skip(f"Colab's versions cannot be installed here: {error}")
    config = colab.make_clone(folder, ADDRESS)
    environment = {"GIT_CONFIG_GLOBAL": str(config), "MNIST_DATA_DIR": str(data_dir), "TQDM_DISABLE": "1"}
    environment["COLAB_RELEASE_TAG"] = "release-colab"  # by which the set-up cell knows Colab
    colab.write_kernel(folder / "jupyter", python, environment)
    return folder / "jupyter", python


def execute(notebook, jupyter_path, folder, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(jupyter_path))
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, kernel_name="colab", timeout=900, resources=resources).execute()


def test_setup_cell_installs_the_package_where_it_is_missing(kernel, tmp_path, monkeypatch):
    jupyter_path, python = kernel
    importing = [python, "-c", "import mnist_helpers"]
    assert "ModuleNotFoundError" in colab.run(importing, check=False, cwd=tmp_path).stderr
    before = colab.run([python, "-m", "pip", "freeze"], cwd=tmp_path).stdout

    where = "import IPython\nprint(mnist_helpers.__file__, IPython.__version__, plt.matplotlib.__version__)"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SETUP), nbformat.v4.new_code_cell(where)]
    )
    execute(notebook, jupyter_path, tmp_path, monkeypatch)

    assert "Ready: PyTorch" in printed(notebook.cells[0])
    assert str(python.parent.parent) in printed(notebook.cells[1])
    for name in ("ipython", "matplotlib"):
        assert colab.VERSIONS[name] in printed(notebook.cells[1])
    after = colab.run([python, "-m", "pip", "freeze"], cwd=tmp_path).stdout
    changed = {line for line in after.splitlines() if line not in before.splitlines()}
    assert all("mnist" in line for line in changed), (
        f"the set-up cell changed more than its package: {changed}"
    )


@pytest.mark.parametrize("path", LESSONS, ids=number)
def test_a_lesson_with_the_versions_of_colab(path, kernel, tmp_path, monkeypatch):
    notebook = read(path)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(probe_of(path)))
    execute(notebook, kernel[0], tmp_path, monkeypatch)
    for cell in code_cells(notebook):
        assert printed(cell, "stderr") == "", cell.source
