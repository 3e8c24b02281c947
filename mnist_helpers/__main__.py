"""The command line, ``python -m mnist_helpers``: the commands are in ``commands/``, one module each."""

import os
import sys

from .commands import check, evaluate, fetch, page, predict, train
from .commands.common import INTERRUPTED, WRONG_ARGUMENT, ArgumentError, Parser, print_error
from .errors import ReaderError
from .running.torchrun import torchrun_env


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: done. 1: something is missing, damaged or cannot be written. 2: an argument is wrong. 130: Ctrl-C.
    """
    parser = make_parser()
    if torchrun_env().rank:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, the first process speaks for all, to the end
    options = parser.parse_args(arguments)
    # A file's name may hold characters that this terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a notebook's does not
            stream.reconfigure(errors="backslashreplace")
    try:
        if torchrun_env().world > 1 and options.run is not train.run:
            raise ArgumentError("is for one process; leave out torchrun")
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # the reader of the output is gone, as `| head` is after ten lines
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains on exit
        return 1
    except ArgumentError as error:
        print_error(f"{parser.prog} {options.command}: {error}")
        return WRONG_ARGUMENT
    except KeyboardInterrupt:
        if not torchrun_env().rank:
            print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    except ReaderError as error:
        print_error(error, error)
        return 1
    except OSError as error:  # a name that no file can have, a folder that may not be read
        if error.filename is None:
            raise
        print_error(f"{error.filename}: {error.strerror}")
        return 1


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="python -m mnist_helpers",
        description="Check the set-up, fetch MNIST, train a network, evaluate it, read digits with it. "
        "Each command has a --help of its own.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in (check, fetch, train, evaluate, predict, page):
        command.add_parser(commands)
    return parser


def leave(status: int) -> None:
    """End this process; after an error, one of several at once: Python's own exit waits for the others."""
    if status and torchrun_env().world > 1:
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    leave(main())
