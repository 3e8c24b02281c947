"""The command line, ``python -m mnist_helpers``: the commands are in ``commands/``, a module each."""

import os
import sys

from .commands import check, evaluate, fetch, predict, train
from .commands.common import INTERRUPTED, WRONG_ARGUMENT, ArgumentError, Parser
from .errors import ReaderError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0: done. 1: something is missing, damaged or cannot be written. 2: an argument is wrong. 130: Ctrl-C.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    # A file's name may hold characters that this terminal's encoding lacks.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does after ten lines
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its exit
        return 1
    except ArgumentError as error:
        print(f"{parser.prog} {options.command}: {error}", file=sys.stderr)
        return WRONG_ARGUMENT
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    except ReaderError as error:
        print(error, file=sys.stderr)
        return 1


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="python -m mnist_helpers",
        description="Check the set-up, fetch MNIST, train a network, evaluate it, read digits with it. "
        "Each command has a --help of its own.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in (check, fetch, train, evaluate, predict):
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
