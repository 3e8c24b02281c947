"""Write the 200 drawings of lesson 12, as strokes: python tools/make_drawings.py.

Twenty for each digit, from skeletons and a seeded hand: they differ in slant, size, place, speed, thickness
and tremble. They are made by this program, and no claim about people's handwriting follows from them.
"""

import json
import math
import random
from itertools import pairwise
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "mnist_helpers" / "page" / "drawings.json"
EACH = 20  # drawings of a digit


def arc(x, y, across, down, start, end):
    """Return points on an ellipse, from one angle to another in degrees; 0 is right and 90 is down."""
    steps = max(abs(end - start) // 15, 2)
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


EIGHT = arc(0.5, 0.76, 0.33, 0.25, -90, 270)  # its lower half

# In a box of 1 by 1, y downwards: for each digit some ways of writing it, each a list of strokes.
SKELETONS = [
    [[arc(0.5, 0.5, 0.33, 0.5, -90, 270)], [arc(0.5, 0.5, 0.26, 0.5, -60, 300)]],
    [[[(0.5, 0.0), (0.5, 1.0)]], [[(0.3, 0.2), (0.52, 0.0), (0.52, 1.0)]]],
    [
        [[*arc(0.48, 0.27, 0.33, 0.27, -170, 30), (0.15, 1.0), (0.85, 1.0)]],
        [[*arc(0.48, 0.27, 0.33, 0.27, -160, 40), *arc(0.3, 0.88, 0.13, 0.11, 80, 330), (0.9, 0.93)]],
    ],
    [
        [[*arc(0.45, 0.25, 0.32, 0.25, -150, 80), *arc(0.45, 0.74, 0.37, 0.26, -80, 150)]],
        [[(0.15, 0.02), (0.8, 0.02), (0.42, 0.4), *arc(0.45, 0.7, 0.35, 0.3, -70, 150)]],
    ],
    [
        [[(0.3, 0.0), (0.12, 0.55), (0.9, 0.55)], [(0.7, 0.15), (0.68, 1.0)]],
        [[(0.65, 1.0), (0.65, 0.0), (0.1, 0.65), (0.95, 0.65)]],
    ],
    [
        [[(0.85, 0.0), (0.25, 0.0), (0.2, 0.42), *arc(0.47, 0.68, 0.36, 0.32, -120, 150)]],
        [[(0.25, 0.02), (0.22, 0.45), *arc(0.45, 0.7, 0.37, 0.3, -110, 145)], [(0.25, 0.02), (0.85, 0.0)]],
    ],
    [
        [[(0.7, 0.0), (0.35, 0.3), *arc(0.5, 0.7, 0.32, 0.3, 180, -180)]],
        [[*arc(0.75, 0.5, 0.55, 0.5, -80, -180), *arc(0.5, 0.72, 0.3, 0.28, 180, 540)]],
    ],
    [
        [[(0.1, 0.03), (0.88, 0.03), (0.4, 1.0)]],
        [[(0.12, 0.05), (0.85, 0.02), (0.42, 1.0)], [(0.3, 0.52), (0.82, 0.5)]],
    ],
    [
        [[*arc(0.5, 0.25, 0.28, 0.25, -60, -270), *EIGHT, *arc(0.5, 0.25, 0.28, 0.25, 90, -60)]],
        [arc(0.5, 0.25, 0.27, 0.25, -90, 270), arc(0.5, 0.74, 0.34, 0.26, -90, 270)],
    ],
    [
        [[*arc(0.48, 0.28, 0.3, 0.28, 0, -360), (0.78, 0.28), (0.72, 1.0)]],
        [[*arc(0.5, 0.28, 0.28, 0.28, -30, -370), *arc(0.38, 0.55, 0.4, 0.45, -20, 110)]],
    ],
]  # fmt: skip


def smooth_noise(hand, points, strength):
    """Return an offset for each of a stroke's points, which changes slowly along it."""
    waves = [(hand.uniform(0.3, 1.1), hand.uniform(0, 6.3), hand.gauss(0, strength)) for _ in range(3)]
    return [sum(size * math.sin(speed * at + phase) for speed, phase, size in waves) for at in range(points)]


def resample(stroke, step):
    """Return points along a stroke, about ``step`` apart, as a hand of some speed leaves them."""
    points = [stroke[0]]
    for (x0, y0), (x1, y1) in pairwise(stroke):
        parts = max(round(math.dist((x0, y0), (x1, y1)) / step), 1)
        along = [part / parts for part in range(1, parts + 1)]
        points += [(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part) for part in along]
    return points


def write(digit, skeleton, hand):
    """Return one drawing: a skeleton, written once by the hand."""
    size, narrow = hand.uniform(0.3, 0.85), hand.uniform(0.75, 1.05)
    slant, turn = hand.gauss(0.12, 0.15), math.radians(hand.gauss(0, 5))
    width = min(max(hand.gauss(0.06, 0.022), 0.025), 0.13) * (0.5 + 0.6 * size)
    strokes = [resample(stroke, hand.uniform(0.06, 0.14)) for stroke in skeleton]
    shaken = []
    for stroke in strokes:
        tremble = [smooth_noise(hand, len(stroke), 0.013) for _ in "xy"]
        points = [(x - 0.5 + dx, y - 0.5 + dy) for (x, y), dx, dy in zip(stroke, *tremble, strict=True)]
        shaken.append([(narrow * x - slant * y, y) for x, y in points])
    cos, sin = size * math.cos(turn), size * math.sin(turn)
    turned = [[(cos * x - sin * y, sin * x + cos * y) for x, y in stroke] for stroke in shaken]
    corner = []
    for axis in (0, 1):  # somewhere on the sheet, but not over its edge
        values = [point[axis] for stroke in turned for point in stroke]
        free = 1 - width - (max(values) - min(values))
        corner.append(width / 2 - min(values) + max(free, 0) * hand.betavariate(2, 2))
    placed = [[[round(x + corner[0], 3), round(y + corner[1], 3)] for x, y in stroke] for stroke in turned]
    return {"digit": digit, "width": round(width, 3), "strokes": placed}


def main() -> None:
    """Write all drawings, one a line."""
    hand = random.Random(12)
    drawings = [write(digit, hand.choice(SKELETONS[digit]), hand) for digit in range(10) for _ in range(EACH)]
    OUT.write_text("[\n" + ",\n".join(map(json.dumps, drawings)) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
