"""What students sent: whose it is, and the cells of each notebook, without their outputs."""

import json
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

LARGEST = 400 * 2**20
IGNORED = {"__macosx", "__pycache__", "thumbs.db", "desktop.ini"}
ENDINGS = re.compile(r"(\.(ipynb|json|txt|py|html?|pdf|docx?|zip))+$", re.IGNORECASE)


class Unreadable(Exception):
    """A file holds no notebook; the text says why, in one line."""


class Cell(NamedTuple):
    """A cell without its outputs; what it lacks is empty."""

    kind: str
    source: str
    id: str
    exercise: str


def students(folder: Path) -> dict[str, list[tuple[str, Path]]]:
    """Return each student's files as (name in front of a message, path). A file or a folder is a student.

    A file and a folder of one name, but for the file's ending, are one student's.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if _ignored(entry.name):
            continue
        if entry.is_dir(follow_symlinks=False):
            files = [
                (printable(os.path.relpath(path, entry.path)), path) for path in _files(Path(entry.path))
            ]
            found.setdefault(printable(entry.name), []).extend(files)
        else:
            name = printable(ENDINGS.sub("", entry.name) or entry.name)
            found.setdefault(name, []).append((printable(entry.name), Path(entry.path)))
    return found


def _ignored(name: str) -> bool:
    hidden = name.startswith((".", "~$")) and not name.startswith("..")
    return hidden or name.lower() in IGNORED


def _files(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _ignored(name))
        files += [Path(place, name) for name in sorted(names) if not _ignored(name)]
    return files


def printable(name: str) -> str:
    """Return a file's name as text that every file and page can hold: no bytes, no control characters."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join("\ufffd" if unicodedata.category(sign) == "Cc" else sign for sign in text)


def read_cells(path: Path) -> list[Cell]:
    """Return the cells of a notebook of format 3 or 4, or raise Unreadable."""
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):  # a link may lead anywhere, and a pipe never ends
            raise Unreadable("a link or a device, and no file")
        if status.st_size > LARGEST:
            raise Unreadable(f"{status.st_size / 2**20:,.0f} MB; the limit is {LARGEST // 2**20} MB")
        content = path.read_bytes()
        if content[:200].lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] != b"{":
            raise Unreadable("not a notebook" if content.strip() else "an empty file")
        notebook = json.loads(content)
        sheets = notebook.get("worksheets") or [notebook]
        cells = [_cell(cell) for sheet in sheets for cell in sheet["cells"] if isinstance(cell, dict)]
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"a damaged notebook, to be saved and sent again: {str(error)[:100]}") from None
    except (AttributeError, KeyError, TypeError):
        raise Unreadable("JSON, but not a notebook") from None
    if not cells:
        raise Unreadable("a notebook without cells")
    return cells


def _cell(cell: dict) -> Cell:
    source = cell.get("source", cell.get("input", ""))  # format 3 says input
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kind = cell.get("cell_type")
    if kind == "heading":  # format 3
        kind, source = "markdown", f"### {source}"
    identity = cell.get("id") or metadata.get("id")  # Colab moves ids to the metadata
    parts = kind, source, identity, metadata.get("exercise")
    # A lone half of a surrogate pair is valid in JSON, and nowhere else.
    return Cell(
        *(re.sub("[\ud800-\udfff]", "\ufffd", part) if isinstance(part, str) else "" for part in parts)
    )
