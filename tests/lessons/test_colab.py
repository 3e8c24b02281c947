"""The set-up cell on an empty Colab machine, played by a stand-in (see colab.py)."""

import nbclient
import nbformat

from . import colab
from .notebooks import SETUP, printed


def test_setup_cell_installs_the_package_where_it_is_missing(colab_kernel, tmp_path, monkeypatch):
    kernel, jupyter_path, python = colab_kernel
    importing = [python, "-c", "import mnist_helpers"]
    if colab.run(importing, check=False, cwd=tmp_path).returncode == 0:  # a probed lesson came first
        colab.run([python, "-m", "pip", "uninstall", "--yes", "--quiet", "mnist-notebooks"])
    assert "ModuleNotFoundError" in colab.run(importing, check=False, cwd=tmp_path).stderr
    before = colab.run([python, "-m", "pip", "freeze"], cwd=tmp_path).stdout

    where = "import IPython\nprint(mnist_helpers.__file__, IPython.__version__, plt.matplotlib.__version__)"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(SETUP), nbformat.v4.new_code_cell(where)]
    )
    monkeypatch.setenv("JUPYTER_PATH", str(jupyter_path))
    nbclient.NotebookClient(
        notebook, kernel_name=kernel, timeout=120, resources={"metadata": {"path": tmp_path}}
    ).execute()

    assert "Ready: PyTorch" in printed(notebook.cells[0])
    assert str(python.parent.parent) in printed(notebook.cells[1])
    for name in ("ipython", "matplotlib"):
        assert colab.VERSIONS[name] in printed(notebook.cells[1])
    after = colab.run([python, "-m", "pip", "freeze"], cwd=tmp_path).stdout
    changed = {line for line in after.splitlines() if line not in before.splitlines()}
    assert all("mnist" in line for line in changed), (
        f"the set-up cell changed more than its package: {changed}"
    )
