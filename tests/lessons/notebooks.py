"""How the tests of the lessons read a notebook, and what they ask of its outputs."""

import ast
import base64
import io
import tomllib
from pathlib import Path

import matplotlib.image
import nbformat
import numpy as np
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def number(path: Path) -> str:
    """Return the two digits that a lesson's name begins with."""
    return path.name[:2]


def read(path: Path) -> nbformat.NotebookNode:
    """Return the notebook as it is stored, not converted and not repaired."""
    return nbformat.reader.reads(path.read_text(encoding="utf-8"))


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def markdown(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def tagged(notebook, tag: str) -> list:
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def printed(cell, stream: str = "stdout") -> str:
    """Return what a cell wrote to stdout, or to stderr."""
    return streamed(cell.outputs, stream)


def streamed(outputs, stream: str) -> str:
    return "".join(out.text for out in outputs if out.output_type == "stream" and out.name == stream)


def pictures(outputs) -> list[str]:
    """Return the PNGs among the outputs of a cell, base64."""
    return [out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})]


def syntax_tree(source: str) -> ast.Module:
    """Parse a cell; magics such as %pip become calls first, as IPython does it."""
    return ast.parse(TransformerManager().transform_cell(source))


def probe_of(path: Path) -> str:
    """Return the cell that asks whether a lesson's kernel and folder hold what they should at its end."""
    module = f"lesson_{number(path)}"
    probe = (ROOT / "tests" / "lessons" / f"{module}.py").read_text(encoding="utf-8")
    source = next(
        ast.literal_eval(node.value)
        for node in ast.parse(probe).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "PROBE"
    )
    return (
        f"{source}\nimport json, sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"from tests.lessons import {module}\n{module}.verify(json.loads(json.dumps(values)))"
    )


def problem_of_outputs(cell, outputs) -> str | None:
    """Say what is wrong with the outputs that a cell has just had; None if nothing is."""
    if said := streamed(outputs, "stderr"):
        return f"it wrote to stderr: {said}"
    drawn = pictures(outputs)
    if len(drawn) != len(pictures(cell.outputs)):
        return f"it drew {len(drawn)} figures, and {len(pictures(cell.outputs))} are stored"
    for picture in drawn:
        pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(picture)))[..., :3]
        if min(pixels.shape[:2]) < 100:
            return "a figure is too small to read"
        colours = np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)
        if np.all(pixels == pixels[0, 0], axis=-1).mean() > 0.995 or len(colours) <= 16:
            return "a figure is all background"
    return None


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]  # stated there, and once
SETUP = next(cell.source for cell in read(NOTEBOOKS[0]).cells if cell.get("id") == "setup")
