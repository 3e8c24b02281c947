"""From a picture file to a digit in the form of MNIST: white on black, 28 × 28, sized and centred.

The form is that of Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits",
whose page describes it: each digit was fitted into a box of 20 × 20 pixels, keeping its aspect ratio, and the
box was placed in a field of 28 × 28 so that the centre of mass lies in the middle. A network trained on MNIST
has seen nothing else, so a drawing used as it comes is often misread.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

from .errors import ReaderError
from .sheets import LEAST_CONTRAST, digit_alone

FIELD = 28  # pixels, the side of an image of MNIST
BOX = 20  # pixels, the longer side of the digit in it
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")  # not TIFF and PSD, which are large, nor EPS, a program
FAINT = 0.15  # of the strongest ink; anything fainter does not enlarge the digit's box
WORKING_SIDE = 1000  # pixels; in a larger picture, blocks are averaged first
NOISE = 0.4  # of the strongest ink; more than that on the border is a stroke touching it, not noise


class PictureError(ReaderError):
    """A picture cannot be read, or holds no digit; the text says which file, why and what to do."""


def read_digit(path: str | Path) -> torch.Tensor:
    """Return the digit in a picture file as MNIST stores one: uint8 (28, 28), from 0, black, to 255, white.

    The picture may have any size and colours. It is read as one digit on a sheet of another colour. Around
    the sheet there may be a desk, a frame or a toolbar, on it shadows and ruled lines. A digit that reaches
    the border of the picture is read if the background is even.

    Raises PictureError when there is no such file, when it is not a picture or is damaged, when it has more
    pixels than Pillow allows (about 89 million), when it is blank or holds nothing but specks, and when
    what is the digit cannot be told: two digits, a hard shadow or lines across it.
    """
    picture, found = digit_alone(read_picture(Path(path)))
    if picture is None:
        raise PictureError(f"{path}: shows more than one digit, or other things as large; cut out one digit")
    digit = _prepare(picture, path)
    if is_grey(digit.numpy().astype(np.int16)) or (not found and is_smeared(np.asarray(find_ink(picture)))):
        raise PictureError(f"{path}: a shadow, an edge or a line runs into the digit; cut the digit out")
    return digit


def is_grey(digit: np.ndarray) -> bool:
    """Return whether int16 (28, 28) has even grey areas, as of shadows; MNIST has hardly any of 3 × 3."""
    areas = np.lib.stride_tricks.sliding_window_view(digit, (3, 3))
    low, high = areas.min(axis=(2, 3)), areas.max(axis=(2, 3))
    return ((low > 35) & (high < 200) & (high - low < 60)).sum() > 2


def is_smeared(ink: np.ndarray) -> bool:
    """Return whether more of the ink is faint than the edges of strokes are, as in narrow shadows."""
    return (ink > 0.5 * 255).sum() < 0.6 * (ink > FAINT * 255).sum()


def prepare(drawing: torch.Tensor) -> torch.Tensor:
    """Return a drawing, uint8 (H, W), in the form of MNIST: uint8 (28, 28).

    Raises PictureError when it is blank.
    """
    return _prepare(Image.fromarray(drawing.numpy()).convert("RGB"), "the drawing")


def _prepare(picture: Image.Image, path) -> torch.Tensor:
    ink = find_ink(picture)
    if ink is None:
        raise PictureError(f"{path}: is blank, or too pale; draw one digit, dark on light or light on dark")
    digit = fit_into_box(crop(ink))
    if not digit.any():  # two specks of dust on a sheet: the digit's box spans the gap between them
        raise PictureError(f"{path}: nothing is left of it at MNIST's size; crop the picture to the digit")
    strongest = digit.astype(np.float32) * (255 / digit.max())
    return centre_by_mass(strongest.round().astype(np.uint8))


def read_picture(path: Path) -> Image.Image:
    """Return the picture, upright, as RGB; transparent parts are filled. Errors as in ``read_digit``."""
    if os.path.isdir(path):  # Path.is_dir has errors of its own, as on a name that is too long
        raise PictureError(f"{path}: is a folder; name the pictures in it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, which is not used here
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                return on_a_background(ImageOps.exif_transpose(working_size(eight_bits(picture))))
    except FileNotFoundError:
        problem = "there is no such file"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        limit = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
        problem = f"has {limit}; make it smaller first, 1,000 by 1,000 is plenty"
    except Image.UnidentifiedImageError:
        problem = f"is not a picture of a kind read here ({', '.join(FORMATS)}); save it as PNG"
    except Exception as error:  # Pillow raises whatever its decoder runs into
        if getattr(error, "filename", None):  # the system's error, on opening the file
            problem = f"cannot be opened ({error.strerror})"
        else:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            problem = f"is damaged or cut short ({reason}); save or copy it again"
    raise PictureError(f"{path}: {problem}")


def eight_bits(picture: Image.Image) -> Image.Image:
    """Return a picture as RGB, or as RGBA if parts are transparent, 8 bits per colour."""
    if picture.mode.startswith("I"):  # 16 bits; Pillow's convert would turn everything above 255 white
        picture.info.pop("transparency", None)
        picture = picture.convert("I")
        # Cameras and scanners keep 10, 12 or 14 bits in 16: white is the largest number of so many bits.
        white = 2 ** max(int(picture.getextrema()[1]).bit_length(), 8) - 1
        picture = picture.point(lambda value: value * (255 / white)).convert("L")
    mode = "RGBA" if picture.has_transparency_data else "RGB"
    # convert copies, and a large picture takes hundreds of megabytes
    return picture if picture.mode == mode else picture.convert(mode)


def working_size(picture: Image.Image) -> Image.Image:
    """Return a large picture shrunk to 1,000 to 1,999 pixels on its longer side, each one a mean."""
    return picture.reduce(max(max(picture.size) // WORKING_SIDE, 1))  # by 1: a copy


def on_a_background(picture: Image.Image) -> Image.Image:
    """Return RGB, with white behind transparent parts, or black if the visible part is light."""
    if picture.mode == "RGB":
        return picture
    # Slightly above zero, for a picture in which nothing is visible.
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float32) + 1e-6
    light = np.average(np.asarray(picture.convert("L")), weights=alpha)
    behind = Image.new("RGBA", picture.size, "black" if light > 127 else "white")
    return Image.alpha_composite(behind, picture).convert("RGB")


def find_ink(picture: Image.Image) -> Image.Image | None:
    """Return how far each pixel's colour is from the background's, mode "L", 0 to 255, or None if blank.

    ``picture`` is RGB. The distance is the largest of the three in red, green and blue, so that dark on
    light, light on dark and red on green all become white on black. What most of the border has too, such as
    the grain of paper, counts as none.
    """
    ink = np.maximum.reduce([distance_from_background(np.asarray(channel)) for channel in picture.split()])
    strongest, noise = ink.max(), np.percentile(border(ink), 90)
    noise = 0 if noise > NOISE * strongest else noise
    if strongest - noise < LEAST_CONTRAST:
        return None
    return Image.fromarray((255 * (ink - noise) / (strongest - noise)).clip(0, 255).round().astype(np.uint8))


def distance_from_background(values: np.ndarray) -> np.ndarray:
    """Return how far one colour's values (H, W), 0 to 255, are from its background, float32 (H, W).

    The background is the median of the border, or, where that fits more of the border, as in a photograph of
    paper lit from one side, it runs evenly from the median of one side to that of the opposite one.
    """
    values = values.astype(np.float32)
    light = ramp(values[0], values[-1], values.shape[0])[:, None]
    light = light + ramp(values[:, 0], values[:, -1], values.shape[1])
    flat, lit = (np.abs(each - np.median(border(each))) for each in (values, values - light))
    return lit if np.median(border(lit)) < np.median(border(flat)) else flat


def ramp(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` values around 0, as far apart as the medians of two sides, float32."""
    return (np.median(last) - np.median(first)) * np.linspace(-0.5, 0.5, count, dtype=np.float32)


def border(values: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of (H, W) values as one row."""
    return np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])


def crop(ink: Image.Image) -> Image.Image:
    """Return the part of ``ink`` that holds the digit, without the fainter noise around it."""
    smooth = ink.filter(ImageFilter.BoxBlur(max(ink.size) // 400))  # single grains are not strokes
    least = FAINT * smooth.getextrema()[1]
    return ink.crop(smooth.point(lambda value: 255 if value > least else 0).getbbox())


def fit_into_box(ink: Image.Image) -> np.ndarray:
    """Return ``ink`` with its longer side at 20 pixels, uint8 (h, w).

    When shrunk, each pixel is the mean of the area it stands for, so that thin strokes become grey instead
    of vanishing.
    """
    scale = BOX / max(ink.size)
    width, height = (max(round(scale * side), 1) for side in ink.size)
    how = Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    # Rows first, as the page does: left alone, Pillow 13 chooses the order by its cost, older ones do not.
    return np.asarray(ink.resize((width, ink.height), how).resize((width, height), how))


def centre_by_mass(digit: np.ndarray) -> torch.Tensor:
    """Return uint8 (28, 28) with ``digit``, at most (20, 20), moved by whole pixels to the middle.

    The centre of mass ends up at 13.5 up to 14.5 in rows and in columns, counted from 0, as in all of
    MNIST's test images.
    """
    field = np.zeros((FIELD, FIELD), dtype=np.uint8)
    corner = []
    for axis, side in enumerate(digit.shape):
        mass = digit.sum(axis=1 - axis, dtype=np.float64)  # of each row, then of each column
        middle = (mass * np.arange(side)).sum() / mass.sum()
        start = int(np.ceil(FIELD / 2 - 0.5 - middle))
        corner.append(min(max(start, 0), FIELD - side))  # a lopsided digit stays inside
    top, left = corner
    field[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return torch.from_numpy(field)
