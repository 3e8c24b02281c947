"""Answers that students give to the exercises of lesson 10."""

import math

import numpy as np
import torch
from torch.nn import functional as F


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


CASES = {
    "times_as_fast": {
        "stub": lambda share, factor: None,
        "wrong": [
            (_left, "the time which is left"),
            (_limit, "that is the limit"),
            (lambda share, factor: factor, "if everything became faster"),
            (lambda share, factor: share * factor, "divided by the factor"),
            (lambda share, factor: 1 - share + share * factor, "not more: divide"),
            (lambda share, factor: 1 / (1 - share + share * factor), "not more: divide"),
            (lambda share, factor: share + factor, "add the time of both parts"),
            (lambda share, factor: round(1 / _left(share, factor), 2), "without rounding"),
            (lambda share, factor: 0 if factor == math.inf else 1 / _left(share, factor), "made inf times"),
            (lambda share, factor: _swapped(share, factor), "is the one that becomes faster"),
            (lambda share, factor: 1 / _left(share, factor) - 1, "should be the answer 2"),
            (_printed, "hand the answer back with return"),
            (lambda share, factor: f"{1 / _left(share, factor)}", "it returned str"),
            (2.0, "TypeError"),
        ],
    },
    "conv2_flops": {
        "stub": None,
        "wrong": [
            (1_228_800, "those are the multiply-adds"),
            (38_400, "every place of the output"),
            (19_200, "every place of the output"),
            (5_529_600, "places of the input"),
            (np.int64(2_764_800), "places of the input"),
            (22_118_400, "before the pooling"),
            (614_400, "what the pooling leaves"),
            (102_400, "a kernel is a block"),
            (76_800, "one map of the output"),
            (7_372_800.0, "the forward pass alone"),
            (4_915_200, "twice too much"),
            (3_276_800, "32 maps go out"),
            (32 * 25 * 32 * 64, "24 maps come in, and each"),
            (819_200, "24 maps come in, and each"),
            (torch.tensor(1_000), "1,000 is not it"),
            ("2,457,600", "this is str"),
            (torch.tensor([1, 2]), "a number is asked for"),
        ],
    },
    "smoothed_targets": {
        "stub": lambda labels, smoothing: None,
        "wrong": [
            (_one_hot, "whole numbers have no room"),
            (_one_hot_float, "nothing is smoothed"),
            (_others_share, "the right one too"),
            (_no_tenth_for_the_right, "should add up to 1"),
            (_lost, "given to nobody"),
            (_given_twice, "taken from the right one"),
            (_not_divided, "divided among ten"),
            (_one_label, "the shape (10,)"),
            (_numpy, "it returned ndarray"),
            (_every_column, "each row has one right class"),
            (_always_a_tenth, "with smoothing 0.0, class 0 of label 3 should be 0, and is 0.01"),
            (lambda labels, smoothing: print(labels), "hand the answer back with return"),
            (0.1, "TypeError"),
        ],
    },
}
