"""The table FAULTS.md and the tests it names; ``python -m tests.faults.table`` writes its last column."""

import ast
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TABLE = FOLDER / "FAULTS.md"
NUMBERS = range(1, 60)


def by_number() -> dict[int, list[str]]:
    """Return the names of all ``test_fault_NN_...`` in this folder, in the order of the files."""
    found: dict[int, list[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (name := re.match(r"test_fault_(\d\d)_", node.name)):
                found.setdefault(int(name[1]), []).append(node.name)
    return found


def rows(text: str) -> list[list[str]]:
    """Return the cells of each row of the table that begins with a number."""
    lines = [line for line in text.splitlines() if re.match(r"\| *\d+ *\|", line)]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def named_in(row: list[str]) -> list[str]:
    """Return the tests that a row names."""
    return re.findall(r"`(test_\w+)`", row[-1])


def with_tests(text: str, tests: dict[int, list[str]]) -> str:
    """Return the text of the table with the last column written from ``tests``."""
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if row := next(iter(rows(line)), None):
            row[-1] = "<br>".join(f"`{name}`" for name in tests.get(int(row[0]), []))
            lines[index] = f"| {' | '.join(row)} |"
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(
        with_tests(TABLE.read_text(encoding="utf-8"), by_number()), encoding="utf-8", newline="\n"
    )
