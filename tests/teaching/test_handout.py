"""The hand-outs: no solutions, no outputs, and nothing else lost."""

import json
import re

import nbformat
import pytest

from teaching.release import ADDRESS, NOTEBOOKS, is_solution, read_lessons

from .command import run

LESSONS = read_lessons()
RELATIVE = re.compile(r"""(?:\]\(|(?:src|href)=")(?!https?://|#)([^)"\s]+)""")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handouts")
    for name, options in [("students", []), ("teacher", ["--with-solutions"])]:
        done = run("handout", folder / name, *options)
        assert (done.returncode, done.stderr) == (0, "")
    return folder


def cells_of(path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_a_handout_has_no_solutions_and_no_outputs(folders, lesson):
    path = folders / "students" / lesson.path.name
    text = path.read_text(encoding="utf-8")
    nbformat.validate(nbformat.reader.reads(text))
    cells = cells_of(path)
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells if "outputs" in cell)
    shown = "\n".join("".join(cell["source"]) for cell in cells)
    released = {cell["id"]: cell for cell in lesson.cells}
    others = "\n".join(cell["source"] for cell in lesson.cells if not is_solution(cell))
    for exercise in lesson.exercises:
        solution = released[f"{exercise.key}-solution"]["source"]
        for line in solution.splitlines()[1:]:
            assert len(line) < 25 or line in others or line not in shown, line
        assert f"### Exercise {exercise.number}" in shown
        for part in ("stub", "check"):
            cell = next(cell for cell in cells if cell["id"] == f"{exercise.key}-{part}")
            assert "".join(cell["source"]) == released[cell["id"]]["source"]
            assert cell["metadata"] == released[cell["id"]]["metadata"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    for line in re.findall(r"[^\n]*(?:\bsolution(?!_)|stored answers)[^\n]*", prose):
        assert "without outputs and solutions" in line or line.startswith("*(No solution here."), line
    assert "colab.research" not in text, "the badge opens the lesson with its solutions"


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
def test_the_teachers_copy_has_the_solutions(folders, lesson):
    path = folders / "teacher" / lesson.path.name
    nbformat.validate(nbformat.reader.reads(path.read_text(encoding="utf-8")))
    sources = ["".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "code"]
    assert sources == [cell["source"] for cell in lesson.cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in cells_of(path))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.number)
@pytest.mark.parametrize("name", ["students", "teacher"])
def test_links_lead_to_the_folder_or_the_repository(folders, name, lesson):
    path = folders / name / lesson.path.name
    text = "\n".join("".join(cell["source"]) for cell in cells_of(path) if cell["cell_type"] == "markdown")
    for link in RELATIVE.findall(text):
        target = (path.parent / link.split("#")[0]).resolve()
        assert target.is_file()
        assert target.is_relative_to(folders / name), link
    for link in re.findall(rf"{re.escape(ADDRESS)}/blob/main/([^)#\s]+)", text):
        assert (NOTEBOOKS.parent / link).exists(), link
    if lesson.number == "09":
        assert "images/09_dashboard.png" in text


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("kept")
    done = run("handout", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    assert run("handout", tmp_path / "new", "--with-sol").returncode == 2
