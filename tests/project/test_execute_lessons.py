"""tools/execute_lessons.py writes a lesson in one form only, and not at all when a cell misbehaves."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.execute_lessons import LANGUAGE

from .files import ROOT


def execute(*paths: Path) -> subprocess.CompletedProcess:
    command = [sys.executable, ROOT / "tools" / "execute_lessons.py", *paths]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


def write(path: Path, *sources: str) -> bytes:
    """Write a notebook with these code cells as JupyterLab would leave it, and return its bytes."""
    cells = [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    cells[0].metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
    cells[0].execution_count = 17
    metadata = {"kernelspec": {"name": "python3", "display_name": "my own", "language": "python"}}
    metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    notebook = new_notebook(cells=[*cells, new_markdown_cell("Naïve ×", id="text")], metadata=metadata)
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path.read_bytes()


def test_a_lesson_is_stored_in_one_form_and_the_same_the_second_time(tmp_path):
    lesson = tmp_path / "lesson.ipynb"
    (tmp_path / "beside.txt").write_text("found", encoding="utf-8")
    figure = "import matplotlib.pyplot as plt\nprint('above')\nplt.plot([1, 2])\nplt.show()\nprint('below')"
    # Two flushes reach the notebook as two pieces of output; where they are cut must not be stored.
    pieces = "import time\nprint('one', flush=True)\ntime.sleep(0.3)\nprint('two', flush=True)"
    write(lesson, "%matplotlib inline\nopen('beside.txt').read()", figure, "", pieces)
    first = execute(lesson)
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.startswith("lesson.ipynb: ")
    stored = lesson.read_bytes()

    assert stored.endswith(b"}\n")
    assert stored.startswith(b'{\n "cells"')
    assert "Naïve ×".encode() in stored
    notebook = json.loads(stored)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": LANGUAGE,
    }
    cells = notebook["cells"]
    assert [cell["id"] for cell in cells] == ["cell-0", "cell-1", "cell-2", "cell-3", "text"]
    assert [cell["execution_count"] for cell in cells[:4]] == [1, 2, None, 3]
    assert all(cell["metadata"] == {} for cell in cells)
    assert cells[0]["outputs"][0]["data"]["text/plain"] == ["'found'"]
    assert cells[0]["outputs"][0]["execution_count"] == 1
    kinds = [output["output_type"] for output in cells[1]["outputs"]]
    assert kinds == ["stream", "display_data", "stream"]
    assert [output["text"] for output in cells[3]["outputs"]] == [["one\n", "two\n"]]

    assert execute(lesson).returncode == 0
    assert lesson.read_bytes() == stored
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beside.txt", "lesson.ipynb"]


WIDGET = 'display({"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}, raw=True)'


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("1 / 0", "cell 1 (cell-1) failed: ZeroDivisionError: division by zero"),
        ("import sys\nprint('careful', file=sys.stderr)", "cell 1 (cell-1) prints to stderr: careful"),
        (WIDGET, "cell 1 (cell-1) leaves a widget"),
    ],
)
def test_a_lesson_that_misbehaves_is_not_written(tmp_path, source, message):
    lesson = tmp_path / "lesson.ipynb"
    before = write(lesson, "x = 1", source, "print(x)")
    done = execute(lesson)
    assert done.returncode == 1
    assert f"lesson.ipynb: not written: {message}" in done.stdout
    assert lesson.read_bytes() == before


def test_what_is_not_there_or_no_notebook(tmp_path):
    done = execute(tmp_path / "nothing.ipynb")
    assert done.returncode == 2
    assert "there is no notebook" in done.stderr
    (tmp_path / "broken.ipynb").write_text("{", encoding="utf-8")
    done = execute(tmp_path / "broken.ipynb")
    assert done.returncode == 1
    assert "broken.ipynb: not written: it cannot be read as a notebook" in done.stdout
    assert "Traceback" not in done.stderr
