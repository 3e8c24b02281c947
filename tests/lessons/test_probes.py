"""Each lesson runs on its own, in an empty folder, and its values are what the lesson says they are.

nbval, in its lax mode, checks little. Here each notebook is executed by nbclient in a folder that holds
nothing else (so no lesson before it, no checkpoint), under Colab's versions where they can be had, and a
probe cell at its end prints values from the kernel, which are compared with bands.
"""

import base64
import importlib
import io
import json

import matplotlib.image
import nbclient
import nbformat
import numpy as np
import pytest

from .notebooks import NOTEBOOKS, code_cells, number, pictures, printed, read, tagged


def probe_of(path):
    return importlib.import_module(f".probes.lesson_{number(path)}", __package__)


# Three files share the executed lessons, because a worker takes whole files: test_probes_2.py and
# test_probes_3.py have these.
SECOND = ("02", "05", "06", "11")
THIRD = ("07", "08", "09")


def execute(path, lesson_kernel, folder, data_dir):
    """Return (path, the executed notebook with the probe as its last cell)."""
    kernel, jupyter_path = lesson_kernel
    notebook = read(path)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    notebook.cells.append(nbformat.v4.new_code_cell(probe_of(path).PROBE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_DATA_DIR", str(data_dir))
        if jupyter_path:
            patch.setenv("JUPYTER_PATH", str(jupyter_path))
        resources = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(notebook, kernel_name=kernel, timeout=180, resources=resources).execute()
    return path, notebook


@pytest.fixture(
    scope="module", params=[path for path in NOTEBOOKS if number(path) not in SECOND + THIRD], ids=number
)
def lesson(request, lesson_kernel, tmp_path_factory, data_dir):
    return execute(request.param, lesson_kernel, tmp_path_factory.mktemp("lesson"), data_dir)


def test_values(lesson):
    path, notebook = lesson
    probe_of(path).verify(json.loads(printed(notebook.cells[-1])))


def test_nothing_on_stderr(lesson):
    _, notebook = lesson
    for cell in code_cells(notebook):
        said = printed(cell, "stderr")
        assert said == "", f"{cell.source}\n{said}"


def test_pictures_are_not_blank(lesson):
    path, notebook = lesson
    drawn = [picture for cell in code_cells(notebook) for picture in pictures(cell)]
    assert len(drawn) == probe_of(path).FIGURES
    for picture in drawn:
        pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)))[..., :3]
        assert min(pixels.shape[:2]) >= 100, "a figure too small to read"
        paper = np.all(pixels == pixels[0, 0], axis=-1).mean()
        assert paper < 0.995, "a figure that is all background"
        assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 16


def test_verdicts(lesson):
    _, notebook = lesson
    for cell in tagged(notebook, "solution"):
        assert "Right." in printed(cell), cell.source
    for cell in code_cells(notebook):
        if cell.get("id", "").endswith("-check"):
            assert printed(cell).startswith("Not yet"), cell.source
