"""Write the notebooks as students get them: without outputs and without the solutions of the exercises.

    python -m teaching.handout FOLDER [--with-solutions]

Everything is derived from ``notebooks/``. Links to other lessons and pictures lead to copies beside the
notebooks, other relative links to the repository.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path, PurePosixPath
from posixpath import normpath

from .release import ADDRESS, NOTEBOOKS, Lesson, is_solution, read_lessons

LINK = re.compile(r"""(\]\(|(?:src|href)=")(?!https?:|mailto:|data:|#)([^)"\s]+)""")
BADGE = re.compile(r"\[!\[[^]]*\]\([^)]*\)\]\(https://colab[^)]*\)\n*")
# What the lessons say of solutions and stored outputs, and what a hand-out says in its place.
PHRASES = {
    "there are a check of your answer and a folded solution.": "is a check of your answer.",
    " (or the solution's, if yours is not right yet)": "",
    ", otherwise the one of the solution": "",
    " (*Edit → Clear Outputs of All Cells* removes the stored answers.)": "",
}
TOP = (
    "**This is a hand-out**, without outputs and solutions. Solve the exercises in their order, save, and "
    "send this file."
)
NOTE = (
    "*(No solution here. A cell further down goes on with your answer if the check calls it right. If not, "
    "it ends in a red `NameError` for `{name}`, as may what builds on it; all other cells can be run.)*"
)


def handout(lesson: Lesson, with_solutions: bool = False) -> tuple[dict, set[str]]:
    """Return a lesson's hand-out as a notebook, and the files in ``notebooks/`` that it shows or leads to."""
    notebook = json.loads(lesson.path.read_text(encoding="utf-8"))
    cells, files = [], set()
    later = "\n".join(cell["source"] for cell in lesson.cells if not is_solution(cell))
    for cell in map(dict, lesson.cells):
        if cell["cell_type"] == "markdown":
            text = cell["source"]
            if not with_solutions:  # the badge would open the lesson with its solutions
                text = BADGE.sub("", text)
                for phrase, instead in PHRASES.items():
                    text = text.replace(phrase, instead)
            cell["source"] = LINK.sub(lambda link: link[1] + _target(link[2], files), text)
        else:
            cell |= {"outputs": [], "execution_count": None}
            if is_solution(cell) and not with_solutions:
                used = [name for name in re.findall(r"\bsolution_\w+", cell["source"]) if name in later]
                if not used:
                    continue
                source = NOTE.format(name=used[0])
                cell = {"cell_type": "markdown", "id": cell["id"], "metadata": {}, "source": source}
        cells.append(cell | {"source": cell["source"].splitlines(keepends=True)})
    if not with_solutions:
        cells.insert(1, {"cell_type": "markdown", "id": "handout", "metadata": {}, "source": [TOP]})
    return notebook | {"cells": cells}, files


def _target(link: str, files: set[str]) -> str:
    """Return where a relative link leads in a hand-out; a file that belongs beside it goes to ``files``."""
    name = link.split("#")[0]
    inside = normpath(name)
    if not inside.startswith("..") and (NOTEBOOKS / inside).is_file():
        files.add(inside)
        return link
    return f"{ADDRESS}/blob/main/{normpath(str(PurePosixPath(NOTEBOOKS.name, link)))}"


def write_handouts(folder: Path, with_solutions: bool = False) -> int:
    """Write all hand-outs to ``folder`` and return how many they are."""
    lessons = read_lessons()
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons:
        notebook, files = handout(lesson, with_solutions)
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        (folder / lesson.path.name).write_text(text, encoding="utf-8", newline="\n")
        for name in files - {other.path.name for other in lessons}:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(NOTEBOOKS / name, folder / name)
    return len(lessons)


def main(arguments: list[str] | None = None) -> int:
    """Write the hand-outs that the command line asks for and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python course.py handout",
        description="Write the notebooks for students: no solutions, no outputs.",
        allow_abbrev=False,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new or an empty folder")
    parser.add_argument("--with-solutions", action="store_true", help="for the teacher: solutions stay in")
    options = parser.parse_args(arguments)
    try:
        folder = options.folder.absolute()
        if folder.is_relative_to(NOTEBOOKS):
            raise FileExistsError(f"{options.folder} lies among the lessons; choose a folder elsewhere")
        if folder.is_dir() and any(folder.iterdir()):
            raise FileExistsError(f"{options.folder} is not empty; name a new folder")
        count = write_handouts(folder, options.with_solutions)
    except OSError as error:
        print(f"handout: {error}", file=sys.stderr)
        return 1
    print(f"{count} notebooks {'with' if options.with_solutions else 'without'} solutions in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
