"""Each check accepts its solution and refuses the stub and wrong answers, with a message that helps."""

import importlib
import inspect

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


WRONG = [
    pytest.param(lesson, name, answer, fragment, id=f"{lesson}-{name}-{index}")
    for lesson in LESSONS
    for name, case in cases_of(lesson).items()
    for index, (answer, fragment) in enumerate(case["wrong"])
]
STUBS = [
    pytest.param(lesson, name, case["stub"], id=f"{lesson}-{name}")
    for lesson in LESSONS
    for name, case in cases_of(lesson).items()
]


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_check_has_cases(lesson):
    assert set(cases_of(lesson)) == set(checks_of(lesson))
    for name, case in cases_of(lesson).items():
        assert len(case["wrong"]) >= 2, f"{name} is tried with fewer than two wrong answers"


@pytest.mark.parametrize(("lesson", "name", "stub"), STUBS)
def test_stub_is_not_yet(lesson, name, stub, capsys):
    checks_of(lesson)[name](stub)
    assert capsys.readouterr().out.startswith("Not yet")


@pytest.mark.parametrize(
    ("lesson", "name"), [stub.values[:2] for stub in STUBS if callable(stub.values[2])], ids="-".join
)
def test_a_function_that_prints_its_answer_is_told_to_return_it(lesson, name, capsys):
    checks_of(lesson)[name](lambda *arguments: print("the answer"))
    assert capsys.readouterr().out == f"Not quite, because {PRINTED}\n"


@pytest.mark.parametrize(("lesson", "name", "answer", "fragment"), WRONG)
def test_wrong_answer_is_told_why(lesson, name, answer, fragment, capsys):
    checks_of(lesson)[name](answer)
    said = capsys.readouterr().out
    assert said.startswith("Not quite, because ")
    assert fragment in said
    assert said.count("\n") == 1, "a verdict is one line"


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
