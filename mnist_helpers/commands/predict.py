"""``predict``: read the digits in pictures with a trained network."""

import glob
import json
import os
import sys
from pathlib import Path

from .common import ArgumentError
from .stored_network import add_checkpoint, load_network

ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")  # of pictures.FORMATS


def add_parser(commands) -> None:
    """Add ``predict`` to the command line."""
    parser = commands.add_parser(
        "predict",
        help="read the digits in pictures with a trained network",
        description="Print which digit a trained network sees in each picture, how sure it is, and its "
        "second choice. A picture is a PNG or JPEG of any size and colours with one digit on a sheet, "
        "or a folder of them; it is first brought into MNIST's form: white on black, 20 pixels high or "
        "wide, in the middle of 28 by 28. The network knows nothing but digits, so a confident answer "
        "about a picture that is no digit means nothing.",
        epilog="Example: python -m mnist_helpers predict runs/first/checkpoint.pt seven.png",
    )
    add_checkpoint(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="a picture of one digit")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print a JSON list, one object per picture; one that was not read has an error in it",
    )
    parser.add_argument(
        "--picture",
        metavar="FILE",
        type=Path,
        help="write a new PNG that shows each picture beside what the network saw, 28 by 28, and its answers",
    )
    parser.set_defaults(run=run)


def run(options) -> int:
    """Predict and print; return 1 if a picture could not be read. Raises ReaderError for the checkpoint."""
    check_picture(options)
    from ..reading import probabilities

    network, *_ = load_network(options.checkpoint, options.network, options.device)
    paths = expand(options.images)
    digits, problems = read_digits(paths)
    files = [path for path in paths if path not in problems]
    rows = probabilities(network, digits).tolist()
    answers = {file: answer(file, row) for file, row in zip(files, rows, strict=True)}
    if options.json:
        entries = answers | {path: {"file": str(path), "error": why} for path, why in problems.items()}
        print(json.dumps([entries[path] for path in paths]))
    else:
        print(*problems.values(), sep="\n", end="\n" if problems else "", file=sys.stderr)
        for each in answers.values():
            print(f"{each['file']}: {in_words(each)}")
    if options.picture and answers:
        draw(options.picture, digits, list(answers.values()))
    return int(bool(problems))


def expand(paths: list[Path]) -> list[Path]:
    """Return paths with the pictures in a folder in place of it, and what matches a pattern such as *.png.

    Windows leaves patterns to the program. What stands for nothing stays, so that it is named as missing.
    """
    found = []
    for path in paths:
        if os.path.isdir(path):
            some = [each for each in path.iterdir() if each.suffix.lower() in ENDINGS]
        elif glob.has_magic(str(path)) and not os.path.exists(path):
            some = [Path(each) for each in glob.glob(str(path))]
        else:
            some = []
        found += sorted(some) or [path]
    return list(dict.fromkeys(found))


def check_picture(options) -> None:
    """Raise ArgumentError when ``--picture`` names a file that exists, which would be overwritten."""
    if options.picture and options.picture.exists():
        raise ArgumentError(f"argument --picture: {options.picture} exists; choose another name")


def read_digits(paths: list[Path]):
    """Return the digits in pictures, uint8 (N, 28, 28), and what is wrong with the others, by path."""
    import torch

    from ..pictures import PictureError, read_digit

    digits, problems = [torch.empty(0, 28, 28, dtype=torch.uint8)], {}
    for path in paths:
        try:
            digits.append(read_digit(path)[None])
        except PictureError as error:
            problems[path] = str(error)
    return torch.cat(digits), problems


def answer(file: Path, row: list[float]) -> dict:
    """Return the answer for one picture, from its ten probabilities."""
    digit, runner_up = sorted(range(10), key=lambda each: -row[each])[:2]
    return {
        "file": str(file),
        "digit": digit,
        "confidence": row[digit],
        "runner_up": runner_up,
        "runner_up_confidence": row[runner_up],
        "probabilities": row,
    }


def in_words(reading: dict) -> str:
    """Return for example "7 (98.3 %), then 1 (0.9 %)"."""
    first = f"{reading['digit']} ({100 * reading['confidence']:.1f} %)"
    return f"{first}, then {reading['runner_up']} ({100 * reading['runner_up_confidence']:.1f} %)"


def draw(path: Path, digits, answers: list[dict]) -> None:
    """Write a PNG with each picture beside its digit, of (N, 28, 28), as the network saw it, and its answer.

    Raises ReaderError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")  # into a file, even on a machine with a screen
    import matplotlib.pyplot as plt

    from ..errors import ReaderError
    from ..pictures import read_picture

    across = min(len(answers), 3)
    down = -(-len(answers) // across)  # rounded up
    figure, axes = plt.subplots(down, 2 * across, figsize=(4 * across, 2.5 * down), squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for left, right, digit, reading in zip(axes.flat[::2], axes.flat[1::2], digits, answers, strict=False):
        picture = read_picture(Path(reading["file"]))
        picture.thumbnail((400, 400))
        left.imshow(picture)
        left.set_title(readable(Path(reading["file"]).name), fontsize=9)
        right.imshow(digit.numpy(), cmap="gray", vmin=0, vmax=255)
        right.set_title(in_words(reading).replace(", then", "\nthen"), fontsize=9)
    try:
        figure.savefig(path, format="png", dpi=100, bbox_inches="tight")
    except OSError as error:
        raise ReaderError(f"{path}: the picture cannot be written ({error.strerror or error})") from None
    finally:
        plt.close(figure)


def readable(name: str) -> str:
    """Return a file's name, at most 22 characters long, with escapes for what its font lacks."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    escapes = (each.encode("ascii", "backslashreplace").decode() for each in name)
    known = (each.isprintable() and font.get_char_index(ord(each)) for each in name)
    name = "".join(c if ok else escape for c, ok, escape in zip(name, known, escapes, strict=True))
    name = name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
    return name.replace("$", r"\$")  # matplotlib reads a formula between two of them
