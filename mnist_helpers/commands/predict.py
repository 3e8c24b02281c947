"""``predict``: read the digits in pictures with a trained network."""

import json
import sys
import warnings
from pathlib import Path

from .common import ArgumentError
from .stored_network import add_checkpoint, load_network


def add_parser(commands) -> None:
    """Add ``predict`` to the command line."""
    parser = commands.add_parser(
        "predict",
        help="read the digits in pictures with a trained network",
        description="Print which digit a trained network sees in each picture, how sure it is, and its "
        "second choice. A picture is a PNG or JPEG of any size and colours with one digit on an even "
        "background; it is first brought into MNIST's form: white on black, 20 pixels high or wide, in "
        "the middle of 28 by 28. The network knows nothing but digits, so a confident answer about a "
        "picture that is no digit means nothing.",
        epilog="Example: python -m mnist_helpers predict runs/first/checkpoint.pt seven.png",
    )
    add_checkpoint(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="a picture of one digit")
    parser.add_argument("--json", action="store_true", help="print a JSON list, one object per picture")
    parser.add_argument(
        "--picture",
        metavar="FILE",
        type=Path,
        help="write a new PNG that shows what the network saw, 28 by 28 pixels each, and its answers",
    )
    parser.set_defaults(run=run)


def run(options) -> int:
    """Predict and print; return 1 if a picture could not be read. Raises ReaderError for the checkpoint."""
    check_picture(options)
    from ..reading import probabilities

    network, *_ = load_network(options.checkpoint, options.network, options.device)
    files, digits = read_digits(options.images)
    rows = probabilities(network, digits).tolist()
    answers = [answer(file, row) for file, row in zip(files, rows, strict=True)]
    if options.json:
        print(json.dumps(answers))
    else:
        for each in answers:
            print(f"{each['file']}: {in_words(each)}")
    if options.picture and answers:
        draw(options.picture, digits, answers)
    return int(len(files) < len(options.images))


def check_picture(options) -> None:
    """Raise ArgumentError when ``--picture`` names a file that exists, which would be overwritten."""
    if options.picture and options.picture.exists():
        raise ArgumentError(f"argument --picture: {options.picture} exists; choose another name")


def read_digits(paths: list[Path]):
    """Return the files that could be read, and their digits, uint8 (N, 28, 28).

    What is wrong with the others goes to stderr, one line each: one of them must not hide the rest.
    """
    import torch

    from ..pictures import PictureError, read_digit

    files, digits = [], [torch.empty(0, 28, 28, dtype=torch.uint8)]
    for path in paths:
        try:
            digits.append(read_digit(path)[None])
            files.append(path)
        except PictureError as error:
            print(error, file=sys.stderr)
    return files, torch.cat(digits)


def answer(file: Path, row: list[float]) -> dict:
    """Return what is said about one picture, from its ten probabilities."""
    digit, runner_up = sorted(range(10), key=lambda each: -row[each])[:2]
    return {
        "file": str(file),
        "digit": digit,
        "confidence": row[digit],
        "runner_up": runner_up,
        "runner_up_confidence": row[runner_up],
        "probabilities": row,
    }


def in_words(said: dict) -> str:
    """Return for example "7 (98.3 %), then 1 (0.9 %)"."""
    first = f"{said['digit']} ({100 * said['confidence']:.1f} %)"
    return f"{first}, then {said['runner_up']} ({100 * said['runner_up_confidence']:.1f} %)"


def draw(path: Path, digits, answers: list[dict]) -> None:
    """Write a PNG with the digits (N, 28, 28) as the network saw them, each under its answer.

    Raises ReaderError when the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")  # into a file, even on a machine with a screen
    from ..errors import ReaderError
    from ..plots import show_digits

    titles = []
    for each in answers:
        name = Path(each["file"]).name.encode(errors="replace").decode()  # matplotlib refuses odd bytes
        name = name.replace("$", r"\$")  # and reads a formula between two of them
        name = name if len(name) <= 22 else f"{name[:10]}…{name[-11:]}"
        titles.append(f"{name}\n{in_words(each)}".replace(", then", "\nthen"))
    figure = show_digits(digits, titles, columns=min(len(digits), 6), size=2)
    try:
        with warnings.catch_warnings(action="ignore"):  # its font lacks some characters, and draws boxes
            figure.savefig(path, format="png", dpi=100, bbox_inches="tight")  # three lines of title fit
    except OSError as error:
        raise ReaderError(f"{path}: the picture cannot be written ({error.strerror or error})") from None
