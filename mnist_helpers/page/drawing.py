"""From strokes to a drawing: the same numbers as ``drawing.js``, which draws in the page and in the pad."""

import json
from importlib.resources import files

import numpy as np
import torch

SIDE = 280  # pixels of a drawing


def draw_strokes(strokes, width: float = 0.07, side: int = SIDE) -> torch.Tensor:
    """Return a drawing, white on black: uint8 (side, side).

    Each stroke is a list of points (x, y), from 0 to 1, joined by lines of ``width``, a part of the side,
    with round ends. A pixel at the edge of a line is as bright as the line covers it.
    """
    gray = np.zeros((side, side), dtype=np.uint8)
    radius = width * side / 2
    for stroke in strokes:
        points = np.asarray(stroke, dtype=np.float64) * side
        for start, end in zip(points[[0, *range(len(points) - 1)]], points, strict=True):
            low = np.clip(np.floor(np.minimum(start, end) - radius - 1), 0, side).astype(int)
            high = np.clip(np.floor(np.maximum(start, end) + radius + 2), 0, side).astype(int)
            x = np.arange(low[0], high[0]) + 0.5 - start[0]
            y = (np.arange(low[1], high[1]) + 0.5 - start[1])[:, None]
            dx, dy = end - start
            along = ((x * dx + y * dy) / (dx * dx + dy * dy or 1)).clip(0, 1)
            distance = np.sqrt((x - along * dx) ** 2 + (y - along * dy) ** 2)
            cover = np.floor(255 * (radius + 0.5 - distance).clip(0, 1) + 0.5).astype(np.uint8)
            part = gray[low[1] : high[1], low[0] : high[0]]
            np.maximum(part, cover, out=part)
    return torch.from_numpy(gray)


def load_drawings(name: str = "drawings") -> list[dict]:
    """Return the 200 drawings of lesson 12, or with "signs" six letters and signs, as a list of dicts.

    ``strokes`` and ``width`` are as ``draw_strokes`` takes them; ``digit`` says what a drawing stands for,
    ``name`` what a sign is. tools/make_drawings.py made the drawings.
    """
    return json.loads(files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8"))
