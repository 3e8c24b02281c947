"""Lesson 10: what must stand in its kernel at the end, and answers to its exercises."""

import math

import numpy as np
import torch
from torch.nn import functional as F

PROBE = """
import json
from mnist_helpers.recipes import LADDER

def settings(recipe):
    found = asdict(recipe)
    network = found.pop("network")()
    found["first"], found["norm"] = network.conv1.out_channels, type(getattr(network, "norm1", None)).__name__
    return found

values = {
    "split": [len(labels), len(loaders.validation.dataset)],
    "loading_share": loading_share,
    "profiled": [row.key for row in operations[:12]],
    "rungs": {name: settings(recipe) for name, recipe in recipes.items()},
    "ladder": {name: settings(recipe) for name, recipe in LADDER.items()},
    "results": results,
    "written_out": [each.__module__ for each in (Recipe, FastNet, train_recipe, one_cycle)],
    "larger": list(larger.values()),
    "early": [early["with"], early["without"]],
    "growth": {name: list(found) for name, found in GROWTH.items()},
    "rates": [len(rates), max(rates), rates.index(max(rates)), rates[0], rates[-1]],
    "norm": norm.running_mean.tolist(),
    "flops": [counted(Net()), counted(FastNet(32)), counted(FastNet()), before, after],
    "gflop": {name: gflop_of(recipe) for name, recipe in recipes.items()},
    "strides": [maps.stride(), last.stride()],
    "network_is_last": networks["frozen layer"].conv2.weight.is_contiguous(memory_format=torch.channels_last),
    "resting": [weight.requires_grad for weight in networks["frozen layer"].conv1.parameters()],
    "smooth": smooth.tolist(),
    "peak": [peak, ratio],
    "threads": [usual, torch.get_num_threads()],
    "speeds": list(speeds.values()),
    "again": train_recipe(replace(fast, images_seen=640), images, labels, seed=3).fc.bias.tolist()
    == train_recipe(replace(fast, images_seen=640), images, labels, seed=3).fc.bias.tolist(),
    "benchmark": BENCHMARK,
    "unhelpful": [*COMPILED.values(), *WORKERS.values()],
    "on_test": on_test,
    "axes": [axis.get_xlabel(), axis.get_xscale(), axis.get_ylabel()],
    "legend": [text.get_text() for text in figure.legends[0].get_texts()],
    "points": len(axis.containers),
    "key": axis.texts[-1].get_text().splitlines(),
}
"""


def verify(values):
    assert values["split"] == [55_000, 5_000]
    assert 0.1 < values["loading_share"] < 0.95
    assert any("convolution_backward" in name for name in values["profiled"])
    assert any("DataLoader" in name for name in values["profiled"])
    assert values["written_out"] == ["__main__"] * 4

    # The rungs are the package's, in its order, and the last one sees 6,000 images.
    rungs, ladder = values["rungs"], values["ladder"]
    assert [*rungs] == [*ladder, "97 %"]
    assert {name: rungs[name] for name in ladder} == ladder
    changed = [name for name, value in rungs["97 %"].items() if value != ladder["frozen layer"][name]]
    assert changed == ["images_seen"]

    verify_learning(values)
    verify_counts(values)
    assert values["rates"][:3] == [938, 0.1, 233]
    assert 0 < values["rates"][3] < 0.001
    assert 0 < values["rates"][4] < 0.0002
    assert [round(value, 6) for value in values["norm"]] == [3.27, 218.0]
    assert values["strides"] == [[48, 16, 4, 1], [48, 1, 12, 3]]
    assert values["network_is_last"]
    assert values["resting"] == [False]
    sure, moderate = values["smooth"]
    assert sure > moderate > 0
    assert min(values["peak"]) > 0
    assert values["threads"][0] == values["threads"][1]
    assert values["again"]

    names = [row[0] for row in values["benchmark"]]
    assert names == ["as printed", *ladder]
    for _, median, low, high, accuracy, deviation in values["benchmark"]:
        assert 0 < low <= median <= high
        assert 96 < accuracy < 99.6
        assert 0 <= deviation < 1
    assert min(values["unhelpful"]) > 0
    assert {name: len(found) for name, found in values["growth"].items()} == {
        "images seen": 5,
        "batch size": 7,
        "threads": 2,
    }
    assert values["axes"] == ["seconds of training (logarithmic)", "log", "accuracy (%)"]
    assert len(values["legend"]) == 3
    assert values["points"] == len(names)
    assert [line.split(maxsplit=1)[1] for line in values["key"]] == names


def verify_learning(values):
    results = values["results"]
    accuracies = {name: accuracy for name, (_, accuracy) in results.items()}
    assert accuracies.pop("from memory") is None
    bands = {
        "one cycle": (0.955, 0.987),
        "wider, no dropout": (0.975, 0.995),
        "bfloat16": (0.972, 0.9935),
        "97 %": (0.945, 0.985),
    }
    for name, accuracy in accuracies.items():
        low, high = bands.get(name, (0.978, 0.996))
        assert low < accuracy < high, (name, accuracy)
    assert all(seconds > 0 for seconds, _ in results.values())
    assert len(set(accuracies.values())) > 5
    with_norm, without = values["early"]
    assert with_norm > 0.8
    # Without the norm most seeds end as guessing; how far one gets before that depends on the rounding.
    assert without + 0.1 < with_norm
    small, large, scaled = values["larger"]
    assert large + 0.2 < scaled < small + 0.1
    assert 0.985 <= values["on_test"] < 0.995
    assert abs(values["on_test"] - accuracies["frozen layer"]) < 0.007


def verify_counts(values):
    assert values["flops"] == [2_595_000, 11_704_320, 5_867_520, 5_867_520, 3_768_320]
    gflop = values["gflop"]
    assert abs(gflop["from memory"] - 0.002595 * 180_000) < 1e-6
    assert abs(gflop["label smoothing"] - 0.00586752 * 60_000) < 1e-6
    assert abs(gflop["frozen layer"] - (0.00586752 + 0.00376832) * 15_000) < 1e-6
    assert gflop["bfloat16"] == gflop["frozen layer"]


def _left(share, factor):
    return 1 - share + share / factor


def _limit(share, factor):
    return 1 / (1 - share)


def _printed(share, factor):
    print(1 / _left(share, factor))


def _swapped(share, factor):
    return 1 / (share + (1 - share) / factor)


def _one_hot(labels, smoothing):
    return F.one_hot(labels, 10)


def _one_hot_float(labels, smoothing):
    return F.one_hot(labels, 10).float()


def _others_share(labels, smoothing):
    hot = F.one_hot(labels, 10)
    return (1 - smoothing) * hot + (1 - hot) * smoothing / 9


def _no_tenth_for_the_right(labels, smoothing):
    hot = F.one_hot(labels, 10)
    return (1 - smoothing) * hot + (1 - hot) * smoothing / 10


def _lost(labels, smoothing):
    return (1 - smoothing) * F.one_hot(labels, 10)


def _given_twice(labels, smoothing):
    return F.one_hot(labels, 10) + smoothing / 10


def _not_divided(labels, smoothing):
    return (1 - smoothing) * F.one_hot(labels, 10) + smoothing


def _one_label(labels, smoothing):
    return (1 - smoothing) * F.one_hot(labels[0], 10) + smoothing / 10


def _numpy(labels, smoothing):
    return (1 - smoothing) * np.eye(10)[labels.numpy()] + smoothing / 10


def _every_column(labels, smoothing):
    targets = torch.full((len(labels), 10), smoothing / 10)
    targets[:, labels] += 1 - smoothing
    return targets


def _always_a_tenth(labels, smoothing):
    return 0.9 * F.one_hot(labels, 10) + 0.01


def right_smoothed_targets(labels, smoothing):
    targets = torch.full((len(labels), 10), smoothing / 10, dtype=torch.float64)
    targets[torch.arange(len(labels)), labels] += 1 - smoothing
    return targets


CASES = {
    "times_as_fast": {
        "right": [lambda share, factor: np.float64(1 / (1 + share * (1 / factor - 1)))],
        "stub": lambda share, factor: None,
        "wrong": [
            [_left],
            [_limit],
            [lambda share, factor: factor],
            [lambda share, factor: share * factor],
            [
                lambda share, factor: 1 - share + share * factor,
                lambda share, factor: 1 / (1 - share + share * factor),
            ],
            [lambda share, factor: share + factor],
            [lambda share, factor: round(1 / _left(share, factor), 2)],
            [lambda share, factor: 0 if factor == math.inf else 1 / _left(share, factor)],
            [lambda share, factor: _swapped(share, factor)],
            [lambda share, factor: 1 / _left(share, factor) - 1],
            [_printed],
            [lambda share, factor: f"{1 / _left(share, factor)}"],
            [2.0],
        ],
    },
    "conv2_flops": {
        "right": [2_457_600.0, np.int64(2_457_600), torch.tensor(2_457_600)],
        "stub": None,
        "wrong": [
            [1_228_800],
            [38_400, 19_200],
            [5_529_600, np.int64(2_764_800)],
            [22_118_400],
            [614_400],
            [102_400],
            [76_800],
            [7_372_800.0],
            [4_915_200],
            [3_276_800],
            [32 * 25 * 32 * 64, 819_200],
            [torch.tensor(1_000)],
            ["2,457,600"],
            [torch.tensor([1, 2])],
        ],
    },
    "smoothed_targets": {
        "right": [right_smoothed_targets],
        "stub": lambda labels, smoothing: None,
        "wrong": [
            [_one_hot],
            [_one_hot_float],
            [_others_share],
            [_no_tenth_for_the_right],
            [_lost],
            [_given_twice],
            [_not_divided],
            [_one_label],
            [_numpy],
            [_every_column],
            [_always_a_tenth],
            [lambda labels, smoothing: print(labels)],
            [0.1],
        ],
    },
}
