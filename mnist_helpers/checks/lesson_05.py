"""The checks of lesson 5, predictions."""

import contextlib
import io

import torch

from .vocabulary import Wrong, call, check, compare, near, pair, tensor


@check(right="Columns for precision, rows for recall: what was said, and what was there.")
def precision(function):
    """``function(matrix)`` returns the ten precisions of a matrix of counts (10, 10), rows true digits."""
    dice = torch.Generator().manual_seed(5)
    matrix = torch.randint(1, 30, (10, 10), generator=dice) + torch.diag(torch.arange(700, 900, 20))
    values = tensor(_ask(function, matrix))
    if values.shape != (10,):
        return f"it returned the shape {tuple(values.shape)}, where ten precisions are asked for, (10,)."
    if values.max() > 1:
        return f"the largest value is {values.max():g}, and a precision is a share, between 0 and 1."
    hits, predicted = matrix.diagonal().double(), matrix.sum(dim=0)
    hints = {
        hits / matrix.sum(dim=1): "this is the recall: it divides by how often the digit is there.",
        hits / matrix.sum(): "it divides by the number of all images; take those with one prediction.",
    }
    otherwise = f"for {int(hits[0])} hits of digit 0 in {predicted[0]} predictions it gives {values[0]:.3f}."
    if _is_rounded(values, hits / predicted):
        otherwise = "these are rounded; return the numbers as they are."
    return compare(values, hits / predicted, hints, otherwise, within=1e-4)


@check(right="With k = 1 it is the accuracy, with k = 10 it is 1, and it can only rise in between.")
def top_k(function):
    """``function(logits, labels, k)`` returns the share of labels among the k largest logits."""
    logits, labels = _ranked()
    for k in (1, 2, 5, 10):
        answer = _ask(function, logits, labels, k)
        if torch.as_tensor(answer).numel() != 1:
            return f"it returned {torch.as_tensor(answer).numel()} values; the share is their mean."
        share, right = float(answer), _top_k_share(logits, labels, k)
        if not near(share, right):
            same = _same_for_every_k(function, share, logits, labels)
            return f"for k = {k} it gives {share:g}; {_explain_top_k(share, right, logits, labels, k, same)}"
    return None


def _same_for_every_k(function, share, logits, labels) -> bool:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return all(float(call(function, logits, labels, k)) == share for k in (1, 2, 5, 10))
    except (RuntimeError, TypeError, ValueError):  # it runs for some k only, so it uses k
        return False


def _explain_top_k(share, right, logits, labels, k, same) -> str:
    """Why ``share`` is not ``right``; ``same`` says whether it was the same for every k."""
    hints = {
        100 * right: "that is a percentage; a share lies between 0 and 1.",
        0: "with k = 1 it is right: does it ask that all the choices are the label? One is enough.",
    }
    if same:
        hints[1] = "so it is for every k: without a dim, any() asks one question of all images together."
        for other in range(1, 10):
            hints[_top_k_share(logits, labels, other)] = "that is right for another k. Is the argument used?"
    place = (logits.argsort(dim=1, descending=True)[:, k - 1] == labels).double().mean()
    hints |= {
        _top_k_share(-logits, labels, k): "that counts labels among the smallest logits.",
        place: f"that counts labels in place {k} alone; the places before it count as well.",
        right / k: f"that divides by all {k} choices of every image; divide by the number of images.",
    }
    if k == 1:  # (N, 1) against (N,)
        hints[0] = "no label is found. topk has values and their places; which of the two are digits?"
        everybody = (logits.argmax(dim=1).unsqueeze(1) == labels).any(dim=1).double().mean()
        hints[everybody] = "each image is compared with the labels of all; a column of labels is (N, 1)."
    otherwise = "try it on three images of which you know the answer. What is the shape of the comparison?"
    if share > 1:
        otherwise = "a share is between 0 and 1: divide the count by the number of images."
    return compare(share, right, hints, otherwise)


def _ranked() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (40, 10) and labels (40,), of which 16 are in first place, 8 in second, and so on downwards."""
    dice = torch.Generator().manual_seed(5)
    logits = torch.stack([torch.randperm(10, generator=dice) for _ in range(40)]).double() - 4.5
    place = torch.tensor([0] * 16 + [1] * 8 + [2] * 5 + [3] * 4 + [4] * 3 + [6, 7, 8, 9])
    order = logits.argsort(dim=1, descending=True)
    return logits, order.gather(1, place.unsqueeze(1)).squeeze(1)


def _top_k_share(logits, labels, k) -> float:
    larger = (logits > logits.gather(1, labels.unsqueeze(1))).sum(dim=1)  # logits above the label's, (N,)
    return (larger < k).double().mean().item()


@check(right="The higher the threshold, the fewer answers; if confidence means anything, more are right.")
def answer_or_pass(function):
    """``function(confidence, hits, threshold)`` returns (share answered, accuracy among the answered)."""
    # Halves and quarters, because they are exact as floats: 0.75 is at least 0.75 on every machine.
    confidence = torch.tensor([1.0, 0.875, 0.75, 0.75, 0.625, 0.5, 0.5, 0.375, 0.25, 0.25])
    hits = torch.tensor([1, 1, 0, 1, 1, 0, 1, 0, 0, 0], dtype=torch.bool)
    for threshold in (0.75, 0.5):
        answer = _ask(function, confidence, hits, threshold)
        answer = pair(answer, f"it returned {type(answer).__name__}, where two numbers are asked for.")
        if any(torch.as_tensor(part).numel() != 1 for part in answer):
            return "it returned one value per image; two numbers are asked for, the mean of each."
        if reason := _explain_coverage(*map(float, answer), confidence, hits, threshold):
            return reason
    return None


def _explain_coverage(coverage, accuracy, confidence, hits, threshold) -> str | None:
    answered, above = confidence >= threshold, confidence > threshold
    right = tensor(answered).mean(), tensor(hits[answered]).mean()
    if near((coverage, accuracy), right[::-1], 1e-4):
        return "the two numbers are the right ones in the other order: the coverage first."
    if coverage > 1 or accuracy > 1:
        return "one of the numbers is above 1; both are shares."
    if near(coverage, tensor(above).mean(), 1e-4):
        return f"a confidence of exactly {threshold} is at least {threshold}, and was not answered."
    if not near(coverage, right[0], 1e-4):
        return f"at threshold {threshold} {answered.sum()} of 10 are answered; it says {coverage:.2f}."
    hints = {
        tensor(hits).mean(): "the accuracy is that of all images; take the answered ones alone.",
        tensor(hits & answered).mean(): "the hits are divided by the number of all images, not the answered.",
    }
    count = f"{hits[answered].sum()} of {answered.sum()}"
    otherwise = f"at threshold {threshold} {count} answers are hits; it says {accuracy:.2f}."
    if _is_rounded(accuracy, right[1]):
        otherwise = "the accuracy is rounded; return the number as it is."
    return compare(accuracy, right[1], hints, otherwise, within=1e-4)


def _ask(function, *arguments):
    """Call the function; raise Wrong where the error is a slip that has a name."""
    try:
        return call(function, *arguments)
    except RuntimeError as error:
        if "mean()" in str(error) and "Bool" in str(error):
            raise Wrong("True and False have no mean; put .double() before .mean().") from None
        raise


def _is_rounded(values, right) -> bool:
    """Whether ``values`` are ``right`` with one, two or three decimals."""
    return any(near(values, right.round(decimals=places), 1e-4) for places in (1, 2, 3))
