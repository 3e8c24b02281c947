"""A drawing is the same numbers in the page and in Python, and so is what MNIST's form makes of it."""

import base64
import json
import random

import pytest
import torch

from mnist_helpers import models
from mnist_helpers.page.drawing import draw_strokes, load_drawings
from mnist_helpers.pictures import PictureError, prepare

BOTH = """([strokes, width]) => {
    const gray = drawStrokes(strokes, width);
    const text = gray.map(row => String.fromCharCode(...row)).join("");  // 78,400 numbers as JSON take long
    return [btoa(text), window.network.prepare(gray), shrink(gray)];
}"""


def scribbles(count):
    """Random strokes: of all sizes and widths, some of a single point, some over the edge."""
    hand = random.Random(12)
    for _ in range(count):
        size, x, y = hand.uniform(0.02, 1), hand.uniform(-0.05, 0.9), hand.uniform(-0.05, 0.9)
        strokes = [
            [(x + size * hand.random(), y + size * hand.random()) for _ in range(hand.randint(1, 12))]
            for _ in range(hand.randint(1, 3))
        ]
        yield strokes, hand.uniform(0.005, 0.2)


def same_in_python(page, strokes, width):
    """Assert that both make the same of strokes, to the last digit."""
    text, digit, small = page.evaluate(BOTH, [strokes, width])
    gray = draw_strokes(strokes, width)
    assert gray.numpy().tobytes() == base64.b64decode(text)
    try:
        expected = prepare(gray)
    except PictureError:
        expected = torch.zeros(28, 28, dtype=torch.uint8)
    assert expected.flatten().tolist() == digit
    means = gray.float().view(28, 10, 28, 10).mean(dim=(1, 3)).flatten()
    assert (means - torch.tensor(small)).abs().max() <= 1
    return expected


def test_scribbles(show):
    page = show(models.Net())
    digits = [same_in_python(page, strokes, width) for strokes, width in scribbles(100)]
    assert sum(bool(digit.any()) for digit in digits) > 80
    same_in_python(page, [], 0.07)


def test_the_drawings_of_lesson_12(show):
    page, drawings = show(models.Net()), load_drawings()
    assert [drawing["digit"] for drawing in drawings] == [digit for digit in range(10) for _ in range(20)]
    for drawing in drawings:
        digit = same_in_python(page, drawing["strokes"], drawing["width"])
        assert digit.any()
        inside = [0 <= value <= 1 for stroke in drawing["strokes"] for point in stroke for value in point]
        assert all(inside)


def test_the_drawings_are_those_that_the_tool_makes(root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools"))
    import make_drawings

    monkeypatch.setattr(make_drawings, "OUT", tmp_path / "drawings.json")
    make_drawings.main()
    assert json.loads((tmp_path / "drawings.json").read_text()) == load_drawings()


def test_a_line_is_as_wide_as_asked():
    line = draw_strokes([[(0.1, 0.5), (0.9, 0.5)]], width=0.1)
    assert line[:, 140].float().sum() == 28 * 255  # its width in pixels
    assert line[140].float().sum() == pytest.approx((0.8 * 280 + 28) * 255, rel=0.01)  # with its round ends


def test_a_blank_drawing_is_refused():
    with pytest.raises(PictureError, match="the drawing: is blank"):
        prepare(draw_strokes([]))
