"""Grade what students sent: a table, a page, and feedback for each (python course.py grade FOLDER)."""

import argparse
import os
import random
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from mnist_helpers import DataError, fetch_mnist
from mnist_helpers.errors import first_line

from ..release import Lesson, read_lessons
from .finding import find, lesson_of, pieces_of
from .limits import FILE_SIZE, MEMORY, SECONDS
from .reading import Unreadable, read_cells, students
from .reports import Grade, Result, write_reports
from .running import judge, prepare


def grade_file(path: Path, lessons: list[Lesson], seconds: float) -> tuple[Lesson, dict[str, Result]]:
    """Return which lesson a file is and the result of each of its exercises. Raises Unreadable."""
    cells = read_cells(path)
    lesson = lesson_of(cells, lessons)
    if lesson is None:
        raise Unreadable("a notebook, but none of the course's lessons")
    pieces, results = pieces_of(cells, lesson), {}
    for exercise in lesson.exercises:
        found = find(exercise, lesson, pieces)
        if found is None:
            verdict = "not attempted", "Not yet: this exercise was not attempted."
        elif found.error:
            verdict = "wrong", f"Not quite, because {found.error}."
        else:
            verdict = judge(found.program, exercise.answer, lesson.number, exercise.check, seconds)
        results[exercise.number] = Result(*verdict, found.source if found else "")
    return lesson, results


def grade_student(name: str, alias: str, files: list, lessons: list[Lesson], seconds: float) -> Grade:
    """Grade all files of a student; of several of one lesson the best counts."""
    best, notes = {}, [] if files else [("", "nothing was sent")]
    for label, path in files:
        try:
            lesson, results = grade_file(path, lessons, seconds)
        except Unreadable as problem:
            notes.append((label, str(problem)))
            continue
        except Exception as error:  # nobody else is to wait for a fault of the grader
            notes.append((label, f"NOT GRADED, a fault of the grader: {type(error).__name__}: {error}"))
            continue
        notes += [
            (label, f"{number}: {one.sentence}") for number, one in results.items() if one.state == "stopped"
        ]
        if lesson.number in best:
            notes.append((label, f"lesson {int(lesson.number)} was sent more than once; the best counts"))
        grades = [best.get(lesson.number), Grade(name, alias, results, [])]
        best[lesson.number] = max(filter(None, grades), key=lambda grade: grade.points)
    results = {number: result for each in best.values() for number, result in each.results.items()}
    return Grade(name, alias, results, notes)


def grade_folder(folder: Path, seconds: float, jobs: int) -> list[Grade]:
    """Grade everything in a folder, ``jobs`` students at a time."""
    sent, lessons = students(folder), read_lessons()
    if not sent:
        raise OSError(f"{folder} is empty; it should hold a file or a folder for each student")
    prepare([lesson.number for lesson in lessons], str(fetch_mnist()))
    numbers = random.sample(range(1, len(sent) + 1), len(sent))  # in another order than the names
    tasks = [(name, f"student {number}", sent[name]) for name, number in zip(sent, numbers, strict=True)]
    with ThreadPoolExecutor(jobs) as pool:
        grades = pool.map(lambda task: grade_student(*task, lessons, seconds), tasks)
        return list(tqdm(grades, total=len(tasks), unit="student", disable=None))


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python course.py grade",
        description="Grade what students sent. Each file, or folder of files, in FOLDER is a student.",
        epilog=f"Each exercise has a process of its own: {MEMORY // 2**30} GB of memory, files up to "
        f"{FILE_SIZE // 2**20} MB, no network, no other process, a scratch folder. This stops accidents and "
        "mischief; against an attack on Python itself, grade in a container without a network.",
        allow_abbrev=False,
    )
    half = max(1, (os.cpu_count() or 1) // 2)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="what students sent")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="for the results (default: FOLDER-grades)")
    parser.add_argument("--no-names", action="store_true", help="student 1, student 2 … in table and page")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for an answer (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=half, help="students at a time (default: %(default)s)")
    options = parser.parse_args(arguments)
    options.folder = options.folder.absolute()
    options.to = (options.to or options.folder.with_name(f"{options.folder.name}-grades")).absolute()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is not a folder")
    if options.to.is_relative_to(options.folder):
        parser.error("the results cannot lie in the folder of what students sent")
    if not options.seconds > 0 or options.jobs < 1:
        parser.error("--seconds and --jobs are above 0")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Grade what the command line asks for and return the exit status."""
    options = read_arguments(arguments)
    names = not options.no_names
    warnings.simplefilter("ignore", SyntaxWarning)  # of students' code
    try:
        if sys.platform == "win32":
            raise OSError("grading runs on Linux, macOS or WSL: Windows cannot limit a process as it has to")
        if options.to.exists():
            raise OSError(f"{options.to} is there already; delete it, or choose another folder with --to")
        grades = grade_folder(options.folder, options.seconds, options.jobs)
        write_reports(options.to, grades, names)
    except DataError as error:
        print(f"grade: {first_line(error)} (python -m mnist_helpers fetch says more)", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"grade: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("grade: stopped, nothing was written", file=sys.stderr)
        return 130
    for grade in grades:
        for note in grade.told(names):
            print(f"{grade.called(names)}: {note}")
    print(f"{len(grades)} students: {options.to / 'grades.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
