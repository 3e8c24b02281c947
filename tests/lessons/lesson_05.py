"""Lesson 5: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
import json

values = {
    "logits": list(logits.shape),
    "accuracy": accuracy,
    "right": int(hits.sum()),
    "matrix": matrix.tolist(),
    "by_hand": by_hand.tolist(),
    "labels": torch.bincount(labels, minlength=10).tolist(),
    "recall": recall.tolist(),
    "precision": solution_precision(matrix).tolist(),
    "standard_error": standard_error(0.97, 10_000),
    "formula": standard_error(accuracy, 1000),
    "shuffled": sum(shuffled) / len(shuffled),
    "in_file": scatter(hits),
    "baseline_right": int(baseline_hits.sum()),
    "gained": int(gained),
    "lost": int(lost),
    "surest_are_wrong": not bool(hits[surest].any()),
    "surest": confidence[surest].tolist(),
    "unsure_are_right": bool(hits[unsure].all()),
    "unsure": confidence[unsure].tolist(),
    "top": [solution_top_k(logits, labels, k) for k in (1, 2, 10)],
    "disputed": [int(label) for label in labels[disputed]],
    "votes": votes,
    "others": others,
    "disputed_wrong": wrong,
    "counts": counts.tolist(),
    "gaps": gaps.tolist(),
    "ece": ece,
    "parts": parts.tolist(),
    "drawn": len(x),
    "coverage": [solution_answer_or_pass(confidence, hits, t) for t in (0.0, 0.9)],
    "axes": [top.get_ylabel(), bottom.get_xlabel(), bottom.get_ylabel()],
    "favourites": list(favourites.shape),
    "start": start.abs().max().item(),
    "lead": lead.tolist(),
    "reached": reached.tolist(),
    "maps": list(maps.shape),
    "training": network.training,
}
"""


def verify(values):
    assert values["logits"] == [10_000, 10]
    assert 0.92 < values["accuracy"] < 0.995
    assert values["right"] == round(values["accuracy"] * 10_000)
    assert not values["training"], "dropout was on"
    check_confusion(values)
    check_baseline(values)
    check_calibration(values)
    check_filters(values)


def check_confusion(values):
    matrix = values["matrix"]
    assert matrix == values["by_hand"]
    assert [sum(row) for row in matrix] == values["labels"]
    assert sum(matrix[digit][digit] for digit in range(10)) == values["right"]
    for digit in range(10):
        column = sum(row[digit] for row in matrix)
        assert abs(values["recall"][digit] - matrix[digit][digit] / values["labels"][digit]) < 1e-5
        assert abs(values["precision"][digit] - matrix[digit][digit] / column) < 1e-5
        assert values["recall"][digit] > 0.8


def check_baseline(values):
    assert abs(values["standard_error"] - 0.0017) < 0.0001
    assert 0.7 < values["shuffled"] / values["formula"] < 1.3
    assert values["in_file"] > 1.5 * values["formula"], "the file was expected to be harder in some places"
    assert abs(values["baseline_right"] - 8203) <= 5
    assert values["right"] == values["baseline_right"] + values["gained"] - values["lost"]
    assert values["gained"] > 1000 > 200 > values["lost"]


def check_calibration(values):
    assert values["surest_are_wrong"]
    assert values["unsure_are_right"]
    assert values["surest"] == sorted(values["surest"], reverse=True)
    assert values["unsure"] == sorted(values["unsure"])
    assert values["surest"][0] > 0.95 > 0.5 > values["unsure"][0] > 0.1
    one, two, ten = values["top"]
    assert one == values["accuracy"]
    assert one + 0.01 < two < ten == 1.0
    assert values["disputed"] == [8, 0, 9, 4, 2, 5, 6, 6, 5, 5, 0, 1, 4, 6, 5]
    assert len(values["votes"]) == 15
    assert max(values["votes"]) == 2
    assert all(sum(pair) <= 5 for pair in zip(values["votes"], values["others"], strict=True))
    assert 7 <= values["disputed_wrong"] <= 15
    assert sum(values["counts"]) == 10_000
    assert values["counts"][9] > 6000
    weighted = [abs(gap) * count for gap, count in zip(values["gaps"], values["counts"], strict=True)]
    assert abs(values["ece"] - sum(weighted) / 10_000) < 1e-9
    assert 0 < values["ece"] < 0.06
    assert abs(sum(values["parts"]) - values["ece"]) < 1e-9
    assert values["drawn"] == sum(count >= 10 for count in values["counts"])
    assert all(0 <= lead < 50 for lead in values["lead"])
    assert values["axes"] == ["share of hits", "confidence", "images"]
    (all_covered, all_right), (covered, right) = values["coverage"]
    assert all_covered == 1.0
    assert all_right == values["accuracy"]
    assert 0.6 < covered < 0.97
    assert right > values["accuracy"]


def check_filters(values):
    assert values["favourites"] == [5, 10]
    assert values["maps"] == [10, 24, 24]
    assert 0.15 < values["start"] <= 0.2, "the network before training, as in lesson 2"
    assert len(values["reached"]) == 10
    assert all(0.2 < share <= 1.0001 for share in values["reached"]), values["reached"]


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
