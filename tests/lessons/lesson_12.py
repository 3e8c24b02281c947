"""Lesson 12: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
values = {
    "sheets": list(sheets.shape),
    "digits": torch.bincount(digits).tolist(),
    "table": list(table.values()),
    "shares": list(shares.values()),
    "mnist": mnist,
    "difference": difference.mean().item(),
    "off": off.abs().max().item(),
    "augmented": [anywhere(batch).shape == batch.shape, anywhere(batch).min().item(), BLACK],
    "signs": names,
    "threshold": threshold,
    "kept": hits[kept].double().mean().item(),
    "page": path.stat().st_size,
    "training": [network.training, robust.training],
}
"""


def verify(values):
    assert values["sheets"] == [200, 280, 280]
    assert values["digits"] == [20] * 10
    as_they_are, middle, size, pen, both = values["table"]
    assert 0.3 < as_they_are < 0.65
    assert as_they_are + 0.2 < middle < both
    assert as_they_are < size < middle - 0.1
    assert abs(pen - as_they_are) < 0.12
    assert both > 0.85
    (plain, moved), *_, (plain_in_form, moved_in_form) = values["shares"]
    assert [plain, plain_in_form] == [as_they_are, both]
    assert moved > plain + 0.1
    assert moved_in_form > 0.85
    assert all(0.965 < accuracy < 0.99 for accuracy in values["mnist"])
    assert values["difference"] < 3
    assert values["off"] < 0.6
    same_shape, least, black = values["augmented"]
    assert same_shape
    assert abs(least - black) < 1e-4
    assert len(values["signs"]) == 7
    assert 0.3 < values["threshold"] < 1
    assert values["kept"] >= 0.99
    assert values["page"] < 250_000
    assert values["training"] == [False, False]


def _way(image, middle=14, weigh=lambda image: image.double()):
    ink = weigh(image)
    row = (ink.sum(dim=1) * torch.arange(28)).sum() / ink.sum()
    column = (ink.sum(dim=0) * torch.arange(28)).sum() / ink.sum()
    return middle - row, middle - column


def _box(image):
    lit = image.nonzero().double()
    return tuple(14 - (lit.min(dim=0).values + lit.max(dim=0).values) / 2)


def _right_way(image):
    rows, columns = np.nonzero(image.numpy())
    weights = image.numpy()[rows, columns]
    return [14 - np.average(rows, weights=weights), 14 - np.average(columns, weights=weights)]


def _right_threshold(confidence, hits, wanted):
    return torch.stack(
        [level for level in confidence if hits[confidence >= level].float().mean() >= wanted]
    ).min()


def _largest(confidence, hits, wanted):
    return max(level for level in confidence.tolist() if hits[confidence >= level].double().mean() >= wanted)


def _without_equal(confidence, hits, wanted):
    return min(level for level in confidence.tolist() if hits[confidence > level].double().mean() >= wanted)


CASES = {
    "way_to_the_middle": {
        "right": [_right_way],
        "stub": lambda image: None,
        "wrong": [
            [lambda image: _way(image)[::-1]],
            [lambda image: tuple(-part for part in _way(image))],
            [lambda image: tuple(14 - part for part in _way(image))],
            [lambda image: _way(image, middle=13.5)],
            [lambda image: _way(image, weigh=lambda image: (image > 0).double())],
            [_box],
            [lambda image: (1.0, 2.0), lambda image: torch.tensor([3.0, 0.0])],
            [lambda image: 5.0],
            [lambda image: ("1", "2")],
            [(1.0, 2.0)],
        ],
    },
    "accuracy_elsewhere": {
        "right": [lambda accuracies, counts: np.average(accuracies, weights=counts)],
        "stub": lambda accuracies, counts: None,
        "wrong": [
            [lambda accuracies, counts: accuracies.mean()],
            [lambda accuracies, counts: (accuracies * counts).sum()],
            [lambda accuracies, counts: 100 * (accuracies * counts).sum() / counts.sum()],
            [lambda accuracies, counts: (accuracies * counts).mean()],
            [lambda accuracies, counts: 0.5, lambda accuracies, counts: accuracies.max()],
            [lambda accuracies, counts: accuracies * counts],
            [0.97],
        ],
    },
    "least_threshold": {
        "right": [_right_threshold],
        "stub": lambda confidence, hits, wanted: None,
        "wrong": [
            [_largest],
            [lambda confidence, hits, wanted: wanted],
            [_without_equal],
            [lambda confidence, hits, wanted: confidence.min()],
            [lambda confidence, hits, wanted: 0.55, lambda confidence, hits, wanted: confidence.mean()],
            [lambda confidence, hits, wanted: confidence],
            [0.7],
        ],
    },
}
