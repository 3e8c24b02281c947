"""Execute the lessons in place and store them in the one form in which they are committed.

    python tools/execute_lessons.py                                      all lessons
    python tools/execute_lessons.py notebooks/01_data_exploration.ipynb  one

Each lesson runs from top to bottom in a fresh kernel, in its own folder. A lesson in which a cell fails,
prints to stderr or leaves a widget (which GitHub then refuses to show) is not written.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
SECONDS_PER_CELL = 300
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What "save as a script" needs; without versions, which would be this machine's.
LANGUAGE = {
    "name": "python",
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "nbconvert_exporter": "python",
}
ANSI_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class LessonError(Exception):
    """Why a lesson was not written: which cell, and the first lines of what it said."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status: 1 if a lesson was not written."""
    parser = argparse.ArgumentParser(description="Execute lessons in place, top to bottom.")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all lessons")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted(LESSONS.glob("*.ipynb"))
    for path in paths:
        if not path.is_file():
            parser.error(f"there is no notebook {path}")
    failed = False
    for path in paths:
        start = time.perf_counter()
        try:
            execute_lesson(path)
        except LessonError as error:
            failed = True
            print(f"{path.name}: not written: {error}", flush=True)
        else:
            print(f"{path.name}: {time.perf_counter() - start:.1f} s", flush=True)
    return int(failed)


def execute_lesson(path: Path) -> None:
    """Execute one lesson and write it back, or raise LessonError and leave the file as it is."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises a different kind for each way a file can be broken
        raise LessonError(f"it cannot be read as a notebook: {error}") from error
    execute(notebook, path.parent)
    check_outputs(notebook)
    write(normalise(notebook), path)


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Run all cells in a fresh kernel whose working folder is `folder`.

    Raises LessonError if a cell raises, takes longer than SECONDS_PER_CELL or kills its kernel.
    """
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=SECONDS_PER_CELL,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute(env={**os.environ, "TQDM_DISABLE": "1"})
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise LessonError(failure(notebook, error)) from error


def failure(notebook: NotebookNode, error: Exception) -> str:
    """Say which cell failed and how, from its stored output where there is one."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return f"cell {number} ({cell.id}) failed: {first_lines(f'{output.ename}: {output.evalue}')}"
    return first_lines(str(error))


def check_outputs(notebook: NotebookNode) -> None:
    """Raise LessonError if a cell printed to stderr or left a widget or a stored error."""
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise LessonError(f"cell {number} ({cell.id}) failed: {first_lines(output.evalue)}")
            if output.get("name") == "stderr":
                raise LessonError(f"cell {number} ({cell.id}) prints to stderr: {first_lines(output.text)}")
            if WIDGET in output.get("data", {}):
                raise LessonError(f"cell {number} ({cell.id}) leaves a widget")


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Reduce an executed notebook to what belongs to the lesson: no timing, no machine, no versions."""
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": LANGUAGE})
    count = 0
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        # An empty cell is not executed and has no number.
        count += bool(cell.source.strip())
        cell.execution_count = count if cell.source.strip() else None
        cell.outputs = joined_streams(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = cell.execution_count
    nbformat.validate(notebook)
    return notebook


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join neighbouring pieces of printed text: where the kernel cuts them is a matter of timing.

    nbclient's own coalesce_streams would also move text from below a figure to above it.
    """
    joined = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def write(notebook: NotebookNode, path: Path) -> None:
    """Write the notebook under a temporary name and move it into place, with the repository's line ends."""
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False).rstrip("\n") + "\n"
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(text.encode("utf-8"))
    os.replace(temporary, path)


def first_lines(text: str, limit: int = 3) -> str:
    """Return the beginning of a longer message, without terminal colours."""
    lines = ANSI_COLOURS.sub("", text).strip().splitlines()
    return "\n    ".join(lines[:limit])


if __name__ == "__main__":
    sys.exit(main())
