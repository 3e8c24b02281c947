"""Lesson 10: what must stand in its kernel at the end, and answers to its exercises."""

import math

import numpy as np
import torch
from torch.nn import functional as F

PROBE = """
from mnist_helpers.recipes import LADDER

from dataclasses import asdict

def settings(recipe):
    found = asdict(recipe)
    found["network"] = recipe.network.__name__
    return found

values = {
    "split": [len(labels), len(loaders.validation.dataset)],
    "loading_share": loading_share,
    "profiled": [row.key for row in operations[:12]],
    "rungs": {name: settings(recipe) for name, recipe in recipes.items()},
    "ladder": {name: settings(recipe) for name, recipe in LADDER.items()},
    "results": results,
    "flat": flat_mistakes,
    "written_out": [each.__module__ for each in (Recipe, FastNet, train_recipe, one_cycle, Muon)],
    "early": early,
    "rates": [(rates := one_cycle(0.1, 938)).index(max(rates)), max(rates), rates[0], rates[-1]],
    "flops": [counted(Net()), counted(FastNet()), before, after],
    "is_last": networks["Muon"].conv2.weight.is_contiguous(memory_format=torch.channels_last),
    "resting": [weight.requires_grad for weight in networks["Muon"].conv1.parameters()],
    "smooth": smooth.tolist(),
    "stretch": [[each.min().item(), each.max().item()] for each in found],
    "peak": [peak, ratio],
    "again": train_recipe(replace(fast, images_seen=640), images, labels, seed=3).fc.bias.tolist()
    == train_recipe(replace(fast, images_seen=640), images, labels, seed=3).fc.bias.tolist(),
    "benchmark": BENCHMARK,
    "on_test": on_test,
}
"""


def verify(values):
    assert values["split"] == [50_000, 10_000]
    assert 0.1 < values["loading_share"] < 0.95
    assert any("convolution_backward" in name for name in values["profiled"])
    assert values["written_out"] == ["__main__"] * 5

    # The rungs are the package's, in its order; one attempt that fails stands between them.
    rungs, ladder = values["rungs"], values["ladder"]
    assert [name for name in rungs if name != "SGD, batches of 192"] == [*ladder]
    assert {name: rungs[name] for name in ladder} == ladder

    verify_learning(values)
    # by hand: conv1 57,600, conv2 460,800, conv3 165,888, fc 5,760 multiply-adds
    assert values["flops"] == [2_595_000, 4_025_088, 4_025_088, 2_988_288]
    assert values["rates"][:2] == [233, 0.1]
    assert 0 < values["rates"][2] < 0.001
    assert 0 < values["rates"][3] < 0.0002
    assert values["is_last"]
    assert values["resting"] == [False]
    sure, moderate = values["smooth"]
    assert sure > moderate > 0
    (low, high), (lowest, highest) = values["stretch"]
    assert low < high / 20
    assert 0.1 < lowest < highest < 1.3
    assert min(values["peak"]) > 0
    assert values["again"]
    assert [row[0] for row in values["benchmark"]] == ["as printed", "train_mnist_fast", *ladder]
    for _, seconds, mistakes, deviation in values["benchmark"]:
        assert seconds > 0
        assert 50 < mistakes < 400
        assert 0 <= deviation < 100


def verify_learning(values):
    """Mistakes among 10,000 of one seed: wide bands, since neighbouring rungs cannot be told apart."""
    mistakes = {name: found for name, (_, found) in values["results"].items()}
    assert mistakes.pop("from memory") is None
    bands = {"one cycle": (150, 450), "SGD, batches of 192": (60, 400), "bfloat16": (60, 300)}
    for name, found in mistakes.items():
        low, high = bands.get(name, (60, 220))
        assert low < found < high, (name, found)
    assert all(seconds > 0 for seconds, _ in values["results"].values())
    assert values["flat"] > mistakes["one cycle"]
    early = values["early"]
    assert min(early["with the norm, rate 0.1"], early["with the norm, rate 0.4"]) > 0.95
    assert early["without, rate 0.4"] < 0.9
    assert 0.985 <= values["on_test"] < 0.995
    assert abs(1 - values["on_test"] - mistakes["Muon"] / 10_000) < 0.008


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
