"""Lesson 1: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

from mnist_helpers import load_mnist
from mnist_helpers.data import MNIST_MEAN, MNIST_STD

PROBE = """
values = {
    "shapes": [list(part.shape) for digits in (train, test) for part in digits],
    "dtypes": [str(part.dtype) for digits in (train, test) for part in digits],
    "counts": [train_counts.tolist(), test_counts.tolist()],
    "score": list(score.values()),
    "first six": answers[:6].tolist(),
    "mistakes": mistakes,
    "weights": weights,
    "hundred": [list(hundred.shape), hundred.dtype == torch.uint8],
    "means": [list(means.shape), means.min().item(), means.max().item(), means.mean().item() / 255],
    "normalising": [mean, std, scaled.min().item(), scaled.max().item()],
    "undo": torch.equal(solution_undo(normalise(test.images)), test.images),
    "batch": [list(images.shape), list(fast_images.shape)],
    "same": [(images - fast_images).abs().max().item(), torch.equal(labels, fast_labels)],
    "seconds": [seconds[name] for name in ("ordinary", "from memory", "network", "neighbour")],
    "pair": list(solution_pair),
    "neighbours": (train.labels[nearest] == their_labels[shown]).tolist(),
    "lost": list(lost.values()),  # moved by 6 pixels
}
"""


def verify(values):
    assert values["shapes"] == [[60000, 28, 28], [60000], [10000, 28, 28], [10000]]
    assert values["dtypes"] == ["torch.uint8", "torch.int64"] * 2
    train_counts, test_counts = values["counts"]
    assert train_counts == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test_counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert values["hundred"] == [[100, 28, 28], True]
    verify_readers(values)
    verify_normalising(values)


def verify_readers(values):
    assert values["first six"] == [7, 2, 1, 0, 4, 1]
    assert 400 < values["mistakes"] < 850
    assert values["weights"] == 21_840
    always, mean, network, neighbour = values["score"]
    assert always == 8865
    assert 1750 < mean < 1850
    assert neighbour == 320
    assert neighbour < network < 1000
    shape, low, high, average = values["means"]
    assert shape == [10, 28, 28]
    assert low >= 0
    assert 200 < high < 255
    assert 0.12 < average < 0.14
    assert values["pair"] == [5, 3]
    assert values["neighbours"] == [True] * 4 + [False] * 4
    assert min(values["lost"]) > 7000


def verify_normalising(values):
    mean, std, low, high = values["normalising"]
    assert [round(mean, 4), round(std, 4)] == [0.1307, 0.3081]
    assert abs(low + 0.4242) < 1e-3
    assert abs(high - 2.8215) < 1e-3
    assert values["undo"]
    assert values["batch"] == [[1000, 1, 28, 28], [1000, 1, 28, 28]]
    difference, labels_agree = values["same"]
    assert difference < 1e-5
    assert labels_agree
    slow, fast, network, neighbour = values["seconds"]
    assert 0 < fast < slow
    assert 0 < network < neighbour


def images_of(digit):
    train, _ = load_mnist()
    return train.images[train.labels == digit].float()


def mean_of_the_test_set(digit):
    _, test = load_mnist()
    return test.images[test.labels == digit].float().mean(dim=0)


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


def right_undo(normalised):
    pixels = (normalised.numpy() * 0.3081 + 0.1307) * 255
    return np.rint(pixels).astype(np.uint8)


CASES = {
    "share_of_zeros": {
        "right": [0.8088, 0.809, [0.8088], np.float32(0.8088)],
        "stub": None,
        "wrong": [
            [0.1912],
            [torch.tensor(80.88)],
            [38_045_844],
            [618 / 784],
            [0.8072],
            [0.8, 0.81, [0.8]],
            [38_045_844 // 47_040_000],
            [torch.full((60_000,), 0.8)],
            [0.5],
            ["0.8088"],
            [float("nan")],
        ],
    },
    "mean_image": {
        "right": [lambda digit: images_of(digit).double().mean(dim=0).numpy()],
        "stub": lambda digit: None,
        "wrong": [
            [lambda digit: images_of(digit).mean(), lambda digit: images_of(digit).mean(dim=(1, 2))],
            [lambda digit: images_of(digit).sum(dim=0)],
            [lambda digit: load_mnist()[0].images.float().mean(dim=0)],
            [lambda digit: images_of(digit + 1).mean(dim=0), lambda digit: images_of(3).mean(dim=0).numpy()],
            [lambda digit: images_of(digit).mean(dim=0).to(torch.uint8)],
            [lambda digit: images_of(digit).mean(dim=0) / 255],
            [
                lambda digit: images_of(digit).mean(dim=0).flatten(),
                lambda digit: images_of(digit).mean(dim=0, keepdim=True),
            ],
            [lambda digit: images_of(digit).sum(dim=0) / 60_000],
            [mean_of_the_test_set],
            [lambda digit: images_of(digit)[0]],
        ],
    },
    "undo": {
        "right": [right_undo],
        "stub": returns_none,
        "wrong": [
            [truncates],
            [wrong_order],
            [stays_float],
            [forgets_255],
            [does_nothing],
            [flattens],
            [torch.zeros(64, 28, 28)],
        ],
    },
    "most_common_mistake": {
        "right": [[5, 3], torch.tensor([5, 3]), np.array([5, 3])],
        "stub": None,
        "wrong": [
            [(3, 5)],
            [(4, 9)],
            [(8, 3)],
            [((5, 3), 118)],
            [[((5, 3), 118)], 5],
            [torch.tensor([1, 1])],
            [(53, 1)],
        ],
    },
}
