"""The lessons as they are released, which hand-outs and grading are derived from."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
HEADING = re.compile(r"^### Exercise (\d+\.\d+)\b", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]


class Exercise(NamedTuple):
    """``key`` begins the ids of its cells, ``check`` is the check's name, ``answer`` what the stub binds."""

    lesson: str
    number: str
    key: str
    check: str
    answer: str
    stub: str
    at: int  # the stub's place among the cells


class Lesson(NamedTuple):
    """A released lesson; ``number`` is the two digits that its file's name begins with."""

    number: str
    path: Path
    cells: list[dict]
    exercises: list[Exercise]


def read_lesson(path: Path) -> Lesson:
    """Read a stored notebook; the source of each cell becomes one string."""
    number = path.name[:2]
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    exercises = []
    for at, cell in enumerate(cells):
        if cell["cell_type"] == "markdown":
            heading = HEADING.findall(cell["source"]) or [None]
        elif key := cell["metadata"].get("exercise"):
            call = next(node for node in ast.walk(ast.parse(cells[at + 1]["source"])) if is_check(node))
            exercise = number, heading[-1], key, call.func.attr, call.args[0].id, cell["source"], at
            exercises.append(Exercise(*exercise))
    return Lesson(number, path, cells, exercises)


def is_solution(cell: dict) -> bool:
    """Whether a released cell is the folded solution of an exercise."""
    return "solution" in cell["metadata"].get("tags", [])


def is_check(node: ast.AST) -> bool:
    """Whether a node of a syntax tree is ``checks.NAME(something)``."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "checks"
        and len(node.args) == 1
    )


def read_lessons() -> list[Lesson]:
    """Return all lessons in their order."""
    return [read_lesson(path) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
