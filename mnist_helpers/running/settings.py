"""What a command-line run is started with. Needs no torch, so that a mistake is reported at once.

The parser, ``config.json`` and the library all take the settings from the fields of one dataclass.
"""

import argparse
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from ..arguments import NETWORKS

LEARNING_RATES = {"sgd": 0.01, "adam": 0.001}
MOMENTUM = 0.5


class SettingError(ValueError):
    """A setting is not allowed; ``name`` is the field's and ``text`` says what is wrong with it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name, self.text = name, text


def whole_number(minimum: int, maximum: int = 2**31 - 1):
    """Return a function from text, or a value, to a whole number from ``minimum`` to ``maximum``."""

    def parse(value) -> int:
        try:
            number = int(str(value))
        except ValueError:
            number = None
        if number is None or not minimum <= number <= maximum:
            allowed = f"{minimum} or more" if maximum == 2**31 - 1 else f"{minimum} to {maximum:,}"
            raise argparse.ArgumentTypeError(f"{value} is not allowed; a whole number, {allowed}")
        return number

    return parse


def number(*, above: float = -math.inf, minimum: float = -math.inf, below: float = math.inf):
    """Return a function from text, or a value, to a finite number within limits; ``minimum`` is allowed."""

    def parse(value) -> float:
        try:
            number = float(str(value))
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and above < number < below and number >= minimum):
            lower = f"{minimum:g} or more" if minimum > -math.inf else f"above {above:g}"
            upper = f", below {below:g}" if below < math.inf else ""
            raise argparse.ArgumentTypeError(f"{value} is not allowed; a number {lower}{upper}")
        return number

    return parse


def one_of(names):
    """Return a function that accepts one of ``names``."""

    def parse(value) -> str:
        if value not in names:
            raise argparse.ArgumentTypeError(f"{value} is not allowed; one of {', '.join(names)}")
        return value

    return parse


def text(value) -> str:
    """Accept any text."""
    if not isinstance(value, str):
        raise argparse.ArgumentTypeError(f"{value} is not allowed; a text")
    return value


def folder(value) -> str:
    """Return a folder's absolute path, because a resume may be started elsewhere."""
    return str(Path(text(value)).expanduser().absolute())


def setting(default, parse, metavar, help, group, may_change=False):
    """Return a field: its default, what it accepts, and how ``--help`` presents it.

    ``may_change`` marks what may differ when a run is resumed.
    """
    facts = {"parse": parse, "metavar": metavar, "help": help, "group": group, "may_change": may_change}
    return field(default=default, metadata=facts)


TRAINED, DATA, KEPT = "what is trained", "on what, and for how long", "what is kept"
NETWORK_HELP = f"one of {', '.join(NETWORKS)} (default: Net)"
OPTIMIZER_HELP = "sgd, stochastic gradient descent, or adam (default: sgd)"
LR_HELP = "learning rate (default: 0.01, or 0.001 for adam); with --resume, the rate from here on"
SEED_HELP = "seed of initial weights, dropout and image order (default: 1)"
EPOCHS_HELP = "passes over the training images (default: 10)"
BATCH_HELP = "images per training step (default: 64)"
TEST_BATCH_HELP = "images at once when evaluating; changes memory and time, not the result (default: 1000)"
VALIDATION_HELP = (
    "training images, chosen by the seed, to set aside and evaluate on; the test set is then opened once, at "
    "the end (default: 0, evaluate on the test set)"
)
DATA_DIR_HELP = (
    "the folder for the data (default: the environment variable MNIST_DATA_DIR, else the folder data in the "
    "course, else a cache folder of your own)"
)
DEVICE_HELP = "where to compute: auto, cpu, cuda, cuda:1, mps (default: auto, a GPU if there is one)"
LOG_HELP = "batches between rows of metrics.csv (default: 10)"
EVERY_HELP = "save after every N batches as well as after each epoch (default: 0, only after each epoch)"


@dataclass
class Settings:
    """The settings of a run; each is checked when the object is made.

    Raises SettingError for one that is not allowed, and for two that do not go together.
    """

    network: str = setting("Net", one_of(NETWORKS), "NAME", NETWORK_HELP, TRAINED)
    optimizer: str = setting("sgd", one_of(list(LEARNING_RATES)), "NAME", OPTIMIZER_HELP, TRAINED)
    lr: float = setting(None, number(above=0), "RATE", LR_HELP, TRAINED, True)
    momentum: float = setting(None, number(minimum=0, below=1), "M", "for sgd only (default: 0.5)", TRAINED)
    seed: int = setting(1, whole_number(0), "N", SEED_HELP, TRAINED)
    epochs: int = setting(10, whole_number(1), "N", EPOCHS_HELP, DATA, True)
    batch_size: int = setting(64, whole_number(1), "N", BATCH_HELP, DATA)
    test_batch_size: int = setting(1000, whole_number(1), "N", TEST_BATCH_HELP, DATA, True)
    validation_size: int = setting(0, whole_number(0, 59_999), "N", VALIDATION_HELP, DATA)
    data_dir: str = setting(None, folder, "DIR", DATA_DIR_HELP, DATA, True)
    device: str = setting("auto", text, "NAME", DEVICE_HELP, DATA, True)
    log_interval: int = setting(10, whole_number(1), "N", LOG_HELP, KEPT, True)
    checkpoint_every: int = setting(0, whole_number(0), "N", EVERY_HELP, KEPT, True)

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) is not None or each.default is not None:
                setattr(self, each.name, parsed(each, getattr(self, each.name)))
        if self.lr is None:
            self.lr = LEARNING_RATES[self.optimizer]
        if self.optimizer != "sgd" and self.momentum is not None:
            raise SettingError("momentum", f"is for --optimizer sgd, not {self.optimizer}")
        if self.optimizer == "sgd" and self.momentum is None:
            self.momentum = MOMENTUM

    def changed(self, given: dict) -> "Settings":
        """Return the settings of a resumed run: these, with those in ``given`` that may change.

        Raises SettingError for one that may not, and for fewer epochs than before.
        """
        for each in fields(self):
            if each.name not in given or each.metadata["may_change"]:
                continue
            before, now = getattr(self, each.name), parsed(each, given[each.name])
            if before != now:
                raise SettingError(
                    each.name,
                    f"the run was started with {before}, not {now}; leave it out, or start a new run",
                )
        new = Settings(**asdict(self) | given)
        if new.epochs < self.epochs:
            raise SettingError(
                "epochs", f"the run has {self.epochs}; they may be raised, not lowered to {new.epochs}"
            )
        return new


def parsed(setting, value):
    """Return the value of a field of Settings, or raise SettingError."""
    try:
        return setting.metadata["parse"](value)
    except argparse.ArgumentTypeError as error:
        raise SettingError(setting.name, str(error)) from None


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting, in groups. One that is not given is absent from the result."""
    groups = {}
    for each in fields(Settings):
        title = each.metadata["group"]
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        option = "--" + each.name.replace("_", "-")
        group.add_argument(
            option, metavar=each.metadata["metavar"], help=each.metadata["help"], default=argparse.SUPPRESS
        )


def given_settings(options: argparse.Namespace) -> dict:
    """Return the settings given on the command line, by name."""
    names = {each.name for each in fields(Settings)}
    return {name: value for name, value in vars(options).items() if name in names}
