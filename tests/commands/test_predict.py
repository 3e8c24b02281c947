"""python -m mnist_helpers predict, run as a reader runs it, on pictures of many kinds."""

import json
import os
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from mnist_helpers import Net, load_checkpoint, load_mnist
from mnist_helpers.__main__ import main
from mnist_helpers.data import NormalisedDigits

from .stored import train_briefly

COUNT = 60  # test images, each in one of four disguises; test_pictures.py has more


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, data_dir):
    return train_briefly(tmp_path_factory.mktemp("run") / "checkpoint.pt", data_dir)


@pytest.fixture(scope="module")
def test_digits(data_dir):
    return load_mnist(data_dir)[1]


@pytest.fixture(scope="module")
def plain(checkpoint, test_digits):
    """The network's probabilities for the first test images as they are, (COUNT, 10)."""
    network = Net()
    load_checkpoint(checkpoint, network)
    network.eval()
    with torch.no_grad():
        return network(NormalisedDigits(test_digits).images[:COUNT]).softmax(dim=1)


DISGUISES = [
    ("as it is.png", lambda digit: digit),
    ("inverted.png", lambda digit: digit.point(lambda value: 255 - value)),
    ("enlarged.png", lambda digit: digit.resize((280, 280), Image.Resampling.BICUBIC)),
    ("small.jpg", lambda digit: digit.convert("RGB")),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, test_digits):
    folder = tmp_path_factory.mktemp("pictures")
    paths = []
    for index in range(COUNT):
        name, disguise = DISGUISES[index % len(DISGUISES)]
        paths.append(folder / f"{index:02} {name}")
        disguise(Image.fromarray(test_digits.images[index].numpy())).save(paths[-1])
    return paths


def test_json_on_digits_in_disguise(command, checkpoint, pictures, plain, test_digits):
    done = command("predict", checkpoint, *pictures, "--json", "--network", "Net")
    assert (done.returncode, done.stderr) == (0, "")
    answers = json.loads(done.stdout)
    assert [each["file"] for each in answers] == [str(path) for path in pictures]
    for each in answers:
        ranked = sorted(each["probabilities"], reverse=True)
        assert sum(ranked) == pytest.approx(1, abs=1e-5)
        assert [each["confidence"], each["runner_up_confidence"]] == ranked[:2]
        assert each["probabilities"][each["digit"]] == each["confidence"]
        assert each["probabilities"][each["runner_up"]] == each["runner_up_confidence"]
        assert each["digit"] != each["runner_up"]
    labels = test_digits.labels[:COUNT]
    seen = torch.tensor([each["digit"] for each in answers])
    assert (seen == labels).sum() >= (plain.argmax(dim=1) == labels).sum() - 4, "as good as without disguise"
    for index in range(0, COUNT, len(DISGUISES)):  # as it is: the same digit, hence the same answer
        assert answers[index]["probabilities"] == pytest.approx(plain[index].tolist(), abs=0.05)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A 1, a 7 and a 0, drawn with straight lines and an ellipse, each of another size and colour."""
    folder = tmp_path_factory.mktemp("drawn")
    one = Image.new("L", (90, 200), 255)
    ImageDraw.Draw(one).line((48, 20, 42, 180), fill=0, width=16)
    seven = Image.new("RGB", (1200, 900), "navy")
    ImageDraw.Draw(seven).line((300, 150, 700, 150, 480, 750), fill="orange", width=70, joint="curve")
    zero = Image.new("RGB", (64, 64), (250, 240, 230))
    ImageDraw.Draw(zero).ellipse((14, 8, 50, 56), outline=(60, 60, 90), width=6)
    files = {1: folder / "one.png", 7: folder / "seven.jpg", 0: folder / "zero.jpg"}
    for path, picture in zip(files.values(), (one, seven, zero), strict=True):
        picture.save(path)
    return files


def test_drawn_digits_and_files_that_cannot_be_read(command, checkpoint, drawn, tmp_path):
    text, missing, long = (tmp_path / name for name in ("text.png", "missing.png", 300 * "9" + ".png"))
    text.write_text("seven", encoding="utf-8")
    specks = Image.new("L", (900, 900), 255)
    for place in [(5, 5), (890, 890)]:  # nothing of them is left when the gap between them is 20 pixels
        specks.putpixel(place, 0)
    specks.save(tmp_path / "specks.png")
    one, seven, zero = drawn.values()
    folder = tmp_path / "empty"
    folder.mkdir()
    wrong = [text, tmp_path / "specks.png", missing, long, folder]
    done = command("predict", checkpoint, *wrong[:2], one, *wrong[2:4], seven, *wrong[4:], zero)
    assert done.returncode == 1
    for line, (digit, path) in zip(done.stdout.splitlines(), drawn.items(), strict=True):
        said = re.fullmatch(
            rf"{re.escape(str(path))}: {digit} \(([\d.]+) %\), then (\d) \(([\d.]+) %\)", line
        )
        assert said, line
        assert float(said[1]) > float(said[3])
        assert int(said[2]) != digit
    lines = zip(done.stderr.splitlines(), wrong, strict=True)
    assert all(line.startswith(f"{path}: ") for line, path in lines)


@pytest.mark.filterwarnings("error")
def test_the_picture_shows_what_the_network_saw(checkpoint, drawn, tmp_path, capfd):
    half = os.fsdecode(b"\xff.jpg") if sys.platform == "linux" else "7.jpg"
    names = [tmp_path / name for name in ("$a$ long name of a picture of a seven.jpg", "$七.jpg", half)]
    for name in names:
        name.write_bytes(drawn[7].read_bytes())
    before = names[0].read_bytes()
    shown = tmp_path / "seen.png"
    files = [str(path) for path in (*drawn.values(), *names)]
    assert main(["predict", str(checkpoint), *files, "--picture", str(shown)]) == 0
    assert capfd.readouterr().err == ""
    with Image.open(shown) as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("L"))
    assert pixels.shape[1] > 1.5 * pixels.shape[0] > 600, "two rows of three, each a picture and a digit"
    assert pixels[0].min() == 255, "no title is cut off"
    assert (pixels < 20).mean() > 0.15, "black fields"
    assert names[0].read_bytes() == before


def test_a_picture_is_never_written_over_what_is_there(checkpoint, drawn, tmp_path, capfd):
    other = tmp_path / "other.txt"
    other.write_text("notes", encoding="utf-8")
    for path in (drawn[1], checkpoint, other):
        before = path.read_bytes()
        assert main(["predict", str(checkpoint), str(drawn[1]), "--picture", str(path)]) == 2
        assert path.read_bytes() == before
        said = capfd.readouterr()
        assert said.out == ""
        assert f"argument --picture: {path} exists" in said.err


def test_a_picture_that_cannot_be_written(checkpoint, drawn, tmp_path, capfd):
    path = tmp_path / "no folder" / "seen.png"
    assert main(["predict", str(checkpoint), str(drawn[1]), "--picture", str(path)]) == 1
    said = capfd.readouterr()
    assert said.out.startswith(f"{drawn[1]}: 1 (")
    (line,) = said.err.splitlines()
    assert line.startswith(f"{path}: the picture cannot be written")


def test_no_picture_at_all(checkpoint, tmp_path, capfd):
    shown = tmp_path / "seen.png"
    arguments = ["predict", str(checkpoint), str(tmp_path / "a.png"), "--json", "--picture", str(shown)]
    assert main(arguments) == 1
    said = capfd.readouterr()
    missing = str(tmp_path / "a.png")
    assert json.loads(said.out) == [{"file": missing, "error": f"{missing}: there is no such file"}]
    assert said.err == ""
    assert not shown.exists()


def test_no_checkpoint(drawn, tmp_path, capfd):
    assert main(["predict", str(tmp_path / "a.pt"), str(drawn[1])]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{tmp_path / 'a.pt'}: there is no such file; train first")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.pt",), "required: IMAGE"),
        (("a.pt", "a.png", "--network", "ResNet18"), "argument --network: invalid choice: 'ResNet18'"),
        (("a.pt", "a.png", "--picture"), "argument --picture: expected one argument"),
    ],
)
def test_wrong_arguments_end_with_one_line_and_status_2(command, arguments, message):
    done = command("predict", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert message in line


def test_help_warns_of_confident_nonsense(command):
    done = command("predict", "--help")
    assert done.returncode == 0
    assert "a confident answer about a picture that is no digit means nothing" in " ".join(
        done.stdout.split()
    )
