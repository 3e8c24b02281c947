"""What several commands need: the parser, two arguments, how errors are printed."""

import argparse
import signal
import sys
import time
from pathlib import Path

from ..errors import LostProcess
from ..running.settings import DATA_DIR_HELP
from ..running.torchrun import torchrun_env

INTERRUPTED = 130  # what a shell reports after Ctrl-C
WRONG_ARGUMENT = 2  # what argparse itself exits with
PATIENCE = 5  # seconds in which torchrun notices that a process has ended, and ends the others


class ArgumentError(Exception):
    """An argument cannot be used, which showed only after parsing; the text names the argument."""


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors: its usual lines of usage push the error out of sight.

    Names must be written in full: argparse takes --epoch for --epochs, until there is a second one like it.
    """

    def __init__(self, **options) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def error(self, message: str) -> None:
        print_error(f"{self.prog}: {message} (--help says what is allowed)")
        self.exit(WRONG_ARGUMENT)


def print_error(text, error: BaseException | None = None) -> None:
    """Print to stderr. If several processes have the same error, such as a wrong argument, the first prints.

    It then ends, and torchrun ends the others while they still wait here. One that is not ended has an error
    of its own, and prints it with its number. A process lost during training is reported at once.
    """
    rank = torchrun_env().rank
    if rank and not (isinstance(error, LostProcess) and error.path):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(PATIENCE)
    print(f"process {rank}: {text}" if rank else text, file=sys.stderr, flush=True)


def add_data_dir(parser) -> None:
    """Add ``--data-dir``."""
    parser.add_argument("--data-dir", metavar="DIR", type=Path, help=DATA_DIR_HELP)
