"""Pictures as a phone, a scanner or a screenshot gives them: faults 39 and 45 to 50 of FAULTS.md."""

import json
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from mnist_helpers import load_mnist
from mnist_helpers.__main__ import main
from mnist_helpers.pictures import PictureError, read_digit
from tests.commands.stored import train_briefly
from tests.support.pictures import difference, enlarged

SIDE = 500  # pixels of the pictures drawn here
INK = (30, 30, 45)


@pytest.fixture(scope="module")
def digits(data_dir):
    """A 7, a 2, a 1, a 0 and a 4 of the test set, uint8 (5, 28, 28)."""
    return load_mnist(data_dir)[1].images[:5].numpy()


@pytest.fixture
def read(tmp_path):
    """Save a picture and read the digit in it."""

    def save_and_read(picture, name="a.jpg"):
        picture.save(tmp_path / name)
        return read_digit(tmp_path / name)

    return save_and_read


def paper():
    """Grained, so that no two pixels need be alike."""
    grain = np.random.default_rng(1).normal(0, 2, (SIDE, SIDE, 1))
    return Image.fromarray((grain + np.array([246, 246, 240])).clip(0, 255).astype(np.uint8))


def written(digit, sheet, place=(140, 110), times=9):
    """The sheet with the digit on it, in ink."""
    shape = enlarged(digit, times)
    sheet = sheet.copy()
    sheet.paste(Image.new("RGB", shape.size, INK), place, shape)
    return sheet


def lit(picture, shade, strength=0.5):
    """The picture with a shadow where ``shade``, mode "L", is white."""
    light = 1 - strength * np.asarray(shade, dtype=np.float32)[..., None] / 255
    return Image.fromarray((np.asarray(picture) * light).astype(np.uint8))


def shadow(points, softness):
    shade = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(shade).polygon(points, fill=255)
    return shade.filter(ImageFilter.GaussianBlur(softness))


HAND = [(-99, 620), (620, -99), (620, 620)]  # the lower right half, across the digit
SHADOWS = {
    "half, soft": shadow(HAND, 25),
    "half, rather hard": shadow(HAND, 5),
    "corner": shadow([(520, 250), (520, 520), (250, 520)], 12),
    "phone": shadow([(420, 150), (560, 190), (520, 520), (380, 520)], 10),
}


@pytest.mark.parametrize("shade", SHADOWS.values(), ids=SHADOWS)
def test_fault_45_a_shadow_over_part_of_the_sheet(digits, read, shade):
    for digit in digits:
        assert difference(read(lit(written(digit, paper()), shade)), digit) < 12


def test_fault_45_a_shadow_that_cannot_be_told_from_the_digit(digits, read):
    fingers = Image.new("L", (SIDE, SIDE))
    for height in (180, 240, 300):
        ImageDraw.Draw(fingers).line((250, height, SIDE, height + 15), fill=255, width=26)
    with pytest.raises(
        PictureError, match="a shadow, an edge or a line runs into the digit; cut the digit out"
    ):
        read(lit(written(digits[3], paper()), fingers.filter(ImageFilter.GaussianBlur(8)), 0.6))


def test_fault_45_a_turned_shadow_of_which_a_rest_would_be_read_as_ink(digits, read):
    shade = shadow([(354, 297), (80, 589), (-37, 479), (237, 188)], 8)
    with pytest.raises(PictureError, match="a shadow, an edge or a line runs into the digit"):
        read(lit(written(digits[1], paper()), shade))


def on_a_desk(digit, box, turn=0):
    """A sheet that covers ``box``, turned by some degrees, on a brown desk."""
    covered = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(covered).rectangle(box, fill=255)
    desk = Image.new("RGB", (SIDE, SIDE), (120, 85, 55))
    return Image.composite(paper(), desk, covered.rotate(turn, Image.Resampling.BICUBIC)), digit


def beside(digit, drawing):
    """A sheet on which ``drawing`` has drawn something that is no digit."""
    sheet = paper()
    drawing(ImageDraw.Draw(sheet))
    return sheet, digit


def thumb(pen):
    pen.ellipse((-70, 180, 70, 330), fill=(200, 150, 125))
    pen.ellipse((5, 220, 55, 290), fill=(225, 180, 160))


def toolbar(pen):
    pen.rectangle((0, 0, SIDE, 45), fill=(225, 225, 225))
    for left in range(10, 200, 28):
        pen.rectangle((left, 14, left + 16, 30), fill=(90, 130, 200))


AROUND = {
    "desk": lambda digit: on_a_desk(digit, (75, 75, 425, 425)),
    "desk, turned sheet": lambda digit: on_a_desk(digit, (75, 75, 425, 425), 8),
    "desk on one side": lambda digit: on_a_desk(digit, (100, -9, 999, 999)),
    "a strip of desk": lambda digit: on_a_desk(digit, (-9, 10, 490, 999)),
    "one pixel on three sides": lambda digit: on_a_desk(digit, (1, 1, 498, 999)),
    "thumb": lambda digit: beside(digit, thumb),
    "toolbar": lambda digit: beside(digit, toolbar),
    "frame": lambda digit: beside(digit, lambda pen: pen.rectangle((60, 60, 440, 450), outline=INK, width=3)),
    "frame of one pixel": lambda digit: beside(digit, lambda pen: pen.rectangle((0, 0, 499, 499), outline=0)),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_fault_46_more_than_the_sheet_in_the_picture(digits, read, around):
    for digit in digits:
        sheet, _ = around(digit)
        assert difference(read(written(digit, sheet, (160, 130), 7)), digit) < 12


def test_fault_46_a_frame_of_one_pixel_round_a_digit_of_mnist(digits, read):
    for digit in digits:
        framed = Image.new("L", (30, 30), 0)
        framed.paste(Image.fromarray(255 - digit), (1, 1))
        assert difference(read(framed, "a.png"), digit) < 8


def test_fault_46_a_small_digit_on_a_long_strip_of_paper(digits, read):
    desk = Image.new("RGB", (1500, 400), (120, 85, 55))
    ImageDraw.Draw(desk).rectangle((60, 60, 1440, 330), fill=(246, 246, 240))
    for digit in digits:
        assert difference(read(written(digit, desk, (700, 110), 6)), digit) < 14


def test_fault_46_the_grain_of_a_desk_is_no_ruled_line_through_the_digit(read):
    sheet, _ = on_a_desk(None, (75, 75, 425, 425))
    pen = ImageDraw.Draw(sheet)
    for ends in [(0, 70), (430, SIDE)]:
        pen.line((250, ends[0], 250, ends[1]), fill=(100, 70, 45), width=9)
    pen.line((250, 130, 250, 370), fill=INK, width=6)
    digit = read(sheet)
    assert digit[:, 10:18].any(dim=1).sum() >= 19, "a 1, as high as MNIST's"


def test_fault_46_a_small_picture_with_traces_of_jpeg(data_dir, tmp_path):
    for digit in load_mnist(data_dir)[1].images[:40].numpy():
        Image.fromarray(digit).save(tmp_path / "a.jpg", quality=75)
        assert difference(read_digit(tmp_path / "a.jpg"), digit) < 20


@pytest.mark.parametrize("colours", ["gray", "gray_r", "viridis"])
def test_fault_46_a_figure_saved_by_matplotlib(digits, read, tmp_path, colours):
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    for digit in digits:
        figure, axis = plt.subplots()
        axis.imshow(np.asarray(digit), cmap=colours)
        figure.savefig(tmp_path / "figure.png")
        plt.close(figure)
        with Image.open(tmp_path / "figure.png") as picture:
            assert difference(read(picture, "a.png"), digit) < 14


def ruled(gap, columns, slope=0):
    """Paper with pale blue lines, in rows and, if asked for, in columns."""
    sheet = paper()
    pen = ImageDraw.Draw(sheet)
    for start in range(-SIDE, 2 * SIDE, gap):
        pen.line((-1, start, SIDE, start + slope), fill=(130, 160, 205), width=2)
        if columns:
            pen.line((start, -1, start - slope, SIDE), fill=(130, 160, 205), width=2)
    return sheet


def margin():
    sheet = paper()
    ImageDraw.Draw(sheet).line((70, 0, 70, SIDE), fill=(220, 90, 90), width=2)
    return sheet


LINES = {
    "ruled": ruled(43, columns=False),
    "squared": ruled(31, columns=True),
    "ruled, askew": ruled(43, columns=False, slope=20),
    "squared, askew": ruled(31, columns=True, slope=8),
    "margin": margin(),
}


@pytest.mark.parametrize("sheet", LINES.values(), ids=LINES)
def test_fault_47_ruled_and_squared_paper(digits, read, sheet):
    for digit in digits:
        assert difference(read(written(digit, sheet)), digit) < 16


def test_fault_48_two_digits(digits, read):
    for first, second in pairwise(digits):
        sheet = written(first, paper(), (20, 150), 8)
        with pytest.raises(PictureError, match="shows more than one digit, or other things as large"):
            read(written(second, sheet, (260, 150), 8))


def test_fault_48_two_digits_one_below_the_other(digits, read):
    sheet = written(digits[0], paper(), (150, 10), 6)
    with pytest.raises(PictureError, match="shows more than one digit"):
        read(written(digits[1], sheet, (150, 320), 6))


def test_fault_48_a_digit_in_pieces_is_one_digit(read):
    sheet = paper()
    pen = ImageDraw.Draw(sheet)
    pen.line((190, 130, 160, 250, 230, 250), fill=INK, width=24)  # the left part of a 4
    pen.line((300, 100, 280, 400), fill=INK, width=24)
    assert read(sheet).any()


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_fault_49_fewer_bits_than_the_file_holds(digits, read, bits):
    for digit in digits:
        values = 255 - np.asarray(enlarged(digit, 10), dtype=np.float32)
        stored = Image.fromarray((values * ((2**bits - 1) / 255)).astype(np.uint16))
        assert difference(read(stored, "a.png"), digit) < 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_dir):
    return train_briefly(tmp_path_factory.mktemp("run") / "checkpoint.pt", data_dir)


@pytest.fixture
def folder(tmp_path, digits):
    """Three pictures, one of them blank, and a text."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, digit in zip(["b.png", "a.PNG", "c.jpg"], [*digits[:2], np.zeros_like(digits[0])], strict=True):
        Image.fromarray(digit).save(folder / name)
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    return folder


@pytest.mark.parametrize("asked", ["", "*.[pPj][nNp][gG]"])
def test_fault_50_a_folder_and_a_pattern_that_no_shell_expanded(checkpoint, folder, capfd, asked):
    assert main(["predict", str(checkpoint), str(folder / asked)]) == 1
    said = capfd.readouterr()
    lines = [line.split(": ")[0] for line in said.out.splitlines()]
    assert lines == [str(folder / "a.PNG"), str(folder / "b.png")]
    assert said.err.startswith(f"{folder / 'c.jpg'}: is blank")


def test_fault_50_json_has_an_entry_for_each_picture(checkpoint, folder, capfd):
    assert main(["predict", str(checkpoint), str(folder), str(folder / "*.gif"), "--json"]) == 1
    said = capfd.readouterr()
    first, second, blank, nothing = json.loads(said.out)
    assert said.err == ""
    assert [len(each["probabilities"]) for each in (first, second)] == [10, 10]
    assert (first["file"], second["file"]) == (str(folder / "a.PNG"), str(folder / "b.png"))
    assert blank == {"file": str(folder / "c.jpg"), "error": blank["error"]}
    assert "is blank" in blank["error"]
    assert nothing["error"] == f"{folder / '*.gif'}: there is no such file"


@pytest.mark.filterwarnings("error")
def test_fault_39_a_name_that_the_font_lacks(checkpoint, digits, tmp_path, capfd, monkeypatch):
    titles = []
    plain = matplotlib.axes.Axes.set_title
    monkeypatch.setattr(
        matplotlib.axes.Axes,
        "set_title",
        lambda axis, text, **more: titles.append(text) or plain(axis, text, **more),
    )
    path = tmp_path / "七🧿é.png"
    Image.fromarray(digits[0]).save(path)
    shown = tmp_path / "seen.png"
    assert main(["predict", str(checkpoint), str(path), "--picture", str(shown)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"{path}: 7 (")
    assert titles[0] == r"\u4e03\U0001f9ffé.png"
    with Image.open(shown) as picture:
        assert picture.width > picture.height, "the picture, and beside it what the network saw"
