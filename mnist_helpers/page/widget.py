"""A pad in a notebook, whose drawing Python can use. It needs anywidget, which is imported here alone."""

from importlib.resources import files

from ..errors import ReaderError
from ..pictures import prepare
from .drawing import draw_strokes

try:
    import anywidget
    import traitlets
except ImportError:
    raise ReaderError(
        "the pad needs anywidget: pip install anywidget, then restart the kernel. Or draw in the page of "
        "write_page or show_page, choose Save as PNG there, and read the file with pictures.read_digit"
    ) from None

_FOLDER, _SCRIPTS = files(__package__), ("drawing.js", "pad.js", "widget.js")


class Pad(anywidget.AnyWidget):
    """A pad to draw on; show it as a cell's last line, draw, and use it in the next cell.

    ``strokes`` and ``width`` are what was drawn, as ``draw_strokes`` takes them.
    """

    _esm = "\n".join([_FOLDER.joinpath(name).read_text(encoding="utf-8") for name in _SCRIPTS])
    _css = """
    .pad { max-width: 308px; }
    .pad .buttons { display: flex; gap: 0.5rem; margin: 0.4rem 0; }
    .drawing { width: 100%; touch-action: none; cursor: crosshair; border: 2px solid gray; }
    """
    strokes = traitlets.List().tag(sync=True)
    width = traitlets.Float(0.07).tag(sync=True)

    @property
    def drawing(self):
        """What was drawn, white on black: uint8 (280, 280)."""
        return draw_strokes(self.strokes, self.width)

    @property
    def digit(self):
        """What was drawn, in MNIST's form: uint8 (28, 28). Raises PictureError when nothing was drawn."""
        return prepare(self.drawing)
