"""The settings of a run: a mistake is named, wherever it was made, and nothing is touched."""

import json
import shlex
from dataclasses import asdict, fields

import pytest

from mnist_helpers.__main__ import make_parser
from mnist_helpers.running.settings import SettingError, Settings, given_settings

from .runs import one_line, state

NAMES = [each.name for each in fields(Settings)]
SPEC = shlex.split("--batch-size 64 --test-batch-size 1000 --epochs 10 --lr 0.01 --momentum 0.5")
DEFAULTS = {"network": "Net", "optimizer": "sgd", "lr": 0.01, "momentum": 0.5, "seed": 1, "epochs": 10}
DEFAULTS |= {"batch_size": 64, "test_batch_size": 1000, "validation_size": 0, "data_dir": None}
DEFAULTS |= {"device": "auto", "log_interval": 10, "checkpoint_every": 0}
# Texts are tried on the command line too.
BAD = {
    "network": ("Foo", "net", "", 3),
    "optimizer": ("rmsprop", "SGD", 1),
    "lr": ("0", "-1", "nan", "inf", "abc", "", True, [0.1]),
    "momentum": ("1", "-0.1", "nan", "half", False),
    "seed": ("-1", "2147483648", "1.0", 1.5, True),
    "epochs": ("0", "2.5", "-3", "", None),
    "batch_size": ("0", "many", [64]),
    "test_batch_size": ("0", "-5", None),
    "validation_size": ("60000", "-1", "0.1"),
    "data_dir": (5, ["data"]),
    "device": (0, None),
    "log_interval": ("0", "x", {}),
    "checkpoint_every": ("-1", "1e3", None),
}


def write_config(folder, **changes):
    """Write the config.json of a run; a setting that is to be ``...`` is left out."""
    settings = {name: value for name, value in (DEFAULTS | changes).items() if value is not ...}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"settings": settings, "started": {}, "resumed": []}))


def test_the_five_arguments_are_the_defaults():
    given = given_settings(make_parser().parse_args(["train", *SPEC]))
    assert asdict(Settings(**given)) == asdict(Settings()) == DEFAULTS
    assert asdict(Settings(optimizer="adam")) == DEFAULTS | {
        "optimizer": "adam",
        "lr": 0.001,
        "momentum": None,
    }
    assert set(BAD) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_value_is_named(here, tmp_path, name):
    """In a call, in config.json, and on the command line if it is a text."""
    option = "--" + name.replace("_", "-")
    for index, value in enumerate(BAD[name]):
        with pytest.raises(SettingError, match="is not allowed; ") as caught:
            Settings(**{name: value})
        assert caught.value.name == name
        write_config(tmp_path / str(index), **{name: value})
        before = state(tmp_path)
        done = here("train", "--run-dir", index, "--resume")
        one_line(done, 1, f"config.json: {name}: ", "is not allowed; ")
        if isinstance(value, str):
            done = here("train", option, value)
            one_line(done, 2, f"python -m mnist_helpers train: argument {option}: {value} is not allowed; ")
        assert (done.stdout, state(tmp_path)) == ("", before)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--optimizer", "adam", "--momentum", 0.5), "argument --momentum: is for --optimizer sgd, not adam"),
        (("--learning-rate", 0.1), "unrecognized arguments: --learning-rate"),
        (("--epoch", 3), "unrecognized arguments: --epoch"),
        (("--run-dir",), "argument --run-dir: expected one argument"),
        (("--resume",), "argument --resume: say which run, with --run-dir"),
        (("--device", "gpu"), "argument --device: device is 'gpu'; allowed on this machine is auto, "),
        (("--run-dir", "nothing", "--resume"), "nothing: there is no run to resume (config.json is missing)"),
    ],
)
def test_arguments_that_cannot_be_used(here, tmp_path, arguments, text):
    done = here("train", *arguments)
    one_line(done, 1 if "nothing" in arguments else 2, text)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"seed": ...}, "config.json: seed: is missing, or is not a setting"),
        ({"sead": 2}, "config.json: sead: is missing, or is not a setting"),
        ({"optimizer": "adam"}, "config.json: momentum: is for --optimizer sgd, not adam"),
        ("[", "config.json: cannot be read"),
        ("[]", "is not the config.json of a run"),
        ('{"setting": {}, "started": {}, "resumed": []}', "is not the config.json of a run"),
        ('{"settings": {}, "started": {}, "resumed": [5]}', "is not the config.json of a run"),
    ],
)
def test_what_is_no_config_json(here, tmp_path, changes, text):
    write_config(tmp_path / "run", **(changes if isinstance(changes, dict) else {}))
    if isinstance(changes, str):
        (tmp_path / "run" / "config.json").write_text(changes)
    one_line(here("train", "--run-dir", "run", "--resume"), 1, text)
    assert state(tmp_path).keys() == {"config.json"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("network", "FastNet", "network: the run was started with Net, not FastNet; leave it out"),
        ("optimizer", "adam", "optimizer: the run was started with sgd, not adam"),
        ("momentum", 0.9, "momentum: the run was started with 0.5, not 0.9"),
        ("seed", 2, "seed: the run was started with 1, not 2"),
        ("batch-size", 32, "batch-size: the run was started with 64, not 32"),
        ("validation-size", 5, "validation-size: the run was started with 0, not 5"),
        ("epochs", 9, "epochs: the run has 10; they may be raised, not lowered to 9"),
    ],
)
def test_what_a_resume_may_not_change(here, tmp_path, name, value, text):
    write_config(tmp_path / "run")
    before = state(tmp_path)
    done = here("train", "--run-dir", "run", "--resume", f"--{name}", value)
    one_line(done, 2, f"argument --{text}")
    assert state(tmp_path) == before


def test_what_a_resume_may_change(tmp_path):
    changed = {"lr": 0.5, "epochs": 11, "test_batch_size": 7, "data_dir": str(tmp_path), "device": "cpu"}
    changed |= {"log_interval": 3, "checkpoint_every": 2}
    assert asdict(Settings().changed(changed)) == DEFAULTS | changed
