"""Made submissions: a hand-out with known answers in it, mutilated in one of many ways, and its points.

The answers are the notebooks' solutions and the CASES of tests/lessons, as source.
"""

import ast
import copy
import json
import random
import re
from functools import cache
from pathlib import Path

from teaching.handout import handout
from teaching.release import Exercise, Lesson, read_lessons

CASES = Path(__file__).resolve().parents[1] / "lessons"
LESSONS = read_lessons()


def solution(lesson: Lesson, exercise: Exercise) -> str:
    """The notebook's solution as a student would have written it into the stub."""
    source = lesson.cells[exercise.at + 2]["source"].removeprefix("# @title Solution\n")
    call = re.search(rf"checks\.{exercise.check}\((\w+)\)", source)
    return re.sub(rf"\b{call[1]}\b", exercise.answer, source.replace(call[0], "")).strip()


@cache
def answers(lesson: str) -> tuple[str, dict]:
    """The helpers of a lesson's CASES as source, and by check and kind ("right", "wrong") its expressions."""
    tree = ast.parse((CASES / f"lesson_{lesson}.py").read_text(encoding="utf-8"))
    helpers, found = [], {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "CASES":
            for check, case in zip(node.value.keys, node.value.values, strict=True):
                kinds = {key.value: value for key, value in zip(case.keys, case.values, strict=True)}
                wrong = [one for group in kinds["wrong"].elts for one in getattr(group, "elts", [])]
                some = {"right": kinds["right"].elts, "wrong": wrong}
                found[check.value] = {
                    kind: [ast.unparse(one) for one in nodes if not isinstance(one, ast.Starred)]
                    for kind, nodes in some.items()
                }
        else:
            helpers.append(ast.unparse(node))
    return "\n\n".join(helpers), found


def answer_cell(lesson: Lesson, exercise: Exercise, kind: str, rng: random.Random) -> str:
    """A stub cell with an answer of a kind: "solution", "right", "wrong" or "stub"."""
    if kind == "stub":
        return exercise.stub
    if kind == "solution":
        return solution(lesson, exercise)
    helpers, found = answers(lesson.number)
    expression = rng.choice(found[exercise.check][kind])
    return f"{helpers}\n\n{exercise.answer} = {expression}"


class Made:
    """A made submission: the notebook, what each exercise is worth, and what to write to the disk."""

    def __init__(self, lesson: Lesson, rng: random.Random, kinds: list[str] | None = None) -> None:
        self.lesson, self.rng = lesson, rng
        self.notebook = copy.deepcopy(handout(lesson)[0])
        for cell in self.notebook["cells"]:
            cell["source"] = "".join(cell["source"])
        self.points, self.kinds, self.note = {}, {}, ""
        for at, exercise in enumerate(lesson.exercises):
            kind = kinds[at] if kinds else rng.choice(["solution", "solution", "right", "wrong", "stub"])
            self.kinds[exercise.key] = kind
            self.points[exercise.number] = int(kind in ("solution", "right"))
            self.stub(exercise)["source"] = answer_cell(lesson, exercise, kind, rng)

    @property
    def cells(self) -> list[dict]:
        return self.notebook["cells"]

    @property
    def exercises(self) -> list[Exercise]:
        return self.lesson.exercises

    def cell(self, name: str) -> dict:
        return next(cell for cell in self.cells if cell.get("id") == name)

    def stub(self, exercise: Exercise) -> dict:
        return self.cell(f"{exercise.key}-stub")

    def of_exercises(self, *parts: str) -> list[dict]:
        ids = [f"{exercise.key}-{part}" for exercise in self.exercises for part in parts]
        return [cell for cell in self.cells if cell["id"] in ids]

    def keep(self, belongs) -> None:
        self.notebook["cells"] = [cell for cell in self.cells if belongs(cell)]

    def insert(self, before: dict, *sources: str) -> None:
        at = next(at for at, cell in enumerate(self.cells) if cell is before)
        self.cells[at:at] = [code(source, self.rng) for source in sources]

    def give(self, exercise: Exercise, source: str, points: int = 0) -> None:
        self.stub(exercise)["source"] = source
        self.points[exercise.number] = points

    def body(self, exercise: Exercise, line: str) -> str:
        """An answer that does something bad: inside its function where it is one."""
        first = exercise.stub.splitlines()
        head = next((one for one in first if one.startswith("def ")), None)
        return f"{head}\n    {line}\n    return 1" if head else f"{line}\nanswer = 1"

    def files(self) -> dict[str, bytes]:
        """Names in the student's folder, or "" for the one file itself, and contents."""
        return {"lesson.ipynb": json.dumps(self.notebook).encode()}


def code(source: str, rng: random.Random, **metadata) -> dict:
    identity = f"{rng.getrandbits(32):08x}"
    cell = {"cell_type": "code", "id": identity, "metadata": metadata, "source": source}
    return cell | {"outputs": [], "execution_count": None}


# The mutilations. Each takes a Made, may change its points, and may return files instead of the notebook.


def untouched(made):
    pass


def checks_deleted(made):
    gone = made.of_exercises("check", "solution")
    made.keep(lambda cell: cell not in gone)


def headings_deleted(made):
    made.keep(lambda cell: cell["cell_type"] == "code" or "### Exercise" not in cell["source"])


def all_else_deleted(made):
    kept = made.of_exercises("stub")
    made.keep(lambda cell: cell in kept)
    if not any("def " in one.stub and made.kinds[one.key] != "stub" for one in made.exercises):
        made.cells.insert(
            0, code(f"from mnist_helpers.checks import lesson_{made.lesson.number} as checks", made.rng)
        )


def stub_deleted(made):
    exercise = made.rng.choice(made.exercises)
    stub = made.stub(exercise)
    made.keep(lambda cell: cell is not stub)
    made.points[exercise.number] = 0


def copied(made):
    """A copy of the stub is kept above or below, as Jupyter makes it: a new id, and the same metadata."""
    for exercise in made.exercises:
        stub = made.stub(exercise)
        at = made.cells.index(stub) + made.rng.choice([0, 1])
        kept = code(exercise.stub, made.rng, **stub["metadata"])
        made.cells.insert(at, kept)
        if made.rng.random() < 0.5:  # and the work was done in the copy
            kept["source"], stub["source"] = stub["source"], kept["source"]


def moved_down(made):
    stubs = made.of_exercises("stub")
    made.keep(lambda cell: cell not in stubs)
    made.rng.shuffle(stubs)
    made.cells.extend(stubs)


def moved_up(made):
    stubs = made.of_exercises("stub")
    made.keep(lambda cell: cell not in stubs)
    made.cells[:0] = stubs


def moved_without_ids(made):
    moved_down(made)
    for cell in made.cells:
        cell["id"] = f"{made.rng.getrandbits(32):08x}"


def split(made):
    for exercise in made.exercises:
        stub = made.stub(exercise)
        lines = stub["source"].splitlines()
        if len(lines) > 1:
            cuts = sorted(made.rng.sample(range(1, len(lines)), min(len(lines) - 1, made.rng.choice([1, 2]))))
            parts = ["\n".join(lines[a:b]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
            keeper = made.rng.randrange(len(parts))
            stub["source"] = parts[keeper]
            at = made.cells.index(stub)
            made.cells[at + 1 : at + 1] = [code(part, made.rng) for part in parts[keeper + 1 :]]
            made.cells[at:at] = [code(part, made.rng) for part in parts[:keeper]]


def joined(made):
    """Each stub with its check, and with the text above it in front as comments."""
    for exercise in made.exercises:
        stub, check = made.stub(exercise), made.cell(f"{exercise.key}-check")
        heading = made.cells[made.cells.index(stub) - 1]
        text = "\n".join(f"# {line}" for line in heading["source"].splitlines())
        stub["source"] = f"{text}\n{stub['source']}\n{check['source']}"
        made.keep(lambda cell, check=check, heading=heading: cell is not check and cell is not heading)
        stub["id"] = made.rng.choice([stub["id"], "0badcafe"])
        stub["metadata"] = made.rng.choice([stub["metadata"], {}])


def all_joined(made):
    """All code of the notebook in one cell."""
    every = [cell["source"] for cell in made.cells if cell["cell_type"] == "code"]
    sources = [source for source in every if not source.startswith("%%")]  # those cannot be joined
    made.notebook["cells"] = [code("\n\n".join(sources), made.rng)]


def turned_to_text(made):
    for exercise in made.exercises:
        stub = made.stub(exercise)
        kind = made.rng.choice(["markdown", "raw", "fenced"])
        if kind == "fenced":
            stub["source"] = f"My answer is this:\n\n```python\n{stub['source']}\n```\n\nI hope it's right."
        stub["cell_type"] = "raw" if kind == "raw" else "markdown"
        del stub["outputs"], stub["execution_count"]


def wrong_kernel(made):
    made.notebook["metadata"] = made.rng.choice(
        [{}, {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}, {"language_info": None}]
    )


def older_edition(made):
    """Other ids, other texts, other code around, no metadata, an exercise that is gone since."""
    for cell in made.cells:
        if not re.match(r"ex\d-", cell["id"]):
            cell["id"] = f"{made.rng.getrandbits(32):08x}"
        if made.rng.random() < 0.4 and not re.match(r"ex\d-stub", cell["id"]):
            comment = "An older text.\n\n" if cell["cell_type"] == "markdown" else "# older\n"
            cell["source"] = comment + cell["source"]
        cell["metadata"].pop("exercise", None)
    gone = ["answer = 17", "checks.an_older_one(answer)"]
    made.insert(made.stub(made.exercises[-1]), *gone)


def large_outputs(made):
    cell = made.of_exercises("check")[0]
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x" * 999 + "\n"] * 52_000}]


def asks_for_input(made):
    made.insert(made.stub(made.exercises[0]), "name = input('Your name? ')", "n = int(input())\nprint(n)")
    exercise = made.exercises[-1]
    made.give(exercise, made.body(exercise, "value = input()"))


def loops_for_ever(made):
    made.insert(made.stub(made.exercises[0]), "while True:\n    pass", "import time\ntime.sleep(1e6)")
    exercise = made.exercises[-1]
    made.give(exercise, made.body(exercise, "while True: pass"))


def exits(made):
    made.insert(
        made.stub(made.exercises[0]), "import sys\nsys.exit()", "exit()", "quit()", "import os; os._exit(0)"
    )
    exercise = made.exercises[-1]
    line = made.rng.choice(["import sys; sys.exit()", "import os; os._exit(0)", "raise KeyboardInterrupt"])
    made.give(exercise, made.body(exercise, line))


def starts_processes(made):
    exercise = made.exercises[-1]
    line = made.rng.choice(
        [
            "import os; [os.fork() for _ in range(100)]",
            "import subprocess; [subprocess.Popen(['sleep', '999']) for _ in range(100)]",
            "import multiprocessing as m; [m.Process(target=print).start() for _ in range(100)]",
            "import os; os.system('sleep 999 &')",
            "import ctypes; [ctypes.CDLL(None).fork() for _ in range(100)]",
        ]
    )
    made.give(exercise, made.body(exercise, line))


def takes_memory(made):
    exercise = made.exercises[-1]
    line = made.rng.choice(["big = bytearray(20 * 2**30)", "import torch; big = torch.zeros(5 * 2**30)"])
    made.give(exercise, made.body(exercise, line))


def no_notebook(made):
    whole = json.dumps(made.notebook).encode()
    contents = [b"%PDF-1.7 \x00\xff", b"", b"{", b"[1, 2]", b'{"cells": 7}', b'{"cells": []}', b"PK\x03\x04"]
    contents += [whole[:-1000], b"[" * 10**5, b'{"a":' * 10**5, b'{"nbformat": 4, "cells": [null, 3]}']
    content = made.rng.choice(contents)
    made.points.clear()
    made.note = "homework.ipynb: "
    return {"homework.ipynb": content}


def from_colab(made):
    for cell in made.cells:
        cell["metadata"]["id"] = made.rng.choice([cell.pop("id"), "tXk3_" + cell.get("id", "Zq")])
        cell["source"] = cell["source"].splitlines(keepends=True)
    made.notebook |= {"nbformat": 4, "nbformat_minor": 0}
    made.notebook["metadata"] = {"colab": {"provenance": []}, "kernelspec": {"name": "python3"}}


def format_3(made):
    cells = []
    for cell in made.cells:
        old = {"cell_type": cell["cell_type"], "metadata": {}}
        if cell["cell_type"] == "code":
            old |= {"input": cell["source"], "language": "python", "outputs": []}
        elif cell["source"].startswith("### ") and "\n\n" in cell["source"]:
            title, text = cell["source"].split("\n\n", 1)
            cells.append({"cell_type": "heading", "level": 3, "source": title[4:], "metadata": {}})
            old["source"] = text
        else:
            old["source"] = cell["source"]
        cells.append(old)
    return {
        "old.ipynb": json.dumps(
            {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": cells}]}
        ).encode()
    }


def nothing_but_texts(made):
    """Pasted into a new notebook: no id, no metadata."""
    for cell in made.cells:
        cell["id"], cell["metadata"] = f"{made.rng.getrandbits(32):08x}", {}


def prints_right(made):
    """Whoever prints what a check prints, puts it into the outputs or replaces the checks earns nothing."""
    number = made.lesson.number
    for exercise in made.exercises:
        cheat = made.rng.choice(
            [
                'print("Right. A fine answer.")',
                "import builtins; builtins.bool = lambda value: True",
                f"import mnist_helpers.checks.lesson_{number} as c; c.{exercise.check} = lambda answer: 1",
                "import mnist_helpers.checks.vocabulary as v; v.compare = lambda *a, **k: None",
                "import sys; sys.stdout.write('Right.'); sys.modules.clear()",
            ]
        )
        wrong = answer_cell(made.lesson, exercise, "wrong", made.rng)
        made.give(exercise, f"{cheat}\n{wrong}\n{cheat}")
        made.cell(f"{exercise.key}-check")["outputs"] = [
            {
                "output_type": "stream",
                "name": "stdout",
                "text": "Right. Four pixels in five are blank paper.\n",
            }
        ]


def junk_around(made):
    """What computers leave in folders, and a second, unsolved file of the same lesson."""
    empty = json.dumps(handout(made.lesson)[0]).encode()
    made.note = "essay.pdf: not a notebook"
    return made.files() | {
        ".DS_Store": b"\0\0\0\1Bud1",
        "__MACOSX/._lesson.ipynb": b"\0\5\26\7",
        ".ipynb_checkpoints/lesson-checkpoint.ipynb": empty,
        "essay.pdf": b"%PDF-1.7",
        "deep/er/Lesson (1).ipynb": empty,
    }


def helper_elsewhere(made):
    """The answer is a call of a function in a cell of its own, above or far below it."""
    for exercise in made.exercises:
        stub, name = made.stub(exercise), exercise.answer
        if name == "main":
            continue  # 7.1 refuses helpers: its file would not know them
        if made.kinds[exercise.key] == "solution" and f"def {name}(" in stub["source"]:
            helper = re.sub(rf"\b{name}\b", f"my_{name}", stub["source"])
            stub["source"] = f"def {name}(*arguments):\n    return my_{name}(*arguments)"
            made.insert(stub if made.rng.random() < 0.5 else made.cells[-1], helper, "1 / 0", f"{name}(None)")


def windows(made):
    for cell in made.cells:
        cell["source"] = cell["source"].replace("\n", "\r\n")
    return {
        "LESSON.IPYNB": b"\xef\xbb\xbf" + json.dumps(made.notebook, indent=2).replace("\n", "\r\n").encode()
    }


def renamed(made):
    name = made.rng.choice(
        ["final FINAL (2)", "lesson.ipynb.txt", "12_draw_a_digit.ipynb", "-rf", "ü 🎉.json"]
    )
    return {name: json.dumps(made.notebook).encode()}


MUTILATIONS = [
    *(untouched, checks_deleted, headings_deleted, all_else_deleted, stub_deleted, copied, moved_down),
    *(moved_up, moved_without_ids, split, joined, all_joined, turned_to_text, wrong_kernel, older_edition),
    *(large_outputs, asks_for_input, loops_for_ever, exits, starts_processes, takes_memory, no_notebook),
    *(from_colab, format_3, nothing_but_texts, prints_right, junk_around, helper_elsewhere, windows, renamed),
]


def make(folder: Path, count: int, seed: int = 0) -> dict[str, Made]:
    """Write ``count`` submissions, each kind as often as the others; return them by student."""
    rng, made = random.Random(seed), {}
    for at in range(count):
        mutilate = MUTILATIONS[at % len(MUTILATIONS)]
        name = f"{at:03d} {mutilate.__name__}"
        one = made[name] = Made(rng.choice(LESSONS), rng)
        files = mutilate(one) or one.files()
        if len(files) == 1 and rng.random() < 0.3 and mutilate is not no_notebook:
            folder.joinpath(f"{name}.ipynb").write_bytes(*files.values())
            continue
        for file, content in files.items():
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return made
