"""Answers to the exercises of lesson 1, as students give them."""

import torch

from mnist_helpers import load_mnist
from mnist_helpers.data import MNIST_MEAN, MNIST_STD


def images_of(digit):
    train, _ = load_mnist()
    return train.images[train.labels == digit].float()


def threes_of_the_test_set():
    _, test = load_mnist()
    return test.images[test.labels == 3].float().mean(dim=0)


def truncates(batch):
    return ((batch * MNIST_STD + MNIST_MEAN) * 255).to(torch.uint8)


def wrong_order(batch):
    return ((batch + MNIST_MEAN) * MNIST_STD * 255).round().clamp(0, 255).to(torch.uint8)


def stays_float(batch):
    return (batch * MNIST_STD + MNIST_MEAN) * 255


def forgets_255(batch):
    return batch * MNIST_STD + MNIST_MEAN


def returns_none(batch):
    return None


def does_nothing(batch):
    return batch


def flattens(batch):
    return stays_float(batch).round().to(torch.uint8).flatten(1)


CASES = {
    "share_of_zeros": {
        "stub": None,
        "wrong": [
            (0.1912, "above 0"),
            (torch.tensor(80.88), "above 1"),
            (38_045_844, "a count"),
            (618 / 784, "first image alone"),
            (0.8072, "the test set"),
            (0.8, "three decimals"),
            (0.81, "three decimals"),
            ([0.8], "three decimals"),
            (38_045_844 // 47_040_000, "drops the decimals"),
            (torch.full((60_000,), 0.8), "has 60,000 numbers"),
            (0.5, "not it"),
            ("0.8088", "is text"),
            (float("nan"), "not it"),
        ],
    },
    "mean_of_threes": {
        "stub": None,
        "wrong": [
            (images_of(3).mean(), "the shape is ()"),
            (images_of(3).mean(dim=(1, 2)), "the shape is (6131,)"),
            (images_of(3).sum(dim=0), "above 255"),
            (load_mnist()[0].images.float().mean(dim=0), "all 60,000"),
            (images_of(8).mean(dim=0).numpy(), "the digit 8"),
            (images_of(3).mean(dim=0).to(torch.uint8), "decimals lost"),
            (images_of(3).mean(dim=0) / 255, "from 0 to 255"),
            (images_of(3).mean(dim=0).flatten(), "(784,): as many numbers"),
            (images_of(3).mean(dim=0, keepdim=True), "(1, 28, 28): as many numbers"),
            (images_of(3).sum(dim=0) / 60_000, "divided by 60,000"),
            (threes_of_the_test_set(), "of the test set"),
            (images_of(3)[0], "show_digits(answer)"),
        ],
    },
    "undo": {
        "stub": returns_none,
        "wrong": [
            (truncates, "off by 1"),
            (wrong_order, "the last one first"),
            (stays_float, "their dtype is torch.float32"),
            (forgets_255, "go from"),
            (does_nothing, "still normalised"),
            (flattens, "the shape went in"),
            (torch.zeros(64, 28, 28), "TypeError"),
        ],
    },
    "most_common_mistake": {
        "stub": None,
        "wrong": [
            ((3, 5), "the label come first"),
            ((4, 9), "116 times"),
            ((4, 9), "very close"),
            ((8, 3), "more common."),
            (((5, 3), 118), "still contains the count"),
            ([((5, 3), 118)], "a pair"),
            (torch.tensor([1, 1]), "no mistake"),
            (5, "a pair"),
            ((53, 1), "from 0 to 9"),
        ],
    },
}
