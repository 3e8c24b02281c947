"""The settings of ``train``: their defaults, their arguments, and how a resumed run takes them up."""

import argparse
from pathlib import Path

from .common import ArgumentError, Parser, add_data_dir, add_device, counted, number, whole_number
from .run_folder import CONFIG, RunError

NETWORKS = ("Net", "ThreeLayerNet", "WideNet", "ConvNet", "FastNet")
DEFAULTS = {
    "network": "Net",
    "optimizer": "sgd",
    "lr": None,  # depends on the optimizer
    "momentum": None,
    "batch_size": 64,
    "test_batch_size": 1000,
    "epochs": 10,
    "validation_size": 0,
    "seed": 1,
    "data_dir": None,
    "device": "auto",
    "log_interval": 10,
    "checkpoint_every": 0,
}
LEARNING_RATES = {"sgd": 0.01, "adam": 0.001}
MOMENTUM = 0.5
# What may differ when a run is resumed: nothing here changes what the run computes.
MAY_CHANGE = {"epochs", "data_dir", "device", "test_batch_size", "log_interval", "checkpoint_every"}


def add_settings(parser) -> None:
    """Add the arguments of ``train``. One that is not given is absent from the result of the parser."""
    add_network_settings(parser)
    add_data_settings(parser)
    add_run_settings(parser)


def add_network_settings(parser) -> None:
    """Add what is trained."""
    network = parser.add_argument_group("what is trained")
    network.add_argument("--network", choices=NETWORKS, help="which network of the course (default: Net)")
    network.add_argument(
        "--optimizer", choices=list(LEARNING_RATES), help="stochastic gradient descent or Adam (default: sgd)"
    )
    network.add_argument(
        "--lr", metavar="RATE", type=number(above=0), help="learning rate (default: 0.01, for adam 0.001)"
    )
    network.add_argument(
        "--momentum", metavar="M", type=number(minimum=0, below=1), help="for sgd alone (default: 0.5)"
    )
    network.add_argument(
        "--seed", metavar="N", type=whole_number(0), help="of initial weights, dropout and order (default: 1)"
    )


def add_data_settings(parser) -> None:
    """Add on what it is trained, and for how long."""
    data = parser.add_argument_group("on what, and for how long")
    data.add_argument(
        "--epochs", metavar="N", type=whole_number(1), help="passes over the training images (default: 10)"
    )
    data.add_argument(
        "--batch-size", metavar="N", type=whole_number(1), help="images a training step (default: 64)"
    )
    data.add_argument(
        "--test-batch-size",
        metavar="N",
        type=whole_number(1),
        help="images at once when evaluating; changes memory and time, not the result (default: 1000)",
    )
    data.add_argument(
        "--validation-size",
        metavar="N",
        type=whole_number(0, 59_999),
        help="training images, chosen by the seed, to set aside and evaluate on; the test set is then "
        "opened once, at the end (default: 0, evaluate on the test set)",
    )
    add_data_dir(data)
    add_device(data)


def add_run_settings(parser) -> None:
    """Add what is kept of a run."""
    run = parser.add_argument_group("what is kept")
    run.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        help="a new folder for this run (default: one under runs/, named after the time)",
    )
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --run-dir. Its settings are read from its config.json; --epochs may be "
        "raised, not lowered",
    )
    run.add_argument(
        "--log-interval",
        metavar="N",
        type=whole_number(1),
        help="batches between two rows of metrics.csv (default: 10)",
    )
    run.add_argument(
        "--checkpoint-every",
        metavar="N",
        type=whole_number(0),
        help="save after every N batches as well as after each epoch (default: 0, after each epoch alone)",
    )


def given(options: argparse.Namespace) -> dict:
    """Return the settings that stand on the command line, by name."""
    settings = {name: value for name, value in vars(options).items() if name in DEFAULTS}
    if settings.get("data_dir"):  # a resume may come from another folder
        settings["data_dir"] = str(settings["data_dir"].expanduser().absolute())
    return settings


def complete(settings: dict) -> dict:
    """Return all settings of a new run. Raises ArgumentError where two do not go together."""
    whole = DEFAULTS | settings
    if whole["lr"] is None:
        whole["lr"] = LEARNING_RATES[whole["optimizer"]]
    if whole["optimizer"] != "sgd" and whole["momentum"] is not None:
        raise ArgumentError(f"argument --momentum: is for --optimizer sgd, not {whole['optimizer']}")
    if whole["optimizer"] == "sgd" and whole["momentum"] is None:
        whole["momentum"] = MOMENTUM
    return whole


def continued(stored: dict, settings: dict, folder: Path) -> dict:
    """Return the settings of a resumed run: the stored ones, with the changes that change no result.

    Raises ArgumentError where one that is given again differs.
    """
    stored = read_again(stored, folder)
    for name in sorted(settings.keys() - MAY_CHANGE):
        if settings[name] != stored[name]:
            option = "--" + name.replace("_", "-")
            raise ArgumentError(
                f"argument {option}: the run in {folder} was started with {stored[name]}, not "
                f"{settings[name]}; leave it out to resume, or start a new run"
            )
    if settings.get("epochs", stored["epochs"]) < stored["epochs"]:
        before = counted(stored["epochs"], "epoch")
        raise ArgumentError(
            f"argument --epochs: the run in {folder} is one of {before}; they may be raised, not lowered to "
            f"{settings['epochs']}"
        )
    return stored | settings


def read_again(stored: dict, folder: Path) -> dict:
    """Return the settings of a config.json, held to what the command line allows, or raise RunError.

    A reader may have changed the file by hand.
    """
    parser = _StoredParser(argument_default=argparse.SUPPRESS, allow_abbrev=False)
    add_settings(parser)
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in stored.items() if value is not None]
    try:
        if missing := sorted(DEFAULTS.keys() - stored.keys()):
            raise ArgumentError(f"{', '.join(missing)} missing")
        return complete(given(parser.parse_args(arguments)))
    except ArgumentError as error:
        raise RunError(f"{folder / CONFIG}: {error}") from None


class _StoredParser(Parser):
    """A parser whose errors are about a file, not about the command line."""

    def error(self, message: str) -> None:
        raise ArgumentError(message)
