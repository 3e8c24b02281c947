"""The command line: ``python -m mnist_helpers check`` and ``python -m mnist_helpers fetch``."""

import argparse
import sys
from pathlib import Path

INTERRUPTED = 130  # what a shell reports after Ctrl-C


class Parser(argparse.ArgumentParser):
    """argparse, with an error in one line: its usual lines of usage push the error out of sight."""

    def error(self, message: str) -> None:
        self.exit(2, f"{self.prog}: {message} (--help says what is allowed)\n")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, or 1 if something is missing."""
    options = read_arguments(arguments)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line; wrong arguments end the program with status 2."""
    parser = Parser(prog="python -m mnist_helpers", description="Help with the course's set-up.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser(
        "check",
        help="say whether this computer has what the course needs",
        description="Print a line per requirement: OK, or FAIL and what to do about it. Changes nothing and "
        "needs no network. The exit status is 1 if anything fails.",
    )
    check.set_defaults(run=run_check)

    fetch = commands.add_parser(
        "fetch",
        help="download MNIST, if it is not here yet",
        description="Get the four files of MNIST (a download of 12 to 16 MB), check every byte of them, and "
        "print the folder they lie in. Where they are here already, no network is needed.",
    )
    fetch.set_defaults(run=run_fetch)

    for command in (check, fetch):
        command.add_argument(
            "--data-dir",
            metavar="DIR",
            type=Path,
            help="the folder for the data (otherwise: the environment variable MNIST_DATA_DIR, or the "
            "folder data in the course, or a folder of your own)",
        )
    return parser.parse_args(arguments)


def run_check(options: argparse.Namespace) -> int:
    """Print a line per requirement; return 1 if one of them fails."""
    from .requirements_check import check_requirements

    failed = 0
    for finding in check_requirements(options.data_dir):
        print(finding, flush=True)
        failed += not finding.ok
    print(f"Lines that need attention: {failed}." if failed else "Everything is ready.")
    return int(failed > 0)


def run_fetch(options: argparse.Namespace) -> int:
    """Get MNIST and print where it lies; return 1 if no source gave it."""
    # Imported here, so that `check` works where these cannot be imported.
    from .fetch import DataError, fetch_mnist

    try:
        folder = fetch_mnist(options.data_dir)
    except DataError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"MNIST is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
