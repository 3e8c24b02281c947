"""Count how long a lesson takes to read, and write the number into its card and the README.

    python tools/reading_minutes.py            print the minutes of every lesson
    python tools/reading_minutes.py --write    and put them into the cards and the README

A minute is 200 words of prose, 10 lines of code, or two figures or predictions. What is folded, the solutions
and the details, is not counted.
"""

import argparse
import re
import sys
from pathlib import Path

import nbformat

README = Path(__file__).resolve().parent.parent / "README.md"
LESSONS = README.parent / "notebooks"
NOT_PROSE = re.compile(r"<details.*?</details>|!\[[^\]]*\]\([^)]*\)|<[^>]+>|https?://\S+", re.DOTALL)
WORD = re.compile(r"[A-Za-z][A-Za-z'\-]*")
ON_THE_CARD = re.compile(r"about (\d+) minutes to read")


def reading_minutes(notebook: nbformat.NotebookNode) -> int:
    """Return the minutes that a lesson takes to read, without its folds and the time for its exercises."""
    prose = [NOT_PROSE.sub(" ", cell.source) for cell in notebook.cells if cell.cell_type == "markdown"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell.source for cell in code if "solution" not in cell.metadata.get("tags", [])]
    words = sum(len(WORD.findall(text)) for text in prose)
    lines = sum(1 for source in shown for line in source.splitlines() if line.strip())
    figures = sum("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)
    predictions = sum(text.count("**Predict") for text in prose)
    return round(words / 200 + lines / 10 + (figures + predictions) / 2)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description="Count the minutes that the lessons take to read.")
    parser.add_argument("--write", action="store_true", help="put the numbers into the cards and the README")
    options = parser.parse_args(arguments)
    readme = README.read_text(encoding="utf-8")
    for path in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        minutes = reading_minutes(notebook)
        card = notebook.cells[1]
        print(f"{path.name}: {minutes} minutes, the card says {ON_THE_CARD.search(card.source)[1]}")
        if options.write:
            card.source = ON_THE_CARD.sub(f"about {minutes} minutes to read", card.source)
            nbformat.write(notebook, path)
            row = re.compile(rf"(\({LESSONS.name}/{path.name}\) \|[^|]*\|) \d+ \|")
            readme = row.sub(rf"\1 {minutes} |", readme)
    if options.write:
        README.write_text(readme, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
