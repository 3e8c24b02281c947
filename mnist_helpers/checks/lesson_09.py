"""The checks of lesson 9, tracking experiments."""

import math
import tempfile
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from ..models import Net, ThreeLayerNet
from .vocabulary import call, check, number


def _case(network, optimizer, lr, batch_size, images):
    """Objects to describe, and the description that is right for them."""
    loader = DataLoader(TensorDataset(torch.zeros(images, 1)), batch_size=batch_size)
    objects = (network, optimizer(network.parameters(), lr=lr), loader)
    expected = {
        "network": type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "optimizer": optimizer.__name__,
        "lr": lr,
        "batch_size": batch_size,
        "train_images": images,
    }
    return objects, expected


_HINTS = {
    "network": "type(...) knows the class, and a class its __name__",
    "parameters": "add up numel() of all parameters, large and small",
    "optimizer": "type(...) knows the class, and a class its __name__",
    "lr": "ask optimizer.param_groups",
    "batch_size": "the loader knows it",
    "train_images": "len(loader) counts batches; its dataset counts images",
}


def _wrong_entry(config, expected):
    for name, value in expected.items():
        if name not in config:
            return f'the dictionary has no "{name}".'
        found = config[name]
        same = found == value if isinstance(value, str) else number(found) == value
        if not same:
            return (
                f'"{name}" is {str(found)[:60]!r} for a {expected["network"]} trained by '
                f"{expected['optimizer']}; {_HINTS[name]}."
            )
    return None


@check(right="Whatever is trained, its record says what it was.")
def config_of(function):
    """``function(network, optimizer, loader)`` describes the three from what they are."""
    cases = [
        _case(Net(), torch.optim.SGD, 0.05, 32, 100),
        _case(ThreeLayerNet(), torch.optim.RMSprop, 0.002, 16, 50),
    ]
    for objects, expected in cases:
        config = call(function, *objects)
        if not isinstance(config, dict):
            return f"it returned {type(config).__name__}, where a dictionary is asked for."
        reason = _wrong_entry(config, expected)
        if reason:
            return reason
    return None


_METRICS = """step,name,value
0,train/loss,2.5
0,validation/accuracy,0.125
80,validation/accuracy,0.96875
100,train/loss,0.5
100,validation/accuracy,0.9375
20,train/loss,0.25
"""


@check(right="The last value by step, whatever the order of the lines.")
def summary(function):
    """``function(path)`` returns the value at the highest step of each metric in a CSV file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.csv"
        path.write_text(_METRICS, encoding="utf-8")
        found = call(function, path)
    if not isinstance(found, dict):
        return f"it returned {type(found).__name__}, where a dictionary is asked for."
    names = {"train/loss", "validation/accuracy"}
    if set(found) != names:
        return f"the keys are {sorted(map(str, found))}; there is one for each metric, {sorted(names)}."
    for name, value in found.items():
        if number(value) is None:
            return (
                f"the value of {name} is {value!r}, and a number is asked for; what does a CSV reader return?"
            )
    if number(found["train/loss"]) == 0.25:
        return (
            "for train/loss it found 0.25, of step 20, though there is a line of step 100 in the file; "
            "the last step is not always in the last line, nor has it the best value, "
            "and as texts '20' comes after '100'."
        )
    for name, expected in (("train/loss", 0.5), ("validation/accuracy", 0.9375)):
        if not math.isclose(number(found[name]), expected):
            return f"for {name} it found {found[name]} where the line of step 100 says {expected}."
    return None


@check(right="A function of functions, and two trackers hold the same run.")
def to_all(function):
    """``function(*logs)`` returns a log function that hands each call on to all of them."""
    kept = [[], [], []]

    def keep(place):
        return lambda values, step: kept[place].append((dict(values), step))

    log = call(function, *(keep(place) for place in range(3)))
    if any(kept):
        return (
            "the log functions were called before there was anything to log; return a function that does it."
        )
    if not callable(log):
        return f"it returned {type(log).__name__}, where a function is asked for."
    calls = [({"train/loss": 2.5}, 0), ({"validation/loss": 1.5, "validation/accuracy": 0.5}, 43)]
    for values, step in calls:
        log(values, step=step)
    reached = sum(bool(place) for place in kept)
    if reached < 3:
        return f"of three log functions, {reached} received anything; is every one of them called?"
    for place in kept:
        if place != calls:
            return f"two calls were made, {calls}, and one of the log functions received {place}."
    return None
