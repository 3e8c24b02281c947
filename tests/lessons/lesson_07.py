"""Lesson 7: what must stand in its kernel at the end, and answers to its exercises."""

import argparse
import csv

import numpy as np

PROBE = """
import os

files = {path.name: path.stat().st_size for path in first.glob("[a-z]*")}
values = {
    "script": [refused, trained, (folder / "weights.pt").exists()],
    "settings": json.loads((first / "config.json").read_text())["settings"],
    "files": files,
    "columns": list(rows[0]),
    "noted": [[int(row["epoch"]), int(row["step"])] for row in rows if row["train_loss"]],
    "measured": [[int(row["epoch"]), int(row["step"])] for row in rows if row["validation_loss"]],
    "accuracies": [float(row["validation_accuracy"]) for row in rows if row["validation_accuracy"]],
    "table": table,
    "again": [finished.returncode, len(finished.stderr.splitlines())],
    "interrupted": [os.name, process.returncode],
    "stops": sum(line.startswith("Stopped after") for line in lines_of(stopped / "stdout.log")),
    "resumed": [line for line in lines_of(stopped / "stdout.log") if line.startswith("resumed")],
    "equal": equal,
    "differing": differing,
    "done": len(history.train_losses),
}
"""


def verify(values):
    assert values["script"] == [2, 0, True]
    given = {"batch_size": 64, "test_batch_size": 1000, "epochs": 2, "lr": 0.01, "momentum": 0.5, "seed": 1}
    assert given.items() <= values["settings"].items()
    names = {"checkpoint.pt", "config.json", "loss_curve.png", "metrics.csv", "stdout.log"}
    assert set(values["files"]) == names
    assert all(size > 500 for size in values["files"].values())
    assert values["columns"][:4] == ["epoch", "step", "images_seen", "train_loss"]
    each = range(0, 860, 10)  # 55,000 images are 860 batches
    assert values["noted"] == [[epoch, 860 * (epoch - 1) + step] for epoch in (1, 2) for step in each]
    assert values["measured"] == [[0, 0], [1, 860], [2, 1720]]
    untrained, once, twice = values["accuracies"]
    assert 0.03 < untrained < 0.25
    assert 0.85 < once < twice < 0.97
    assert [name for *_, name in sorted(values["table"], reverse=True)] == ["lr_0.1", "first", "lr_0.001"]
    assert values["again"] == [2, 1]

    system, status = values["interrupted"]
    assert status == 143 or system != "posix"
    assert values["stops"] == (system == "posix")
    assert len(values["resumed"]) == 1
    assert len(values["equal"]) == 6
    assert all(values["equal"].values())
    assert values["differing"] == ["seconds"]
    assert values["done"] == 5


def _positive(text):
    if int(text) < 1:
        raise argparse.ArgumentTypeError("1 or more")
    return int(text)


def _above_zero(text):
    if not 0 < float(text) < float("inf"):
        raise argparse.ArgumentTypeError("above 0")
    return float(text)


def _main(
    *, type=_positive, rate=_above_zero, epochs=3, status=lambda good: 0 if good else 1, show=print, ask=None
):
    """An answer to 7.1, right or with one thing wrong."""

    def main(words, train):
        parser = argparse.ArgumentParser()
        parser.add_argument("--epochs", type=type, default=epochs)
        parser.add_argument("--lr", type=rate, default=0.01)
        options = (ask or parser.parse_args)(words if ask is None else parser)
        accuracy = train(options.epochs, options.lr)
        show(accuracy)
        return status(accuracy > 0.5)

    return main


def _needs_another_cell(words, train):
    return _main()(words, train)


def _never_trains(words, train):
    return 0


def _swapped(words, train):
    return _main()(words, lambda epochs, lr: train(lr, epochs))


def _asserting(text):
    assert int(text) > 0
    return int(text)


def _exiting(text):
    if not text.isdigit() or int(text) < 1:
        raise SystemExit(1)
    return int(text)


def _leaving(text):
    if not text.isdigit() or int(text) < 1:
        raise SystemExit(2)
    return int(text)


def _by_hand(words, train):
    """Right, without argparse."""
    import sys

    values = {"--epochs": "3", "--lr": "0.01"} | dict(zip(words[::2], words[1::2], strict=True))
    digits, rate = values["--epochs"].isdigit(), values["--lr"].replace(".", "").isdigit()
    if len(values) > 2 or not (digits and rate and int(values["--epochs"]) and float(values["--lr"])):
        print("usage: --epochs N --lr R", file=sys.stderr)
        return 2
    accuracy = train(int(values["--epochs"]), float(values["--lr"]))
    print(100 * accuracy)
    return int(accuracy <= 0.5)


ACCURACY = "validation_accuracy"


def _rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _measured(path):
    return [row for row in _rows(path) if row[ACCURACY]]


def _no_filter(path, accuracy):
    return next(int(row["epoch"]) for row in _rows(path) if float(row[ACCURACY]) > accuracy)


def _place(path, accuracy):
    return next(i for i, row in enumerate(_measured(path), 1) if float(row[ACCURACY]) > accuracy)


def _line(path, accuracy):
    return next(i for i, row in enumerate(_rows(path)) if float(row[ACCURACY] or 0) > accuracy)


def _text(path, accuracy):
    return next(row["epoch"] for row in _measured(path) if float(row[ACCURACY]) > accuracy)


def _last(path, accuracy):
    return [int(row["epoch"]) for row in _measured(path) if float(row[ACCURACY]) < accuracy][-1] + 1


def _fixed(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if float(row[ACCURACY]) > 0.97)


def _without_the_untrained(path, accuracy):
    for row in _measured(path):
        if float(row[ACCURACY]) > accuracy and int(row["epoch"]):
            return int(row["epoch"])


def _stops_at_the_first(path, accuracy):
    for row in _measured(path):
        if int(row["epoch"]) > 2 and float(row[ACCURACY]) > accuracy:
            return 4 if accuracy == 0.97 and len(_measured(path)) == 7 else None


def _forgets(path, accuracy):
    for row in _measured(path):
        if float(row[ACCURACY]) > accuracy:
            int(row["epoch"])


def _fifth_column(path, accuracy):
    with open(path, encoding="utf-8") as file:
        for line in list(file)[1:]:
            cells = line.split(",")
            if cells[7] and float(cells[7]) > accuracy:
                return int(cells[0])


def _equal_too(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if float(row[ACCURACY]) >= accuracy)


def _compares_texts(path, accuracy):
    return next(int(row["epoch"]) for row in _measured(path) if row[ACCURACY] > str(accuracy))


def _float(path, accuracy):
    return next(float(row["epoch"]) for row in _measured(path) if float(row[ACCURACY]) > accuracy)


def _row(path, accuracy):
    return next(row for row in _measured(path) if float(row[ACCURACY]) > accuracy)


def right_epoch_above(path, accuracy):
    rows = [line.split(",") for line in path.read_text().splitlines()[1:]]
    return np.int64(next(row[0] for row in rows if row[5] and float(row[5]) > accuracy))


CASES = {
    "main": {
        "right": [_by_hand, _main()],
        "stub": lambda words, train: None,
        "wrong": [
            [_never_trains],
            [_needs_another_cell],
            [_swapped, _main(epochs=10)],
            [_main(type=str)],
            [_main(show=lambda accuracy: None)],
            [_main(status=lambda good: None)],
            [_main(status=lambda good: 0), _main(status=lambda good: 1)],
            [_main(type=int)],
            [_main(rate=float)],
            [_main(type=_asserting)],
            [_main(type=_exiting)],
            [_main(type=_leaving)],
            [_main(ask=lambda parser: parser.parse_args([]))],
            ["--epochs"],
        ],
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
