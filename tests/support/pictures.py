"""Digits drawn as pictures, and how far a digit that was read is from the one that was drawn."""

import numpy as np
from PIL import Image


def enlarged(digit, times):
    """A digit of MNIST, uint8 (28, 28), as a larger picture, white on black."""
    return Image.fromarray(digit).resize((28 * times, 28 * times), Image.Resampling.BICUBIC)


def difference(read, digit):
    """The mean difference of two digits, 0 to 255, at the best place: centring moves by whole pixels."""
    moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    read = read.numpy().astype(float)
    return min(np.abs(np.roll(read, move, axis=(0, 1)) - digit).mean() for move in moves)
