"""Submissions are graded by the real command: none lost, no wrong points, no crash.

GRADE_SUBMISSIONS=all makes 300; an ordinary run makes one of each kind.
"""

import csv
import json
import os
import random
import re
import sys
import time

import pytest

from tests.support.programs import NO_NETWORK

from .command import grade, points, run
from .submissions import LESSONS, MUTILATIONS, Made, make

COUNT = 300 if os.environ.get("GRADE_SUBMISSIONS") == "all" else len(MUTILATIONS)
LIMIT = 5  # seconds for an answer
OVERHEAD = 5  # seconds for all else of a submission, at most
LESSON = LESSONS[2]
ODD = ["-rf", "..x", "ü 🎉", "w" * 200, "=cmd()|A1", "<script>alert(1)<⁄script>", "a\nb", "same", "x.tar.gz"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="grading runs on Linux, macOS or WSL")


def write(path, kinds, lesson=LESSON) -> Made:
    """Write a submission with an answer of each kind; one kind is that of all."""
    kinds = [kinds] * len(lesson.exercises) if isinstance(kinds, str) else kinds
    made = Made(lesson, random.Random(0), kinds)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made.notebook), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """One class with everybody in it: the made submissions, all rows, the results, the seconds."""
    folder = tmp_path_factory.mktemp("graded") / "sent"
    folder.mkdir()
    made = make(folder, COUNT)
    for lesson in LESSONS:
        write(folder / "solved" / f"{lesson.number}.ipynb", "solution", lesson)
        write(folder / "untouched" / f"{lesson.number}.ipynb", "stub", lesson)
    for name in ODD:
        write(folder / f"{name}.ipynb", ["stub", "solution", "stub"])
    write(folder / "same" / "..." / "-.ipynb", ["solution", "stub", "stub"], LESSONS[1])
    (folder / os.fsdecode(b"\xff\xfe.ipynb")).write_bytes(b"")
    (folder / "pipe").mkdir()
    os.mkfifo(folder / "pipe" / "lesson.ipynb")
    (folder / "link.ipynb").symlink_to("/etc/passwd")
    for name in ("two", "three"):
        one = write(folder / name / "x.ipynb", ["stub", "wrong", "solution"])
        one.give(LESSON.exercises[0], "answer = (9, 3)")
        (folder / name / "x.ipynb").write_text(json.dumps(one.notebook))
    write(folder / "three" / "y, a better one.ipynb", "solution")
    start = time.monotonic()
    rows, results = grade(folder, "--seconds", LIMIT, "--jobs", 2)
    return made, rows, results, time.monotonic() - start


def test_made_submissions(graded):
    made, rows, *_ = graded
    assert made.keys() <= rows.keys()
    assert {name: points(rows[name]) for name in made} == {name: one.points for name, one in made.items()}
    for name, one in made.items():
        assert int(rows[name]["points"]) == sum(one.points.values())
        assert int(rows[name]["of"]) == len(one.points)
        assert one.note in rows[name]["notes"]
        assert "\n" not in rows[name]["notes"]


def test_the_overhead(graded):
    *_, rows, _, seconds = graded
    stopped = sum(row["notes"].count("not done after") for row in rows.values())
    assert 0 < stopped <= COUNT // len(MUTILATIONS)
    assert seconds - LIMIT * stopped < OVERHEAD * COUNT


def test_a_solved_handout_gets_all_points_and_an_untouched_one_none(graded):
    _, rows, results, _ = graded
    count = sum(len(lesson.exercises) for lesson in LESSONS)
    assert [rows[name]["points"] for name in ("solved", "untouched")] == [str(count), "0"]
    assert [rows[name]["of"] for name in ("solved", "untouched")] == [str(count)] * 2
    feedback = (results / "feedback" / "untouched.html").read_text(encoding="utf-8")
    assert feedback.count("not attempted.") == count


def test_odd_names(graded):
    made, rows, results, _ = graded
    assert len(rows) == len(made) + len(ODD) + 7
    assert rows["same"]["points"] == "2", "a file and a folder of one name are one student's"
    for name in ("'-rf", "..x", "ü 🎉", "w" * 200, "'=cmd()|A1", "a\ufffdb", "x.tar.gz"):
        assert rows[name]["points"] == "1", name
    assert rows["\ufffd\ufffd"]["notes"].endswith("an empty file")
    assert rows["pipe"]["notes"] == "lesson.ipynb: a link or a device, and no file"
    assert "a link" in rows["link"]["notes"]
    pages = list((results / "feedback").iterdir())
    assert len(pages) == len(rows)
    assert all(re.fullmatch(r"\w[\w.-]*\.html", page.name) for page in pages)
    for page in [*pages, results / "grades.html"]:
        assert "<script" not in page.read_text(encoding="utf-8")


def test_the_page_and_the_better_of_two_files(graded):
    _, rows, results, _ = graded
    assert [rows[name]["points"] for name in ("two", "three")] == ["1", "3"]
    assert "lesson 3 was sent more than once" in rows["three"]["notes"]
    page = (results / "grades.html").read_text(encoding="utf-8")
    kinds = r"<td>(\d+)</td><td>(Not [^<]*)</td><td>([^<]*)</td></tr>"
    wrong = [(int(count), sentence, who.split(", ")) for count, sentence, who in re.findall(kinds, page)]
    assert [count for count, *_ in wrong] == sorted((len(who) for *_, who in wrong), reverse=True)
    assert any(
        "the sizes are right and the signs are not" in sentence and "two" in who for _, sentence, who in wrong
    )
    answered = len([row for row in rows.values() if row["3.2"]])
    assert f"<td>{sum(row['3.2'] == '1' for row in rows.values())}/{answered}</td>" in page
    for part in ('<html lang="en">', "<title>", 'scope="col"', 'scope="row"', "<caption>", "<main>"):
        assert part in page
    feedback = (results / "feedback" / "two.html").read_text(encoding="utf-8")
    assert "answer = (9, 3)" in feedback
    assert "1 of 3 points" in feedback
    assert not re.search(r"\b(src|href)=.?https?:|\bsrc=|<link", page + feedback)


def test_a_class_without_names(tmp_path):
    folder = tmp_path / "sent"
    write(folder / "Ada Lovelace.ipynb", ["stub", "wrong", "stub"])
    (folder / "Alan Turing.pdf").write_bytes(b"%PDF")
    (folder / "Kurt").mkdir()
    done = run("grading", folder, "--no-names", "--to", tmp_path / "results")
    assert done.returncode == 0
    table = (tmp_path / "results" / "grades.csv").read_text(encoding="utf-8-sig")
    assert [row[0] for row in csv.reader(table.splitlines())][1:] == [f"student {n}" for n in (1, 2, 3)]
    page = (tmp_path / "results" / "grades.html").read_text(encoding="utf-8")
    for text in (table, page, done.stdout):
        assert not re.search("Ada|Turing|Kurt", text)
    feedback = {path.name for path in (tmp_path / "results" / "feedback").iterdir()}
    assert feedback == {"Ada_Lovelace.html", "Alan_Turing.html", "Kurt.html"}


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["sent"], 1, "is there already"),
        (["nowhere"], 2, "is not a folder"),
        (["sent", "--to", "sent/x"], 2, "cannot lie in"),
        (["sent", "--no-n"], 2, "unrecognized"),
        (["sent", "--seconds", "0"], 2, "above 0"),
        (["sent", "--to", "new"], 1, "MNIST"),
        (["data", "--to", "new"], 1, "is empty; it should hold a file or a folder for each student"),
    ],
)
def test_what_the_command_refuses(tmp_path, options, status, sentence):
    for name in ("sent", "sent-grades", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "sent" / "ann.ipynb").touch()
    paths = [option if option.startswith("--") or option == "0" else tmp_path / option for option in options]
    done = run("grading", *paths, MNIST_DATA_DIR=str(tmp_path / "data"), **NO_NETWORK)
    assert done.returncode == status
    assert sentence in done.stderr.splitlines()[-1], done.stderr
    assert status == 2 or done.stderr.count("\n") == 1
    assert not (tmp_path / "new").exists()
