"""Lesson 5: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
values = {
    "logits": list(logits.shape),
    "right": int(hits.sum()),
    "matrix": matrix.tolist(),
    "labels": torch.bincount(labels, minlength=10).tolist(),
    "recall": recall.tolist(),
    "precision": trusted.tolist(),
    "thousands": hits.double().view(10, 1000).mean(dim=1).std().item(),
    "by chance": (p * (1 - p) / 1000) ** 0.5,
    "surest_are_wrong": not bool(hits[surest].any()),
    "surest": confidence[surest].tolist(),
    "calibrated": abs(confidence.mean().item() - p),
    "top": [your_top_k(logits, labels, k) for k in (1, 2, 10)],
    "disputed": [int(label) for label in labels[disputed]],
    "disputed_wrong": int((~hits[disputed]).sum()),
    "coverage": [your_machine(confidence, hits, t) for t in (0.0, 0.9)],
    "without": without,
    "signs": [list(signs.shape), int((sure > 0.9).sum())],
    "moved": list(found.values()),
    "training": network.training,
}
"""


def verify(values):
    assert values["logits"] == [10_000, 10]
    assert 9200 < values["right"] < 9950
    assert not values["training"], "dropout was on"
    matrix = values["matrix"]
    assert [sum(row) for row in matrix] == values["labels"]
    assert sum(matrix[digit][digit] for digit in range(10)) == values["right"]
    for digit in range(10):
        column = sum(row[digit] for row in matrix)
        assert abs(values["recall"][digit] - matrix[digit][digit] / values["labels"][digit]) < 1e-5
        assert abs(values["precision"][digit] - matrix[digit][digit] / column) < 1e-5
    assert values["thousands"] > 1.5 * values["by chance"]
    verify_confidence(values)
    verify_experiments(values)


def verify_confidence(values):
    accuracy = values["right"] / 10_000
    assert values["surest_are_wrong"]
    assert values["surest"] == sorted(values["surest"], reverse=True)
    assert values["surest"][0] > 0.95
    assert values["calibrated"] < 0.06
    one, two, ten = values["top"]
    assert one == accuracy
    assert one + 0.01 < two < ten == 1.0
    (all_covered, all_right), (covered, right) = values["coverage"]
    assert all_covered == 1.0
    assert all_right == accuracy
    assert 0.6 < covered < 0.97
    assert right > accuracy


def verify_experiments(values):
    assert values["disputed"] == [8, 9, 2, 6, 5, 5]
    assert 2 <= values["disputed_wrong"] <= 6
    mistakes = 10_000 - values["right"]
    without = sorted(values["without"])
    assert len(without) == 10
    assert without[4] < 1.5 * mistakes, "most filters should have a stand-in"
    assert without[-1] > 1.15 * mistakes, "some filter should be missed"
    shape, sure = values["signs"]
    assert shape == [8, 28, 28]
    assert sure >= 1
    before, unmoved, after = values["moved"]
    assert before[0] == mistakes
    assert before == sorted(before)
    assert after[4] < min(before[4], unmoved[4]) / 2


def recall(matrix):
    return matrix.diagonal() / matrix.sum(dim=1)


def of_all_images(matrix):
    return matrix.diagonal() / matrix.sum()


def one_number(matrix):
    return matrix.diagonal().sum() / matrix.sum()


def in_percent(matrix):
    return 100 * matrix.diagonal() / matrix.sum(dim=0)


def without_the_hits(matrix):
    return [1 - matrix[d, d] / (matrix[:, d].sum() + matrix[d, d]) for d in range(10)]


def whole_division(matrix):
    return matrix.diagonal() // matrix.sum(dim=0)


def rounded_precisions(matrix):
    return [round(float(matrix[d, d] / matrix[:, d].sum()), 2) for d in range(10)]


def found(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels[:, None]).any(dim=1)


def forgets_k(logits, labels, k):
    return (logits.argmax(dim=1) == labels).double().mean()


def counts(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels.unsqueeze(1)).sum()


def smallest(logits, labels, k):
    return (logits.argsort(dim=1)[:, :k] == labels.unsqueeze(1)).any(dim=1).double().mean()


def last_choice_alone(logits, labels, k):
    return (logits.topk(k, dim=1).indices[:, -1] == labels).double().mean()


def mean_of_all_choices(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels.unsqueeze(1)).double().mean()


def no_column(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels).any(dim=1).double().mean()


def always_two(logits, labels, k):
    return (logits.topk(2, dim=1).indices == labels.unsqueeze(1)).any(dim=1).double().mean()


def compares_values(logits, labels, k):
    return (logits.topk(k, dim=1).values == labels.unsqueeze(1)).any(dim=1).double().mean()


def all_of_them(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels[:, None]).all(dim=1).double().mean()


def any_of_all(logits, labels, k):
    return (logits.topk(k, dim=1).indices == labels[:, None]).any().double().mean()


def top_k_in_percent(logits, labels, k):
    return 100 * found(logits, labels, k).double().mean()


def mean_of_truth(logits, labels, k):
    return found(logits, labels, k).mean()


def top_k_printed(logits, labels, k):
    print(found(logits, labels, k).double().mean())


def above_alone(confidence, hits, threshold):
    answered = confidence > threshold
    return answered.double().mean(), hits[answered].double().mean()


def other_order(confidence, hits, threshold):
    answered = confidence >= threshold
    return hits[answered].double().mean(), answered.double().mean()


def accuracy_of_all(confidence, hits, threshold):
    return (confidence >= threshold).double().mean(), hits.double().mean()


def divides_by_all(confidence, hits, threshold):
    answered = confidence >= threshold
    return answered.double().mean(), (hits & answered).double().mean()


def counts_answers(confidence, hits, threshold):
    answered = confidence >= threshold
    return answered.sum(), hits[answered].sum()


def accuracy_alone(confidence, hits, threshold):
    return hits[confidence >= threshold].double().mean()


def unsure_ones(confidence, hits, threshold):
    answered = confidence < threshold
    return answered.double().mean(), hits[answered].double().mean()


def mean_confidence(confidence, hits, threshold):
    answered = confidence >= threshold
    return [answered.double().mean(), confidence[answered].mean()]


def truth_of_each(confidence, hits, threshold):
    answered = confidence >= threshold
    return answered, hits[answered]


def coverage_of_truth(confidence, hits, threshold):
    answered = confidence >= threshold
    return answered.mean(), hits[answered].double().mean()


def rounded_shares(confidence, hits, threshold):
    answered = confidence >= threshold
    return round(answered.double().mean().item(), 2), round(hits[answered].double().mean().item(), 2)


def printed_shares(confidence, hits, threshold):
    answered = confidence >= threshold
    print(answered.double().mean(), hits[answered].double().mean())


def right_top_k(logits, labels, k):
    above = (logits > logits[torch.arange(len(labels)), labels][:, None]).sum(dim=1)
    return (above < k).float().mean()


def right_answer_or_pass(confidence, hits, threshold):
    answered = [
        hit for sure, hit in zip(confidence.tolist(), hits.tolist(), strict=True) if sure >= threshold
    ]
    return [len(answered) / len(hits), np.mean(answered)]


CASES = {
    "precision": {
        "right": [lambda matrix: [float(matrix[d, d]) / int(matrix[:, d].sum()) for d in range(10)]],
        "stub": lambda matrix: None,
        "wrong": [
            [recall],
            [of_all_images],
            [one_number],
            [in_percent],
            [without_the_hits, whole_division],
            [rounded_precisions],
            [torch.ones(10)],
        ],
    },
    "top_k": {
        "right": [right_top_k],
        "stub": lambda logits, labels, k: None,
        "wrong": [
            [forgets_k, always_two],
            [counts],
            [smallest],
            [last_choice_alone],
            [mean_of_all_choices],
            [no_column],
            [compares_values],
            [any_of_all],
            [all_of_them],
            [top_k_in_percent],
            [found],
            [mean_of_truth],
            [top_k_printed],
        ],
    },
    "answer_or_pass": {
        "right": [right_answer_or_pass],
        "stub": lambda confidence, hits, threshold: None,
        "wrong": [
            [above_alone],
            [other_order],
            [accuracy_of_all],
            [divides_by_all],
            [counts_answers],
            [accuracy_alone],
            [unsure_ones],
            [mean_confidence],
            [truth_of_each],
            [coverage_of_truth],
            [rounded_shares],
            [printed_shares],
        ],
    },
}
