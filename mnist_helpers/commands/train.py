"""``train``: the loop of lesson 3 as a command, with a folder for what it leaves behind."""

import os
import sys
from pathlib import Path

from ..running.settings import SettingError, Settings, add_settings, given_settings
from .common import ArgumentError


def add_parser(commands) -> None:
    """Add ``train`` to the command line."""
    parser = commands.add_parser(
        "train",
        help="train a network, and keep log, metrics, curve and checkpoint in a folder",
        description="Train a network on MNIST. The run gets a folder with config.json (the settings), "
        "stdout.log (what was printed), metrics.csv (the losses), checkpoint.pt, loss_curve.png and, for a "
        "small network, snapshots.pt for its page. "
        "Ctrl-C saves a checkpoint and ends with status 130; --resume goes on from there. With torchrun, "
        "several processes share each batch.",
        epilog="Examples: python -m mnist_helpers train --epochs 1 --run-dir runs/first; "
        "torchrun --standalone --local-addr localhost --nproc-per-node 2 -m mnist_helpers train --epochs 1 "
        "--run-dir runs/two",
        usage="%(prog)s [OPTION ...]",
    )
    add_settings(parser)
    run_options = parser.add_argument_group("where the run is kept")
    run_options.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        help="a new folder for this run (default: one under runs/, named after the time)",
    )
    run_options.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --run-dir, with the settings in its config.json; --epochs may be raised, "
        "and --lr may be changed",
    )
    parser.set_defaults(run=run)


def run(options) -> int:
    """Train, and return 0, or 130 if Ctrl-C stopped it."""
    if options.resume and options.run_dir is None:
        raise ArgumentError("argument --resume: say which run, with --run-dir")
    given = given_settings(options)
    try:
        Settings(**given)  # a mistake is reported before torch is imported, which takes seconds
        if not sys.stdout.isatty():
            os.environ.setdefault("TQDM_DISABLE", "1")  # in a file, a bar is thousands of lines
        from ..running.run import train_in_folder

        return train_in_folder(options.run_dir, given, resume=options.resume)
    except SettingError as error:
        option = "--" + error.name.replace("_", "-")
        raise ArgumentError(f"argument {option}: {error.text}") from None
