"""The four ways to an answer, each where the others do not lead to it, and what an answer takes with it."""

import pytest

from teaching.grading.finding import find, pieces_of
from teaching.grading.needed import needed, statements
from teaching.grading.reading import Cell

from .submissions import LESSONS

LESSON = LESSONS[0]
FIRST, *_, LAST = LESSON.exercises  # both ask for ``answer``
ANSWERS = {FIRST.key: "answer = 0.8088", LAST.key: "answer = (5, 3)"}


def headings() -> dict[str, Cell]:
    texts = {one.key: LESSON.cells[one.at - 1]["source"] for one in (FIRST, LAST)}
    return {key: Cell("markdown", text, "", "") for key, text in texts.items()}


def stub(key: str, identity: str = "", exercise: str = "") -> Cell:
    return Cell("code", ANSWERS[key], identity, exercise)


def in_the_other_order(cells: dict[str, list[Cell]]) -> list[Cell]:
    rest = [Cell(cell["cell_type"], cell["source"], cell["id"], "") for cell in LESSON.cells[:6]]
    return [*cells[LAST.key], *rest, *cells[FIRST.key]]


@pytest.mark.parametrize(
    "made",
    [
        {key: [stub(key, f"{key}-stub")] for key in ANSWERS},
        {key: [stub(key, exercise=key)] for key in ANSWERS},
        {key: [headings()[key], stub(key)] for key in ANSWERS},
        {
            one.key: [stub(one.key), Cell("code", f"checks.{one.check}(answer)", "", "")]
            for one in (FIRST, LAST)
        },
    ],
    ids=["id", "metadata", "heading", "name"],
)
def test_each_finder_alone(made):
    pieces = pieces_of(in_the_other_order(made), LESSON)
    for exercise in (FIRST, LAST):
        assert find(exercise, LESSON, pieces).source == ANSWERS[exercise.key]


def test_the_finders_are_asked_in_their_order():
    cells = [
        headings()[FIRST.key],
        Cell("code", "answer = 'heading'", "", ""),
        Cell("markdown", "## Another", "", ""),
        Cell("code", "answer = 'metadata'", "", FIRST.key),
        Cell("code", "answer = 'id'", f"{FIRST.key}-stub", ""),
        Cell("code", "answer = 'name'", "", ""),
    ]
    for name in ("id", "metadata", "heading", "name"):
        assert find(FIRST, LESSON, pieces_of(cells, LESSON)).source == f"answer = '{name}'"
        cells = [cell for cell in cells if name not in cell.source]


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("a = 1\nb = 2\nanswer = a", "a = 1\nanswer = a"),
        ("a = []\na.append(1)\nprint(a)\nanswer = a", "a = []\na.append(1)\nanswer = a"),
        ("a = {}\na['x'] = 1\nb = {}\nb['x'] = 1\nanswer = a", "a = {}\na['x'] = 1\nanswer = a"),
        ("answer = 1 / 0\nanswer = 2", "answer = 2"),
        ("def f():\n    return g()\nx = 3\ndef g():\n    return x\nanswer = f()", None),
        ("from math import *\nimport os\nanswer = sqrt(2)", "from math import *\nanswer = sqrt(2)"),
        ("n = 0\nfor i in x:\n    n += i\nanswer = n\nf(n)", "n = 0\nfor i in x:\n    n += i\nanswer = n"),
        ("%matplotlib inline\n!ls\nanswer = 3 % 2", "answer = 3 % 2"),
    ],
)  # fmt: skip
def test_only_what_an_answer_needs_runs(source, kept):
    assert "\n".join(needed(list(statements(source)), "answer")) == (kept or source)


def test_what_adds_to_an_answer_further_down_is_part_of_it():
    """The cell was split between its statements, and the part with the id is not the last."""
    parts = ["answer = {'A': 1}", "answer |= {'B': 2}", "answer['C'] = 3", "print(answer)"]
    cells = [headings()[FIRST.key], *(Cell("code", part, "", "") for part in parts)]
    cells[2] = cells[2]._replace(id=f"{FIRST.key}-stub")
    found = find(FIRST, LESSON, pieces_of(cells, LESSON))
    assert found.program == parts[:3]
