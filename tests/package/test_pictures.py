"""Pictures of every kind become digits as MNIST has them."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mnist_helpers import load_mnist
from mnist_helpers.pictures import PictureError, read_digit
from tests.support.pictures import difference, enlarged


@pytest.fixture(scope="module")
def digits(data_dir):
    """The first 40 test images, uint8 (40, 28, 28)."""
    return load_mnist(data_dir)[1].images[:40].numpy()


@pytest.fixture
def read(tmp_path):
    """Save a picture and read the digit in it."""

    def save_and_read(picture, name="digit.png", **options):
        picture.save(tmp_path / name, **options)
        return read_digit(tmp_path / name)

    return save_and_read


def coloured(digit, paper, ink, times=6):
    """A digit away from the middle of a larger sheet."""
    shape = enlarged(digit, times)
    sheet = Image.new("RGB", (500, 300), paper)
    sheet.paste(Image.new("RGB", shape.size, ink), (310, 90), shape)
    return sheet


def painted(mode, paper, ink):
    """A thick stroke from the upper left to the lower right: taller than wide."""
    sheet = Image.new(mode, (200, 300), paper)
    ImageDraw.Draw(sheet).line((60, 40, 140, 260), fill=ink, width=24)
    return sheet


def to_its_edges(digit):
    return Image.fromarray(255 - digit).crop(Image.fromarray(digit).getbbox())


def transparent(digit, colour):
    """A digit of one colour; what is around it has the same colour, and is not seen."""
    sheet = Image.new("RGBA", (280, 280), colour)
    sheet.putalpha(enlarged(digit, 10))
    return sheet


def photographed(digit):
    """A digit on grained paper that is lit from one side."""
    rows, columns = np.mgrid[:480, :640]
    stroke = np.zeros((480, 640))
    stroke[200:424, 350:574] = np.asarray(enlarged(digit, 8)) / 255
    paper = 215 - 70 * columns / 640 - 40 * rows / 480
    grain = np.random.default_rng(1).normal(0, 5, stroke.shape)
    return Image.fromarray((paper * (1 - stroke) + 40 * stroke + grain).clip(0, 255).astype(np.uint8))


def specks(width, height):
    """Two of them, in opposite corners of a sheet."""
    sheet = Image.new("L", (width, height), 255)
    for place in [(5, 5), (width - 6, height - 6)]:
        sheet.putpixel(place, 0)
    return sheet


def box(digit):
    """Height and width of what is in a digit."""
    rows, columns = (digit.any(dim=axis).nonzero().flatten() for axis in (1, 0))
    return (rows[-1] - rows[0] + 1).item(), (columns[-1] - columns[0] + 1).item()


def centre(digit):
    mass = digit.double()
    places = torch.arange(28, dtype=torch.float64)
    return [(mass.sum(dim=axis) @ places / mass.sum()).item() for axis in (1, 0)]


def test_a_digit_of_mnist_comes_back_as_it_was(digits, read):
    for digit in digits:
        back = read(Image.fromarray(digit))
        assert (back.dtype, back.shape) == (torch.uint8, (28, 28))
        kept = back.numpy() > 0  # no more than the faintest edge is cut off
        assert np.abs(back.numpy().astype(int) - digit)[kept].max() <= 1
        assert digit[~kept].max() < 0.2 * 255
        assert torch.equal(back, read(Image.fromarray(255 - digit))), "dark on light"


DISGUISES = {
    "enlarged": (lambda digit: enlarged(digit, 10), "a.png", {}),
    "2520 pixels": (lambda digit: Image.fromarray(255 - np.asarray(enlarged(digit, 90))), "a.png", {}),
    "16 bits": (lambda digit: Image.fromarray(np.asarray(enlarged(digit, 4)) * np.uint16(257)), "a.png", {}),
    "touches the border": (to_its_edges, "a.png", {}),
    "yellow on green": (lambda digit: coloured(digit, "darkgreen", "yellow"), "a.png", {}),
    "pale": (lambda digit: coloured(digit, "white", (200, 200, 255)), "a.png", {}),
    "red on green": (lambda digit: coloured(digit, (0, 120, 0), (120, 0, 0)), "a.jpg", {"quality": 90}),
    "palette": (lambda digit: coloured(digit, "white", "navy").quantize(16), "a.gif", {}),
    "JPEG": (Image.fromarray, "a.jpg", {"quality": 75}),
    "photographed": (photographed, "a.jpg", {"quality": 85}),
    "black, transparent": (lambda digit: transparent(digit, "black"), "a.png", {}),
    "white, transparent": (lambda digit: transparent(digit, "white"), "a.png", {}),
    "grey, transparent": (lambda digit: transparent(digit, "grey"), "a.png", {}),
}


@pytest.mark.parametrize(("disguise", "name", "options"), DISGUISES.values(), ids=DISGUISES)
def test_disguises(digits, read, disguise, name, options):
    differences = [difference(read(disguise(digit), name, **options), digit) for digit in digits[:10]]
    assert max(differences) < 12, "another digit is rarely closer than 15"


@pytest.mark.parametrize("name", ["turned.png", "turned.jpg"])
def test_the_orientation_in_the_file_is_applied(digits, read, name):
    orientation = Image.Exif()
    orientation[0x112] = 6  # turn by 90° clockwise to show it
    stored = enlarged(255 - digits[0], 5).rotate(90)
    assert difference(read(stored, name, exif=orientation), digits[0]) < 8
    assert difference(read(stored, name), digits[0]) > 20


@pytest.mark.parametrize(
    ("mode", "paper", "ink", "name"),
    [
        ("1", 1, 0, "a.png"),
        ("L", 0, 90, "a.png"),
        ("LA", (0, 0), (90, 255), "a.png"),
        ("RGB", "orange", "blue", "a.bmp"),
        ("CMYK", (0, 0, 0, 0), (200, 0, 0, 0), "a.jpg"),
        ("RGBA", (255, 255, 255, 255), (0, 0, 0, 255), "a.webp"),
        ("I;16", 60_000, 20_000, "a.png"),
    ],
)
def test_every_mode_gives_the_same_digit(read, mode, paper, ink, name):
    digit = read(painted(mode, paper, ink), name)
    expected = read(painted("L", 255, 0))
    assert difference(digit, expected.numpy()) < 6


def test_the_longer_side_is_20_and_the_ratio_stays(read):
    tall = read(painted("L", 255, 0))
    assert box(tall)[0] == 20
    assert 8 <= box(tall)[1] <= 11, "about 103 by 228 before"
    flat = Image.new("L", (1000, 60), 255)
    ImageDraw.Draw(flat).line((20, 30, 980, 30), fill=0, width=6)
    assert box(read(flat)) == (1, 20)


def test_the_centre_of_mass_is_in_the_middle(digits, read):
    for digit in digits:
        for place in centre(read(coloured(digit, "white", "black"))):
            assert 13.5 <= place < 14.5
    pin = Image.new("L", (200, 200))  # heavy at one end: it stays inside, not in the middle
    ImageDraw.Draw(pin).ellipse((10, 10, 90, 90), fill=255)
    ImageDraw.Draw(pin).line((50, 50, 190, 190), fill=255, width=2)
    assert box(read(pin)) == (20, 20)


def test_thin_strokes_survive_being_made_small(read):
    sheet = Image.new("L", (1900, 1900), 255)
    ImageDraw.Draw(sheet).rectangle((203, 203, 1697, 1697), outline=0, width=2)
    digit = read(sheet)
    assert box(digit) == (20, 20)
    for side in (digit[4, 4:24], digit[23, 4:24], digit[4:24, 4], digit[4:24, 23]):
        assert side.min() > 100, "a side of the square is lost"


def test_a_digit_of_one_pixel(read):
    spot = Image.new("L", (3, 3))
    spot.putpixel((1, 1), 255)
    assert box(read(spot)) == (20, 20)


def png(width, height):
    """A PNG that claims a size and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


BLANK = "is blank, or too pale; draw one digit"
NOTHING_LEFT = "nothing is left of it at MNIST's size; crop the picture to the digit"
NO_PICTURE = "is not a picture of a kind read here"
TOO_LARGE = "has more than 89,478,485 pixels; make it smaller"
PAPER = Image.fromarray(np.random.default_rng(1).normal(200, 4, (300, 300)).astype(np.uint8))
REFUSED = {
    "one pixel": (Image.new("L", (1, 1), 255), BLANK),
    "one colour": (Image.new("RGB", (60, 40), "red"), BLANK),
    "transparent": (Image.new("RGBA", (60, 40)), BLANK),
    "pale": (painted("L", 255, 245), BLANK),
    "paper": (PAPER, BLANK),
    "specks": (specks(2000, 2000), NOTHING_LEFT),
    "specks on a strip": (specks(900, 30), NOTHING_LEFT),
    "empty": (b"", NO_PICTURE),
    "text": (b"a letter to a friend", NO_PICTURE),
    "a program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", NO_PICTURE),
    "cut short": (png(30, 30), "is damaged or cut short"),
    "large": (png(11_000, 9_000), TOO_LARGE),
    "bomb": (png(60_000, 60_000), TOO_LARGE),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_holds_no_digit_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "digit.png"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.save(path)
    with pytest.raises(PictureError) as caught:
        read_digit(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "webp"])
def test_a_picture_that_was_cut_short_is_refused(tmp_path, ending):
    path = tmp_path / f"digit.{ending}"
    painted("RGB", "white", "black").save(path)
    whole = path.read_bytes()
    read_digit(path)
    for length in (len(whole) // 10, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(PictureError, match=r"damaged or cut short|not a picture"):
            read_digit(path)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(PictureError, match="there is no such file"):
        read_digit(tmp_path / "digit.png")
    with pytest.raises(PictureError, match="is a folder; name the pictures in it"):
        read_digit(tmp_path)
