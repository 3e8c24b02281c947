"""Answers that students give to the exercises of lesson 9."""

import csv


def _config(network, optimizer, loader):
    return {
        "network": type(network).__name__,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "optimizer": type(optimizer).__name__,
        "lr": optimizer.param_groups[0]["lr"],
        "batch_size": loader.batch_size,
        "train_images": len(loader.dataset),
    }


def _typed(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"network": "ConvNet"}


def _default_lr(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"lr": 1e-4}


def _objects(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"optimizer": optimizer}


def _tensors(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"parameters": len(list(network.parameters()))}


def _batches(network, optimizer, loader):
    return _config(network, optimizer, loader) | {"train_images": len(loader)}


def _without_batch_size(network, optimizer, loader):
    config = _config(network, optimizer, loader)
    del config["batch_size"]
    return config


def _values_alone(network, optimizer, loader):
    return list(_config(network, optimizer, loader).values())


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _last_line(path):
    return {row["name"]: float(row["value"]) for row in _rows(path)}


def _sorted_as_text(path):
    return {row["name"]: float(row["value"]) for row in sorted(_rows(path), key=lambda row: row["step"])}


def _texts(path):
    return {row["name"]: row["value"] for row in sorted(_rows(path), key=lambda row: int(row["step"]))}


def _highest(path):
    rows = sorted(_rows(path), key=lambda row: float(row["value"]))
    return {row["name"]: float(row["value"]) for row in rows}


def _best(path):
    found = _highest(path)
    rows = [float(row["value"]) for row in _rows(path) if row["name"] == "train/loss"]
    return found | {"train/loss": min(rows)}


def _best_accuracy(path):
    return _highest(path) | {"train/loss": 0.5}


def _with_header(path):
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return {name: value for _, name, value in lines}


def _loss_alone(path):
    return {"train/loss": 0.5}


def _first_log(*logs):
    return logs[0]


def _call_at_once(*logs):
    for log in logs:
        log({}, step=0)


def _call_at_once_and_return(*logs):
    _call_at_once(*logs)
    return logs[0]


def _two_of_them(*logs):
    def log(values, step):
        logs[0](values, step=step)
        logs[1](values, step=step)

    return log


def _without_step(*logs):
    def log(values, step):
        for one in logs:
            one(values, 0)

    return log


def _positional_name(*logs):
    def log(values, batch):
        for one in logs:
            one(values, batch)

    return log


CASES = {
    "config_of": {
        "stub": lambda network, optimizer, loader: None,
        "wrong": [
            (_typed, "\"network\" is 'ConvNet' for a Net"),
            (_default_lr, "param_groups"),
            (_objects, '"optimizer" is'),
            (_tensors, "numel()"),
            (_batches, "counts batches"),
            (_without_batch_size, 'no "batch_size"'),
            (_values_alone, "it returned list"),
            ({"network": "Net"}, "TypeError"),
        ],
    },
    "summary": {
        "stub": lambda path: None,
        "wrong": [
            (_last_line, "not always in the last line"),
            (_sorted_as_text, "not always in the last line"),
            (_texts, "a number is asked for"),
            (_highest, "for train/loss it found 2.5"),
            (_best, "nor has it the best value"),
            (_best_accuracy, "for validation/accuracy it found 0.96875"),
            (_with_header, "the keys are"),
            (_loss_alone, "one for each metric"),
            (lambda path: 0.5, "it returned float"),
        ],
    },
    "to_all": {
        "stub": lambda *logs: None,
        "wrong": [
            (_first_log, "of three log functions, 1"),
            (_two_of_them, "of three log functions, 2"),
            (_call_at_once_and_return, "before there was anything to log"),
            (lambda *logs: list(logs), "it returned list"),
            (_without_step, "one of the log functions received"),
            (_positional_name, "TypeError"),
        ],
    },
}
