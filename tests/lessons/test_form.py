"""Every lesson has the course's form, and is stored as it should be."""

import re
import shlex

import nbformat
import pytest

from tools.execute_lessons import LANGUAGE
from tools.reading_minutes import ON_THE_CARD, reading_minutes

from .notebooks import (
    ADDRESS,
    NOTEBOOKS,
    PROJECT,
    SETUP,
    code_cells,
    markdown,
    number,
    pictures,
    printed,
    read,
    tagged,
)

CHECKED = "nbval-check-output"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=number)


def test_is_valid_and_of_version_4_5(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_metadata_holds_the_kernel_and_nothing_else(path):
    metadata = read(path).metadata
    assert set(metadata) == {"kernelspec", "language_info"}
    assert metadata.kernelspec.name == "python3"
    assert metadata.language_info == LANGUAGE


def test_was_executed_once_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1))


def test_stored_outputs_hold_no_error_no_stderr_no_widget(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source
            assert not any("widget" in kind for kind in output.get("data", {})), cell.source


def test_title_and_badge(path):
    title = read(path).cells[0].source
    assert re.match(rf"# {int(number(path))}\. \S", title)
    github = ADDRESS.removeprefix("https://github.com/")
    target = f"https://colab.research.google.com/github/{github}/blob/main/notebooks/{path.name}"
    assert title.count("colab.research.google.com/github/") == 1
    assert f"]({target})" in title


def test_card(path):
    card = read(path).cells[1].source
    assert len(card.splitlines()) <= 6
    assert re.search(r"\*\*Time\*\* \| about \d+ minutes to read, \d+ seconds to run on two CPU cores", card)
    assert "**Needs**" in card
    for name, numbers in [("Six lessons", range(1, 7)), ("Six electives", range(7, 13))]:
        row = next(line for line in card.splitlines() if f"**{name}**" in line)
        assert [int(part) for part in re.findall(r"(\d+) [A-Z]\w+(?:\]|\*\*)", row)] == list(numbers)
        for other in NOTEBOOKS:
            if int(number(other)) in numbers:
                assert (f"]({other.name})" in row) == (other != path)
    assert len(re.findall(rf"\*\*{int(number(path))} \w+\*\*", card)) == 1


# The lessons in the form of the second edition, and the minutes that they may take at most.
MOST_MINUTES = {f"{lesson:02}": 35 for lesson in range(1, 7)}
MOST_MINUTES |= {"07": 45, "08": 45, "09": 45, "10": 45, "11": 48, "12": 45}


def test_card_gives_the_minutes_to_read_that_are_counted(path):
    on_the_card = int(ON_THE_CARD.search(read(path).cells[1].source)[1])
    assert on_the_card == reading_minutes(read(path)), "python tools/reading_minutes.py --write"
    assert on_the_card <= MOST_MINUTES.get(number(path), 99)


def test_the_readme_gives_the_minutes_and_the_seconds_of_the_card(path):
    readme = (path.parents[1] / "README.md").read_text(encoding="utf-8")
    row = re.search(rf"\(notebooks/{path.name}\) \|[^|]*\| (\d+) \| (\d+) \|", readme)
    card = re.search(r"about (\d+) minutes to read, (\d+) seconds", read(path).cells[1].source)
    assert row.groups() == card.groups(), "python tools/reading_minutes.py --write; the seconds are measured"


def test_objectives(path):
    goals = read(path).cells[2].source
    assert goals.startswith("**You will**")
    assert 3 <= len(re.findall(r"^[*-] ", goals, re.MULTILINE)) <= 5


def test_setup_cell_is_the_same_everywhere(path):
    first = code_cells(read(path))[0]
    assert first.id == "setup"
    assert first.source == SETUP
    assert len([line for line in SETUP.splitlines() if line]) <= 15
    assert f"--no-deps git+{ADDRESS}\n" in SETUP


# What one lesson alone needs, by the id of the cell that installs it where it is missing.
INSTALLS = {"09": {"trackers": PROJECT["optional-dependencies"]["tracking"]}}


def test_nothing_that_colab_has_is_reinstalled(path):
    """The set-up cell installs this package, without its dependencies; a lesson may need one thing more."""
    allowed = {"setup": None, **INSTALLS.get(number(path), {})}
    found = {cell.id: cell.source for cell in code_cells(read(path)) if "pip install" in cell.source}
    assert found.keys() == allowed.keys()
    for cell, requirements in allowed.items():
        lines = [line for line in found[cell].splitlines() if "pip install" in line]
        assert len(lines) == 1, cell
        if requirements:
            said = re.search(r"pip install --quiet (.*)", lines[0])[1]
            assert shlex.split(said) == requirements


def test_exercises_are_stub_check_solution(path):
    notebook = read(path)
    order = [cell.get("id", "") for cell in notebook.cells]
    stubs = [name for name in order if re.fullmatch(r"ex\d-stub", name)]
    assert 2 <= len(stubs) <= 4
    for stub in stubs:
        exercise = stub.removesuffix("-stub")
        at = order.index(stub)
        assert order[at + 1 : at + 3] == [f"{exercise}-check", f"{exercise}-solution"]
        assert notebook.cells[at].metadata["exercise"] == exercise, "Colab drops the ids, and keeps this"
        assert "# your code" in notebook.cells[at].source
        assert re.search(r"[●○] [●○] [●○] \(\d+ minutes?\)", notebook.cells[at - 1].source)
    assert [cell.id for cell in tagged(notebook, "solution")] == [
        name for name in order if re.fullmatch(r"ex\d-solution", name)
    ]


def test_solutions_are_folded(path):
    titled = [cell.id for cell in code_cells(read(path)) if "@title" in cell.source]
    assert titled == [cell.id for cell in tagged(read(path), "solution")]
    for cell in tagged(read(path), "solution"):
        assert cell.source.startswith("# @title Solution")
        assert cell.metadata.get("cellView") == "form"
        assert cell.metadata.get("jupyter", {}).get("source_hidden") is True


def test_recap_questions_and_next(path):
    cells = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    recap = next(text for text in cells if text.startswith("## Recap"))
    assert len(re.findall(r"^[*-] ", recap, re.MULTILINE)) == 5
    questions = next(text for text in cells if text.startswith("## Ask yourself"))
    assert len(re.findall(r"<details>\s*<summary>[^<]*\?", questions)) == 5
    assert questions.count("</details>") == 5
    assert cells[-1].startswith("## Where next")


def test_relative_links_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?://|#)([^)\s]+)\)", markdown(read(path)))
    assert links
    for link in links:
        assert (path.parent / link.split("#")[0]).exists(), link


def test_a_checked_cell_has_output_and_no_picture(path):
    """nbval passes a checked cell without stored output in silence, and never compares pictures."""
    for cell in tagged(read(path), CHECKED):
        assert cell.outputs, cell.source
        assert not pictures(cell.outputs), cell.source


def test_every_lesson_has_cells_whose_output_is_compared(path):
    assert len(tagged(read(path), CHECKED)) >= 6


def test_a_figure_is_followed_by_a_printed_line(path):
    for cell in code_cells(read(path)):
        if pictures(cell.outputs):
            assert printed(cell).strip(), (
                f"{path.name}, {cell.id}: a figure without a line that says what it shows"
            )


def test_a_figure_has_an_alternative_text_with_the_numbers_of_its_cell(path):
    """A sentence for those who cannot see it; a number in it stands in the cell or in what it prints."""
    if number(path) not in MOST_MINUTES:
        pytest.skip("this lesson still has the form of the first edition")
    for cell in code_cells(read(path)):
        text = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        assert bool(text) == bool(pictures(cell.outputs)), f"{path.name}, {cell.id}"
        if text:
            assert re.search(r"^[A-Z].{30,}\.$", text), f"{cell.id}: {text}"
        known = set(NUMBER.findall(cell.source + printed(cell)))
        assert set(NUMBER.findall(text)) <= known, f"{path.name}, {cell.id}: {text}"


def test_cells_are_short(path):
    for cell in code_cells(read(path)):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 25 or "solution" in cell.metadata.get("tags", []), cell.source


def test_nothing_hides_a_failure(path):
    for cell in code_cells(read(path)):
        assert "raises-exception" not in cell.metadata.get("tags", [])
        assert "nbval-ignore-output" not in cell.metadata.get("tags", [])
        assert "NBVAL" not in cell.source, "marks for tools are cell metadata"
        assert not re.search(r"except( Exception)?:\s*\n\s*pass", cell.source)
        assert not any(line.rstrip().endswith(";") for line in cell.source.splitlines()), (
            "; hides nothing under nbval"
        )


def test_where_choices_are_made_the_test_set_is_opened_in_one_cell(path):
    if number(path) in ("08", "10"):
        assert sum("loaders.test" in cell.source for cell in code_cells(read(path))) == 1
