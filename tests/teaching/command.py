"""How the tests start the two commands, and read what they leave behind."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.support.programs import ROOT


def run(module: str, *arguments, **variables) -> subprocess.CompletedProcess:
    """Run ``python -m teaching.MODULE`` as course.py does, with the repository on the path."""
    command = [sys.executable, "-m", f"teaching.{module}", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=3000)


def grade(folder: Path, *arguments, **variables) -> tuple[dict[str, dict], Path]:
    """Grade a folder; return the rows of the table by student, and the folder of the results."""
    done = run("grading", folder, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    results = folder.with_name(f"{folder.name}-grades")
    with open(results / "grades.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert not [row for row in rows.values() if "fault of the grader" in row["notes"]]
    return rows, results


def points(row: dict) -> dict[str, int]:
    """The points of a row, by exercise."""
    return {name: int(value) for name, value in row.items() if "." in name and value}
