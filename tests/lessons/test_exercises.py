"""Each check accepts its solution and refuses the stub and wrong answers, with a message that helps."""

import importlib
import inspect
import re

import pytest

from mnist_helpers.checks.vocabulary import PRINTED

from .notebooks import NOTEBOOKS, number, printed, read, tagged

LESSONS = [number(path) for path in NOTEBOOKS]


def checks_of(lesson: str) -> dict:
    """The checks of a lesson by name: the functions that its module decorates."""
    module = importlib.import_module(f"mnist_helpers.checks.lesson_{lesson}")
    return {
        name: function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and hasattr(function, "__wrapped__")
    }


def cases_of(lesson: str) -> dict:
    return importlib.import_module(f".lesson_{lesson}", __package__).CASES


CHECKS = [
    pytest.param(lesson, name, id=f"{lesson}-{name}") for lesson in LESSONS for name in cases_of(lesson)
]
STUBS = [
    pytest.param(lesson, name, case["stub"], id=f"{lesson}-{name}")
    for lesson in LESSONS
    for name, case in cases_of(lesson).items()
]


def verdict(lesson: str, name: str, answer, capsys) -> str:
    right = checks_of(lesson)[name](answer)
    said = capsys.readouterr().out
    assert bool(right) == said.splitlines()[-1].startswith("Right."), "what a check returns is what it says"
    return said


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_check_has_cases(lesson):
    assert set(cases_of(lesson)) == set(checks_of(lesson))
    for name, case in cases_of(lesson).items():
        assert case["right"], f"{name} is tried with no right answer but the notebook's"
        assert len(case["wrong"]) >= 2, f"{name} is tried with fewer than two wrong answers"


@pytest.mark.parametrize(("lesson", "name", "stub"), STUBS)
def test_stub_is_not_yet(lesson, name, stub, capsys):
    assert verdict(lesson, name, stub, capsys).startswith("Not yet")


@pytest.mark.parametrize(("lesson", "name", "stub"), [case for case in STUBS if callable(case.values[2])])
def test_a_function_that_prints_its_answer_is_told_to_return_it(lesson, name, stub, capsys):
    prints = lambda *arguments, **named: print("the answer")  # noqa: E731
    assert verdict(lesson, name, prints, capsys) == f"Not quite, because {PRINTED}\n"


@pytest.mark.parametrize(("lesson", "name"), CHECKS)
def test_right_answers_of_other_kinds(lesson, name, capsys):
    for answer in cases_of(lesson)[name]["right"]:
        assert verdict(lesson, name, answer, capsys).startswith("Right."), answer


@pytest.mark.parametrize(("lesson", "name"), CHECKS)
def test_wrong_answers_are_told_apart(lesson, name, capsys):
    """Answers wrong for one reason hear one sentence (but for its numbers), and each reason has its own."""
    heard = []
    for group in cases_of(lesson)[name]["wrong"]:
        said = [verdict(lesson, name, answer, capsys) for answer in group]
        assert all(text.startswith("Not quite, because ") for text in said), said
        assert all(text.count("\n") == 1 for text in said), "a verdict is one line"
        reasons = {re.sub(r"[-\d.,%()\[\] ]+", " ", text) for text in said}
        assert len(reasons) == 1, reasons
        heard += reasons
    assert len(set(heard)) == len(heard), "two reasons share a sentence"


@pytest.mark.parametrize(("lesson", "name", "stub"), STUBS)
def test_nonsense_is_refused_in_one_line(lesson, name, stub, capsys):
    def fails(*arguments):
        raise RuntimeError("several\nlines")

    answers = [float("nan"), "", [], {}, object()]
    if callable(stub):
        answers = [fails, *(lambda *arguments, answer=answer: answer for answer in answers)]
    for answer in answers:
        said = verdict(lesson, name, answer, capsys)
        assert said.startswith("Not quite, because ")
        assert said.count("\n") == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=number)
def test_stored_verdicts(path):
    """Every check stands below one stub, where it says 'Not yet', and one solution, where it says 'Right'."""
    notebook = read(path)
    solutions = tagged(notebook, "solution")
    for cell in solutions:
        assert printed(cell).startswith("Right."), cell.source
    for name in checks_of(number(path)):
        using = [
            cell for cell in notebook.cells if cell.cell_type == "code" and f"checks.{name}(" in cell.source
        ]
        verdicts = [printed(cell).split(" ")[0] for cell in using]
        assert verdicts == ["Not", "Right."], (
            f"checks.{name} stands below one stub and one solution: {verdicts}"
        )
