"""How the tests of the lessons read a notebook."""

import ast
import tomllib
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def number(path: Path) -> str:
    """The two digits a lesson's name begins with."""
    return path.name[:2]


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook as it is stored, not converted and not repaired."""
    return nbformat.reader.reads(path.read_text(encoding="utf-8"))


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook, tag: str) -> list:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def printed(cell, stream: str = "stdout") -> str:
    """What a cell wrote to stdout, or to stderr."""
    return "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == stream)


def pictures(cell) -> list[str]:
    """The PNG outputs of a cell, base64."""
    return [out.data["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})]


def syntax_tree(source: str) -> ast.Module:
    """Parse a cell; magics such as %pip become calls first, as IPython does it."""
    return ast.parse(TransformerManager().transform_cell(source))


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]  # stated there, and once
SETUP = next(cell.source for cell in read(NOTEBOOKS[0]).cells if cell.get("id") == "setup")
