"""Lesson 7: what must stand in its kernel at the end, and answers to its exercises."""

import argparse
import csv

import numpy as np
import torch

PROBE = """
import json
from mnist_helpers import MNIST_MEAN, MNIST_STD
from mnist_helpers.pictures import read_digit
reader = Net().eval()
load_checkpoint(first / "checkpoint.pt", reader)
digit = (read_digit(drawn).float() / 255 - MNIST_MEAN) / MNIST_STD
files = {path.name: path.stat().st_size for path in first.glob("[a-z]*")}
values = {
    "settings": config["settings"],
    "files": files,
    "columns": list(rows[0]),
    "noted": [[int(row["epoch"]), int(row["step"]), int(row["images_seen"])] for row in noted],
    "measured": [[int(row["epoch"]), int(row["step"]), int(row["images_seen"])] for row in measured],
    "accuracies": [float(row["test_accuracy"]) for row in measured],
    "losses": [float(noted[0]["train_loss"]), float(noted[-1]["train_loss"])],
    "log": len(log),
    "here": here,
    "unbroken": [row["epoch"] for row in metrics_of(unbroken) if row["test_loss"]],
    "unbroken_accuracy": float(metrics_of(unbroken)[-1]["test_accuracy"]),
    "interrupted": [os.name, process.returncode],
    "stops": sum(line.startswith("Stopped after") for line in lines_of(stopped / "stdout.log")),
    "resumed": [line for line in lines_of(stopped / "stdout.log") if line.startswith("resumed")],
    "resumes": len(json.loads((stopped / "config.json").read_text(encoding="utf-8"))["resumed"]),
    "equal": equal,
    "differing": differing,
    "done": len(history.train_losses),
    "elsewhere": sorted(path.name for path in run.glob("[a-z]*")),
    "beside": sorted(path.name for path in Path(".").glob("*/lesson_07/*")),
    "elsewhere_data": json.loads((run / "config.json").read_text())["settings"]["data_dir"] == str(data_dir),
    "split": [row["validation_loss"] != "" for row in metrics_of(run) if not row["train_loss"]],
    "digit": reader(digit[None, None]).argmax().item(),
    "seen": list(grey.shape),
    "json": [reading["file"] == drawn, reading["digit"], reading["confidence"]],
    "most": max(reading["probabilities"]),
    "labels": [axes[0].get_title(), axes[1].get_title()],
}
"""


def verify(values):
    settings = values["settings"]
    given = {"batch_size": 64, "test_batch_size": 1000, "epochs": 1, "lr": 0.01, "momentum": 0.5}
    assert given.items() <= settings.items()
    assert settings["seed"] == 1
    names = {"checkpoint.pt", "config.json", "loss_curve.png", "metrics.csv", "snapshots.pt", "stdout.log"}
    assert set(values["files"]) == names
    assert all(size > 500 for size in values["files"].values())
    assert values["columns"][:4] == ["epoch", "step", "images_seen", "train_loss"]
    assert values["noted"] == [[1, step, 64 * step] for step in range(0, 938, 10)]
    assert values["measured"] == [[0, 0, 0], [1, 938, 60_000]]
    untrained, trained = values["accuracies"]
    assert 0.03 < untrained < 0.25
    assert 0.90 < trained < 0.965
    assert abs(values["here"] - trained) < 0.002
    before, after = values["losses"]
    assert 2.0 < before < 3.0
    assert after < 1.5
    assert 12 <= values["log"] <= 20

    assert values["unbroken"] == ["0", "1", "2"]
    assert 0.92 < values["unbroken_accuracy"] < 0.965
    system, status = values["interrupted"]
    assert status == 130 or system != "posix"
    assert values["stops"] == (system == "posix")
    assert len(values["resumed"]) == values["resumes"] == 1
    assert len(values["equal"]) == 6
    assert all(values["equal"].values())
    assert values["differing"] == ["seconds"]
    assert values["done"] == 5

    assert set(values["elsewhere"]) == names - {"snapshots.pt"}  # of a larger network none are kept
    assert values["elsewhere_data"]
    assert values["split"] == [True, True, False]
    assert {"first", "unbroken", "stopped", "elsewhere", "count.py"} <= set(values["beside"])
    assert values["digit"] == 7
    assert values["seen"] == [28, 28]
    assert values["json"] == [True, 7, values["most"]]
    assert 0.5 < values["most"] <= 1
    assert values["labels"] == ["drawn", "as the network saw it: a 7"]


def _decay(**options):
    """A wrong answer to 7.1 which calls add_argument with these options."""

    def with_weight_decay(parser):
        parser.add_argument("--weight-decay", **options)
        return parser

    return with_weight_decay


def _returns_nothing_useful(parser):
    return parser.add_argument("--weight-decay", type=float, default=0.0)


def _new_one(parser):
    parser = argparse.ArgumentParser()
    parser.add_argument("--weight-decay", type=float, default=0.0)
    return parser


def _misspelt(parser):
    parser.add_argument("--weight_decays", type=float, default=0.0)
    return parser


def _underscored(parser):
    parser.add_argument("--weight_decay", type=_right, default=0.0)
    return parser


def _without_return(parser):
    parser.add_argument("--weight-decay", type=float, default=0.0)


def _asserting(text):
    value = float(text)
    if value < 0:
        raise AssertionError(text)
    return value


def _exiting(text):
    value = float(text)
    if value < 0:
        raise SystemExit(1)
    return value


def _leaving(text):
    value = float(text)
    if value < 0:
        raise SystemExit(2)
    return value


def _one_at_most(text):
    value = _right(text)
    if value > 1:
        raise argparse.ArgumentTypeError("too much")
    return value


def _above_zero(text):
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("not above 0")
    return value


def _silent(text):
    return max(float(text), 0.0)


def _right(text):
    value = float(text)
    if value < 0:
        raise argparse.ArgumentTypeError("negative")
    return value


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _measured(path):
    return [row for row in _rows(path) if row["test_accuracy"]]


def _no_filter(path, accuracy):
    return next(int(row["epoch"]) for row in _rows(path) if float(row["test_accuracy"]) > accuracy)


def _place(path, accuracy):
    return next(i for i, row in enumerate(_measured(path), 1) if float(row["test_accuracy"]) > accuracy)


def _line(path, accuracy):
    return next(i for i, row in enumerate(_rows(path)) if float(row["test_accuracy"] or 0) > accuracy)


def _text(path, accuracy):
    return next(row["epoch"] for row in _measured(path) if float(row["test_accuracy"]) > accuracy)


def _last(path, accuracy):
    return [int(row["epoch"]) for row in _measured(path) if float(row["test_accuracy"]) < accuracy][-1] + 1


def _fixed(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if float(row["test_accuracy"]) > 0.97)


def _without_the_untrained(path, accuracy):
    for row in _measured(path):
        if float(row["test_accuracy"]) > accuracy and int(row["epoch"]):
            return int(row["epoch"])


def _stops_at_the_first(path, accuracy):
    for row in _measured(path):
        if int(row["epoch"]) > 2 and float(row["test_accuracy"]) > accuracy:
            return 4 if accuracy == 0.97 and len(_measured(path)) == 6 else None


def _forgets(path, accuracy):
    for row in _measured(path):
        if float(row["test_accuracy"]) > accuracy:
            int(row["epoch"])


def _fifth_column(path, accuracy):
    with open(path, encoding="utf-8") as file:
        for line in list(file)[1:]:
            cells = line.split(",")
            if cells[5] and float(cells[5]) > accuracy:
                return int(cells[0])


def _equal_too(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if float(row["test_accuracy"]) >= accuracy)


def _compares_texts(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if row["test_accuracy"] > str(accuracy))


def _float(path, accuracy):
    return next(float(row["epoch"]) for row in _measured(path) if float(row["test_accuracy"]) > accuracy)


def _row(path, accuracy):
    return next(row for row in _measured(path) if float(row["test_accuracy"]) > accuracy)


def right_with_weight_decay(parser):
    def not_negative(text):
        value = float(text)
        if value < 0:
            raise ValueError(text)
        return value

    parser.add_argument("--weight-decay", "--wd", type=not_negative, default="0")
    return parser


def right_epoch_above(path, accuracy):
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return np.int64(next(row[0] for row in rows if row[7] and float(row[7]) > accuracy))


CASES = {
    "with_weight_decay": {
        "right": [right_with_weight_decay],
        "stub": lambda parser: None,
        "wrong": [
            [_returns_nothing_useful],
            [_without_return],
            [_underscored],
            [_decay(type=_leaving, default=0.0)],
            [
                _decay(type=_one_at_most, default=0.0),
                _decay(type=int, default=0),
                _decay(type=_above_zero, default=0.0),
            ],
            [_new_one],
            [_misspelt],
            [_decay(type=_right)],
            [_decay(type=_right, default=0.01)],
            [_decay(type=_right, required=True)],
            [_decay(default=0.0)],
            [_decay(type=float, default=0.0), _decay(type=_silent, default=0.0)],
            [_decay(type=_asserting, default=0.0)],
            [_decay(type=_exiting, default=0.0)],
            [_decay(type=lambda text: 2 * _right(text), default=0.0)],
            [_decay(type=_right, default=0.0, help="in %")],
            ["--weight-decay"],
        ],
    },
    "rows_of_ten_epochs": {
        "right": [951.0, np.int64(951), torch.tensor(951)],
        "stub": None,
        "wrong": [[952], [950], [940], [948, 949, 938], [941], [930], [9391], [95], ["many"]],
    },
    "epoch_above": {
        "right": [right_epoch_above],
        "stub": lambda path, accuracy: None,
        "wrong": [
            [_no_filter],
            [_place, _line],
            [_text],
            [_last],
            [_fixed],
            [_without_the_untrained],
            [_stops_at_the_first, _forgets, _fifth_column],
            [_equal_too, _compares_texts],
            [_float],
            [_row],
            [4],
        ],
    },
}
