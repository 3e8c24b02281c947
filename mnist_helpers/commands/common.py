"""What several commands need: the parser, the types of arguments, the exit status."""

import argparse
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..errors import LostProcess
from ..launched import launched

INTERRUPTED = 130  # what a shell reports after Ctrl-C
WRONG_ARGUMENT = 2  # what argparse itself exits with
PATIENCE = 5  # seconds in which torchrun notices that a process has ended, and ends the others


class ArgumentError(Exception):
    """An argument cannot be used, which was seen only after parsing; the text names the argument."""


class Parser(argparse.ArgumentParser):
    """argparse, with an error in one line: its usual lines of usage push the error out of sight.

    Names must be written out: argparse takes --epoch for --epochs, until there is a second one like it.
    """

    def __init__(self, **options) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> None:
        print_error(f"{self.prog}: {message} (--help says what is allowed)")
        self.exit(WRONG_ARGUMENT)


def print_error(text, error: BaseException | None = None) -> None:
    """Print to stderr. Of many processes with the same error, as a wrong argument is, the first one speaks.

    It then ends, and torchrun ends the others while they still wait here. One that is not ended has an error
    of its own, and prints it with its number. That a process was lost in the training is said at once.
    """
    rank = launched().rank
    if rank and not (isinstance(error, LostProcess) and error.path):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(PATIENCE)
    print(f"process {rank}: {text}" if rank else text, file=sys.stderr, flush=True)


def counted(number: int, thing: str) -> str:
    """Return "1 epoch", "2 epochs", "2 batches"."""
    ending = "" if number == 1 else "es" if thing == "batch" else "s"
    return f"{number:,} {thing}{ending}"


def quoted(path) -> str:
    """Return a path as a shell takes it, in quotes where it holds a space or the like."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def add_data_dir(parser, **options) -> None:
    """Add ``--data-dir``."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        help="the folder for the data (otherwise: the environment variable MNIST_DATA_DIR, or the "
        "folder data in the course, or a folder of your own)",
        **options,
    )


def add_device(parser, **options) -> None:
    """Add ``--device``."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where to compute: auto, cpu, cuda, cuda:1, mps (default: auto, a GPU if there is one)",
        **options,
    )


def whole_number(minimum: int, maximum: int = 2**31 - 1):
    """Return a type for argparse: a whole number from ``minimum`` to ``maximum``."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or not minimum <= number <= maximum:
            allowed = f"{minimum} or more" if maximum == 2**31 - 1 else f"{minimum} to {maximum:,}"
            raise argparse.ArgumentTypeError(f"{text} is not allowed; a whole number, {allowed}")
        return number

    return parse


def number(*, above: float = -math.inf, minimum: float = -math.inf, below: float = math.inf):
    """Return a type for argparse: a finite number in the given limits, of which ``minimum`` is allowed."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and above < value < below and value >= minimum):
            lower = f"{minimum:g} or more" if minimum > -math.inf else f"above {above:g}"
            upper = f", below {below:g}" if below < math.inf else ""
            raise argparse.ArgumentTypeError(f"{text} is not allowed; a number {lower}{upper}")
        return value

    return parse


def device_named(name: str):
    """Return the torch device, of many processes that of this one, or raise ArgumentError."""
    from ..distributed import process_device

    try:
        return process_device(name)
    except ValueError as error:
        raise ArgumentError(f"argument --device: {error}") from None
