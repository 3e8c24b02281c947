"""The checks of lesson 9, tracking experiments."""

import json
import tempfile
from pathlib import Path

import torch
from torch.optim import SGD, RMSprop
from torch.utils.data import DataLoader, TensorDataset

from ..models import Net, ThreeLayerNet
from .vocabulary import call, check, near, number, wrong_kind


@check(right="Whatever is trained, its record says what it was.")
def config_of(function):
    """``function(network, optimizer, loader)`` describes the three from what they are."""
    cases = [(Net(), SGD, 0.05, 32, 100), (ThreeLayerNet(), RMSprop, 0.002, 16, 50)]
    for network, optimizer, lr, batch_size, images in cases:
        loader = DataLoader(TensorDataset(torch.zeros(images, 1)), batch_size=batch_size)
        config = call(function, network, optimizer(network.parameters(), lr=lr), loader)
        if not isinstance(config, dict):
            return wrong_kind(config, "a dictionary")
        class_name = type(network).__name__
        numbers = sum(parameter.numel() for parameter in network.parameters())
        expected = {
            "network": (class_name, "type(...) knows the class, and a class its __name__"),
            "parameters": (numbers, "add up numel() of all parameters, large and small"),
            "optimizer": (optimizer.__name__, "type(...) knows the class, and a class its __name__"),
            "lr": (lr, "ask optimizer.param_groups"),
            "batch_size": (batch_size, "the loader knows it"),
            "train_images": (images, "len(loader) counts batches; its dataset counts images"),
        }
        for name, (value, hint) in expected.items():
            if name not in config:
                return f'the dictionary has no "{name}".'
            found = config[name]
            if (found if isinstance(value, str) else number(found)) != value:
                trained = f"a {class_name} trained by {optimizer.__name__}"
                return f'"{name}" is {str(found)[:60]!r} for {trained}; {hint}.'
        for name, value in config.items():
            try:
                json.dumps(value)
            except TypeError:
                kind = type(value).__name__
                return f'"{name}" is a {kind}, which a file cannot hold as it is; make it a plain number.'
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
        return wrong_kind(found, "a dictionary")
    expected = {"train/loss": 0.5, "validation/accuracy": 0.9375}
    if set(found) != set(expected):
        return f"the keys are {sorted(map(str, found))}; there is one for each metric, {sorted(expected)}."
    for name, value in found.items():
        if number(value) is None:
            return f"the value of {name} is {value!r}, and a number is asked for; what does csv return?"
    if near(number(found["train/loss"]), 0.25):
        return (
            "for train/loss it found 0.25, of step 20, though there is a line of step 100 in the file; "
            "the last step is not always in the last line, nor has it the best value, "
            "and as texts '20' comes after '100'."
        )
    for name, value in expected.items():
        if not near(number(found[name]), value):
            return f"for {name} it found {found[name]} where the line of step 100 says {value}."
    return None


@check(right="A function of functions, and two trackers hold the same run.")
def to_all(function):
    """``function(*logs)`` returns a log function that hands each call on to all of them."""
    kept = [[], [], []]

    def keep(place):
        return lambda values, step: kept[place].append((dict(values), step))

    log = call(function, *map(keep, range(3)))
    if any(kept):
        return "the log functions were called before there was anything to log; return a function for later."
    if not callable(log):
        return wrong_kind(log, "a function")
    calls = [({"train/loss": 2.5}, 0), ({"validation/loss": 1.5, "validation/accuracy": 0.5}, 43)]
    for values, step in calls:
        log(values, step=step)
    reached = sum(map(bool, kept))
    if reached < 3:
        return f"of three log functions, {reached} received anything; is every one of them called?"
    for received in kept:
        if received != calls:
            return f"two calls were made, {calls}, and one of the log functions received {received}."
    return None
