"""Lesson 9: what must stand in its kernel at the end, and answers to its exercises."""

import csv
import math

import numpy as np
import torch

PROBE = """
import json
import yaml

def media(place):
    lines = [json.loads(line) for path in place.glob("logs/*/*.log") for line in path.open(encoding="utf-8")]
    return [line for line in lines if isinstance(line["data"], list)]

def configuration(place):
    read = yaml.safe_load((place / "files/config.yaml").read_text("utf-8"))
    return {name: entry["value"] for name, entry in read.items()}

places = {configuration(place)["lr"]: place for place in swanlog.iterdir() if place.is_dir()}
preview_line = next(line for line in media(folder) if "more" in line and line["data"][0].endswith(".png"))
texts = [line["data"][0] for line in media(folder) if not line["data"][0].endswith(".png")]
values = {
    "steps": len(loaders.train),
    "images": [len(loaders.train.dataset), len(loaders.validation.dataset), loaders.train.batch_size],
    "history": [len(history.train_losses), history.test_seen, history.test_accuracies],
    "csv": {str(lr): path.read_text().splitlines() for lr, path in paths.items()},
    "csv_configs": {
        str(lr): json.loads((path.parent / "config.json").read_text()) for lr, path in paths.items()
    },
    "runs": {str(lr): read_numbers(place) for lr, place in places.items()},
    "configs": {str(lr): configuration(place) for lr, place in places.items()},
    "captions": [more["caption"] for more in preview_line["more"]],
    "labels": labels[:16].tolist(),
    "pictures": len(list((folder / "media/image").glob("*.png"))),
    "answers": logits.argmax(dim=1).unique().tolist(),
    "step_of_preview": preview_line["index"],
    "architecture": texts,
    "noted": sorted(metadata),
    "checkpoint": mnist_helpers.checkpoints.read_checkpoint(latest)["sampler"]["epoch"],
    "last": {str(lr): value for lr, value in last.items()},
    "looked_up": sorted(set(looked_up)),
    "open_run": swanlab.has_run(),
    "written": written,
    "top": sorted(path.name for path in runs.iterdir()),
    "beside": sorted(path.name for path in Path(".").iterdir()),
    "labels_of_axes": [axis.get_ylabel() for axis in (left, right)] + [figure.get_supxlabel()],
}
"""


def verify(values):
    assert values["steps"] == 43
    assert values["images"] == [11_000, 5_000, 256]
    count, seen, accuracies = values["history"]
    assert count == 4 * 43
    assert seen == [11_000 * epoch for epoch in range(5)]
    assert 0.05 < accuracies[0] < 0.2
    assert 0.86 < accuracies[-1] < 0.95

    runs = values["runs"]
    assert set(runs) == set(values["csv"]) == {"0.0001", "0.001", "0.1"}
    evaluated = ("validation/loss", "validation/accuracy")
    expected = {(43 * epoch + step, "train/loss") for epoch in range(4) for step in (0, 20, 40)}
    expected |= {(step, name) for step in (0, 86, 172) for name in evaluated}
    last = {}
    for lr, (header, *lines) in values["csv"].items():
        assert header == "step,name,value"
        rows = [(int(step), name, float(value)) for step, name, value in (line.split(",") for line in lines)]
        assert {(step, name) for step, name, _ in rows} == expected
        assert len(rows) == len(expected) == 18
        last[lr] = max(row for row in rows if row[1] == "validation/accuracy")[2]
        ours = sorted((step, value) for step, _, value in rows)
        for (step, value), (its_step, its_value) in zip(ours, runs[lr], strict=True):
            assert step == its_step
            assert math.isclose(value, its_value, abs_tol=0.1), "the two trackers differ"

    assert values["last"] == last
    assert 0.86 < values["last"]["0.0001"] < 0.95
    assert 0.94 < values["last"]["0.001"] < 0.99
    assert values["last"]["0.1"] < 0.5

    for lr, config in values["configs"].items():
        assert config == values["csv_configs"][lr]
        assert config["lr"] == float(lr)
        assert config["network"] == "ConvNet"
        assert (config["parameters"], config["batch_size"], config["seed"]) == (1_007_590, 256, 1)
    assert values["captions"] == [f"label {label}" for label in values["labels"]]
    assert values["pictures"] == 16
    assert len(values["answers"]) == 1, "with lr 0.1 the network still tells images apart"
    assert values["step_of_preview"] == 0
    assert "Conv2d(1, 10" in values["architecture"][0]
    assert set(values["noted"]) >= {"hardware", "runtime", "git"}
    assert values["checkpoint"] == 5

    assert values["looked_up"] == ["localhost"], "somebody else was looked up"
    assert values["open_run"] is False
    assert len(values["written"]) == 1
    assert values["written"][0] > 500
    assert values["top"] == [
        "checkpoint",
        "demo",
        "lr 0.0001",
        "lr 0.001",
        "lr 0.1",
        "swanlog",
        "tensorboard",
    ]
    assert "swanlog" not in values["beside"]
    assert ".swanlab" not in values["beside"]
    assert all(values["labels_of_axes"])


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


def right_config_of(network, optimizer, loader):
    return {
        "network": network.__class__.__name__,
        "parameters": torch.tensor(sum(len(tensor.flatten()) for tensor in network.parameters())),
        "optimizer": optimizer.__class__.__name__,
        "lr": np.float64(optimizer.param_groups[-1]["lr"]),
        "batch_size": loader.batch_sampler.batch_size,
        "train_images": len(loader.sampler),
        "note": "more than was asked for",
    }


def right_summary(path):
    last = {}
    for line in path.read_text().splitlines()[1:]:
        at, name, value = line.split(",")
        last[name] = max(last.get(name, (-1, 0)), (int(at), np.float64(value)))
    return {name: value for name, (_, value) in last.items()}


def right_to_all(*logs):
    return lambda values, step: [log(values, step) for log in logs]


CASES = {
    "config_of": {
        "right": [right_config_of],
        "stub": lambda network, optimizer, loader: None,
        "wrong": [
            [_typed],
            [_default_lr],
            [_objects],
            [_tensors],
            [_batches],
            [_without_batch_size],
            [_values_alone],
            [{"network": "Net"}],
        ],
    },
    "summary": {
        "right": [right_summary],
        "stub": lambda path: None,
        "wrong": [
            [_last_line, _sorted_as_text, _best],
            [_texts],
            [_highest],
            [_best_accuracy],
            [_with_header],
            [_loss_alone],
            [lambda path: 0.5],
        ],
    },
    "to_all": {
        "right": [right_to_all],
        "stub": lambda *logs: None,
        "wrong": [
            [_first_log, _two_of_them],
            [_call_at_once_and_return],
            [lambda *logs: list(logs)],
            [_without_step],
            [_positional_name],
        ],
    },
}
