"""Answers to the exercises of lesson 5, as students give them."""

import torch


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


CASES = {
    "precision": {
        "stub": lambda matrix: None,
        "wrong": [
            (recall, "this is the recall"),
            (of_all_images, "all images"),
            (one_number, "the shape ()"),
            (in_percent, "between 0 and 1"),
            (without_the_hits, "hits of digit 0"),
            (whole_division, "hits of digit 0"),
            (rounded_precisions, "rounded"),
            (torch.ones(10), "TypeError"),
        ],
    },
    "top_k": {
        "stub": lambda logits, labels, k: None,
        "wrong": [
            (forgets_k, "for k = 2 it gives 0.4"),
            (counts, "divide the count"),
            (smallest, "smallest logits"),
            (last_choice_alone, "place 2 alone"),
            (mean_of_all_choices, "all 2 choices"),
            (always_two, "for k = 1 it gives 0.6; that is right for another k"),
            (no_column, "the labels of all"),
            (compares_values, "which of the two are digits"),
            (any_of_all, "one question of all images"),
            (top_k_in_percent, "for k = 1 it gives 40; that is a percentage"),
            (found, "40 values; the share is their mean"),
            (mean_of_truth, "put .double() before .mean()"),
            (top_k_printed, "prints and returns nothing"),
        ],
    },
    "answer_or_pass": {
        "stub": lambda confidence, hits, threshold: None,
        "wrong": [
            (above_alone, "exactly 0.75"),
            (other_order, "other order"),
            (accuracy_of_all, "that of all images"),
            (divides_by_all, "number of all images"),
            (counts_answers, "above 1"),
            (accuracy_alone, "two numbers"),
            (unsure_ones, "4 of 10 are answered"),
            (mean_confidence, "3 of 4 answers are hits"),
            (truth_of_each, "one value per image"),
            (coverage_of_truth, "put .double() before .mean()"),
            (rounded_shares, "accuracy is rounded"),
            (printed_shares, "prints and returns nothing"),
        ],
    },
}
