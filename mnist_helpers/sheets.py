"""The digit alone from a photograph or a screenshot: without desk, shadows, frames, lines and toolbars.

The sheet is looked for in a small copy, as a region whose neighbouring pixels are alike. Light falls off
slowly enough for that, an edge does not; what the region encloses is what is written on the sheet.
"""

import numpy as np
from PIL import Image

SMALL = 100  # pixels, the longer side of the small copy; in larger ones, soft edges of strokes look smooth
LEAST_CONTRAST = 24  # of 255; anything closer to its background does not count as ink
BLOCKS = 32  # parts of a row that are averaged before a ruled line is looked for, against noise
SLOPES = sorted(np.linspace(-0.07, 0.07, 57), key=abs)  # of ruled lines: up to 4 degrees


def digit_alone(picture: Image.Image) -> tuple[Image.Image | None, bool]:
    """Return the digit in an RGB picture, white on black, as RGB, or None when there is more than one.

    Where paper encloses nothing, return the picture without ruled lines, and False; otherwise, True.
    """
    pixels = without_lines(np.asarray(picture))
    times = -(-max(picture.size) // SMALL)  # rounded up
    small = np.asarray(Image.fromarray(pixels).reduce(times)).astype(np.int16)
    sheet = find_sheet(small) or find_sheet(without_shadows(small))
    if sheet is None:
        return Image.fromarray(pixels), False
    box = sheet.box_of_digit()
    if box is None:
        return None, True
    top, left, bottom, right = box
    part = np.s_[top:bottom, left:right]
    dark = small[part][sheet.digit[part]].mean(axis=0) < small[part][sheet.paper[part]].mean(axis=0)
    part = np.s_[times * top : times * bottom, times * left : times * right]
    paper, filled = (each.repeat(times, 0).repeat(times, 1)[part] for each in (sheet.paper, sheet.filled))
    size = sheet.sizes.max() * times // 2 + 2  # strokes are narrower than half of the digit
    ink = ink_on(pixels, size, dark, part)
    paper, filled = (each[: ink.shape[0], : ink.shape[1]] for each in (paper, filled))
    alone = np.zeros(pixels.shape[:2], dtype=np.uint8)
    alone[part] = (filled * (ink - np.percentile(ink[paper], 90))).clip(0, 255).round()
    if alone.max() < LEAST_CONTRAST:  # traces of JPEG in a small picture
        return Image.fromarray(pixels), False
    return Image.fromarray(alone).convert("RGB"), True


def without_lines(pixels: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) without ruled lines along rows or columns, as large as before."""
    less = without_rows(without_rows(pixels).swapaxes(0, 1)).swapaxes(0, 1)
    return np.asarray(Image.fromarray(less).resize(pixels.shape[1::-1]))


def without_rows(pixels: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) without the rows that are thin lines from side to side, turned level if they slope."""
    height, width = pixels.shape[:2]
    thick, size = height // 50, width // BLOCKS  # a line is at most 2 % high
    if thick < 1 or size < 1:
        return pixels
    darkest = np.minimum.reduce([pixels[:, : BLOCKS * size, each] for each in range(3)])
    blocks = darkest.reshape(height, BLOCKS, size).mean(axis=2)
    around = np.pad(blocks, ((thick, thick), (0, 0)), mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * thick + 1, axis=0), axis=2)
    unlike = np.abs(blocks - around)
    least = max(4 * np.median(unlike), 5)  # more than the noise and than traces of JPEG
    rows = np.arange(height)[:, None]
    lines, slope = [], 0
    for each in SLOPES:
        level = unlike[(rows + fall(each, BLOCKS, size)).clip(0, height - 1), np.arange(BLOCKS)]
        # At both ends, which tells it from a stroke, and as strong between them, which tells it from the
        # grain of a desk to both sides of a stroke; the digit may hide a good part of it.
        ends = level[:, [0, -1]]
        alike = (level > least) & (level < 3 * ends.max(axis=1, keepdims=True))
        found = np.nonzero((ends.min(axis=1) > least) & (alike.mean(axis=1) > 0.4))[0]
        if len(found) > len(lines):
            lines, slope = found, each
    if slope:
        pixels = pixels[(rows + fall(slope, width, 1)).clip(0, height - 1), np.arange(width)]
    blurred = np.add.outer(lines, [-1, 0, 1]).clip(0, height - 1).astype(int)
    return np.delete(pixels, blurred.ravel(), axis=0)


def fall(slope: float, count: int, size: int) -> np.ndarray:
    """Return by how many rows a line has fallen in each of ``count`` blocks of ``size`` columns."""
    return (slope * size * (np.arange(count) - count / 2)).round().astype(int)


def label(shape, joined, diagonal: bool = False) -> np.ndarray:
    """Return (H, W) in which connected pixels have one number, that of the first of them.

    ``joined`` takes two arrays of positions in the flat picture, neighbours each, and says which belong
    together; ``diagonal`` makes pixels neighbours that share a corner.
    """
    index = np.arange(shape[0] * shape[1]).reshape(shape)
    pairs = [(index[:, :-1], index[:, 1:]), (index[:-1], index[1:])]
    if diagonal:
        pairs += [(index[:-1, :-1], index[1:, 1:]), (index[:-1, 1:], index[1:, :-1])]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    both = joined(one, other)
    one, other, root = one[both], other[both], index.ravel().copy()
    while len(one):
        low, high = np.minimum(root[one], root[other]), np.maximum(root[one], root[other])
        np.minimum.at(root, high, low)
        while (root != root[root]).any():
            root = root[root]
        apart = root[one] != root[other]
        one, other = one[apart], other[apart]
    return root.reshape(shape)


class Region:
    """Connected pixels of the small copy, ``paper``, and the holes in them, by box and size."""

    def __init__(self, paper: np.ndarray):
        self.paper = paper
        rest = ~paper.ravel()
        self.holes = label(paper.shape, lambda one, other: rest[one] & rest[other], diagonal=True)
        numbers, which = np.unique(self.holes[~paper], return_inverse=True)
        places = np.argwhere(~paper)
        low, high = np.full((len(numbers), 2), paper.size), np.zeros((len(numbers), 2), dtype=int)
        np.minimum.at(low, which, places)
        np.maximum.at(high, which, places + 1)
        inner = ((low > 0) & (high < paper.shape)).all(axis=1)
        self.boxes = np.concatenate([low, high], axis=1)[inner]  # top, left, bottom, right
        self.sizes = (high - low)[inner].max(axis=1)  # the longer sides
        self.filled = paper | np.isin(self.holes, numbers[inner])
        self.digit = self.holes == numbers[inner][self.sizes.argmax()] if inner.any() else ~self.filled

    def is_sheet(self) -> bool:
        """Return whether this is paper with a digit: not a stroke with a loop, nor paper with specks."""
        places = np.argwhere(self.filled)
        if self.sizes.max(initial=0) <= 0.15 * np.ptp(places, axis=0).min() + 3:
            return False
        rows, columns = self.paper[[0, -1]], self.paper[:, [0, -1]]
        if (rows.sum() + columns.sum()) / (rows.size + columns.size) > 0.25:
            return True
        # Paper that is wholly in the picture is a rectangle, at some angle; an ellipse fills 79 % of its box.
        turns = np.exp(1j * np.radians(np.arange(0, 90, 5)))
        across, along = (np.ptp(places @ [turn.real, turn.imag], axis=0) + 1 for turn in (turns, 1j * turns))
        return len(places) > 0.85 * (across * along).min()

    def box_of_digit(self) -> np.ndarray | None:
        """Return top, left, bottom, right of the largest hole and of pieces close to it, with a margin.

        None if another one is about as large.
        """
        main, largest = self.boxes[self.sizes.argmax()], self.sizes.max()
        gap = 0.25 * largest + 1
        near = ((self.boxes[:, :2] < main[2:] + gap) & (self.boxes[:, 2:] > main[:2] - gap)).all(axis=1)
        beside = (self.boxes[:, 1] >= main[3]) | (self.boxes[:, 3] <= main[1])
        tall = self.boxes[:, 2] - self.boxes[:, 0] > 0.6 * (main[2] - main[0])
        if ((beside | ~near) & tall).any():
            return None
        pieces = self.boxes[near & (self.sizes > 0.2 * largest)]
        margin = round(0.05 * largest) + 1
        low, high = pieces[:, :2].min(axis=0) - margin, pieces[:, 2:].max(axis=0) + margin
        return np.concatenate([low.clip(0), high])


def find_sheet(small: np.ndarray) -> Region | None:
    """Return the innermost sheet with something on it in a small picture (H, W, 3), or None."""
    flat = small.reshape(-1, 3)
    step = max(0.04 * np.ptp(flat, axis=0).max(), 3)  # paper and soft shadows change less from pixel to pixel
    labels = label(small.shape[:2], lambda one, other: np.abs(flat[one] - flat[other]).max(axis=1) < step)
    numbers, counts = np.unique(labels, return_counts=True)
    regions = [Region(labels == number) for number in numbers[counts > 0.04 * labels.size]]
    regions = [region for region in regions if region.is_sheet()]
    sheet = max(regions, key=lambda region: region.sizes.max(), default=None)
    while inner := [each for each in regions if (sheet.filled & ~sheet.paper)[each.paper].all()]:
        sheet = max(inner, key=lambda region: region.paper.sum())
    return sheet


def without_shadows(small: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) divided by what lies behind dark strokes of up to a third of the shorter side."""
    behind = np.dstack([background(small[..., each], min(small.shape[:2]) // 3 + 1) for each in range(3)])
    return 255 / np.maximum(behind, 1) * small


def background(values: np.ndarray, size: int) -> np.ndarray:
    """Return (H, W) after a closing by a square of ``size``: dark strokes narrower than that are gone.

    Repeated beyond its border, so that a desk or a shadow which comes in from there stays.
    """
    padded = np.pad(values, size, mode="edge")
    for extreme in (np.maximum, np.minimum):
        for _ in range(2):
            have = 1
            while have < size:
                step = min(have, size - have)
                padded, have = extreme(padded[:-step], padded[step:]), have + step
            padded = padded.T
    return padded[1:-1, 1:-1]


def ink_on(pixels: np.ndarray, size: int, dark: np.ndarray, part) -> np.ndarray:
    """Return how far a part of uint8 (H, W, 3) is from its background, as if evenly lit: float32 (h, w).

    ``size`` is more than the width of a stroke; ``dark`` says for each colour whether ink is darker.
    """
    inks = []
    for channel, is_dark in enumerate(dark):
        values = pixels[..., channel] if is_dark else 255 - pixels[..., channel]
        behind = background(values, size)[part]
        light = (behind if is_dark else 255 - behind).astype(np.float32) + 16  # black paper has noise, too
        inks.append((behind - values[part]) * (np.percentile(light, 90) / light))
    return np.maximum.reduce(inks)
