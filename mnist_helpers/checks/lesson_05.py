"""The checks of lesson 5, predictions."""

import io
from contextlib import redirect_stdout

import torch

from .vocabulary import Wrong, call, check, near, pair, tensor


@check(right="Columns for precision, rows for recall: what was said, and what was there.")
def precision(function):
    """``function(matrix)`` returns the ten precisions of a matrix of counts (10, 10), rows true digits."""
    dice = torch.Generator().manual_seed(5)
    matrix = torch.randint(1, 30, (10, 10), generator=dice) + torch.diag(torch.arange(700, 900, 20))
    answer = _ask(function, matrix.clone())
    values = tensor(answer)
    hits = matrix.diagonal().double()
    if tuple(values.shape) != (10,):
        return f"it returned the shape {tuple(values.shape)}, where ten precisions are asked for, (10,)."
    if values.max() > 1:
        return f"the largest value is {values.max():g}, and a precision is a share, between 0 and 1."
    if near(values, hits / matrix.sum(dim=1)):
        return "this is the recall: it divides by how often the digit is there. How often was it predicted?"
    if near(values, hits / matrix.sum()):
        return "it divides by the number of all images; a precision takes only those with one prediction."
    if _is_rounded(values, hits / matrix.sum(dim=0)):
        return "these are rounded; return the numbers as they are."
    if not near(values, hits / matrix.sum(dim=0)):
        return (
            f"for {int(hits[0])} hits of digit 0 among {int(matrix[:, 0].sum())} predictions of it "
            f"the function gives {values[0]:.3f}."
        )
    return None


@check(right="With k = 1 it is the accuracy, with k = 10 it is 1, and it can only rise in between.")
def top_k(function):
    """``function(logits, labels, k)`` returns the share of labels among the k largest logits."""
    logits, labels = _ranked()
    for k in (1, 2, 5, 10):
        answer = _ask(function, logits.clone(), labels.clone(), k)
        if torch.as_tensor(answer).numel() != 1:
            return f"it returned {torch.as_tensor(answer).numel()} values; the share is their mean."
        share = float(answer)
        if abs(share - _top_k_share(logits, labels, k)) > 1e-6:
            same = _same_for_every_k(function, share, logits, labels)
            return f"for k = {k} it gives {share:g}; {_explain_top_k(share, logits, labels, k, same=same)}"
    return None


def _same_for_every_k(function, share, logits, labels) -> bool:
    try:
        with redirect_stdout(io.StringIO()):
            return all(float(function(logits.clone(), labels.clone(), k)) == share for k in (1, 2, 5, 10))
    except (RuntimeError, TypeError, ValueError):  # it runs for some k only, so it uses k
        return False


def _explain_top_k(share, logits, labels, k, *, same) -> str:
    """Why ``share`` is not the top-k accuracy; ``same`` says whether it was the same for every k."""
    right = _top_k_share(logits, labels, k)
    if share > 1 and abs(share - 100 * right) < 1e-3:
        return "that is a percentage; a share lies between 0 and 1."
    if share > 1:
        return "a share is between 0 and 1: divide the count by the number of images."
    if share == 0:
        return "no label is found. topk has values and their places; which of the two are digits?"
    if same and share == 1:
        return "so it is for every k: without a dim, any() asks one question of all images together."
    if same and any(abs(share - _top_k_share(logits, labels, other)) < 1e-6 for other in range(1, 10)):
        return "that is right for another k. Does the function use its argument?"
    if abs(share - _top_k_share(-logits, labels, k)) < 1e-6:
        return "that counts labels among the smallest logits."
    place = (logits.argsort(dim=1, descending=True)[:, k - 1] == labels).double().mean()
    if abs(share - place) < 1e-6:
        return f"that counts labels in place {k} alone; the places before it count as well."
    if abs(share * k - right) < 1e-6:
        return f"that divides by all {k} choices of every image; divide by the number of images."
    # (N, 1) against (N,)
    everybody = (logits.argmax(dim=1).unsqueeze(1) == labels).any(dim=1).double().mean()
    if k == 1 and abs(share - everybody) < 1e-6:
        return "each image is compared with the labels of all; a column of labels has the shape (N, 1)."
    return "try it on three images of which you know the answer. What is the shape of the comparison?"


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
        answer = _ask(function, confidence.clone(), hits.clone(), threshold)
        answer = pair(answer, f"it returned {type(answer).__name__}, where two numbers are asked for.")
        if any(torch.as_tensor(part).numel() != 1 for part in answer):
            return "it returned one value per image; two numbers are asked for, the mean of each."
        problem = _explain_coverage(*(float(number) for number in answer), confidence, hits, threshold)
        if problem:
            return problem
    return None


def _explain_coverage(coverage, accuracy, confidence, hits, threshold) -> str | None:
    def share(values):
        return values.double().mean().item()

    answered, above = confidence >= threshold, confidence > threshold
    right = (share(answered), share(hits[answered]))
    if near(coverage, right[0]) and near(accuracy, right[1]):
        return None
    if near(coverage, right[1]) and near(accuracy, right[0]):
        return "the two numbers are the right ones in the other order: the coverage first."
    if coverage > 1 or accuracy > 1:
        return "one of the numbers is above 1; both are shares."
    if near(coverage, share(above)):
        return f"a confidence of exactly {threshold} is at least {threshold}, and was not answered."
    if not near(coverage, right[0]):
        return f"at threshold {threshold} {int(answered.sum())} of 10 are answered; it says {coverage:.2f}."
    if near(accuracy, share(hits)):
        return "the accuracy is that of all images; take the answered ones alone."
    if near(accuracy, share(hits & answered)):
        return "the hits are divided by the number of all images; divide by the number of answered ones."
    if _is_rounded(torch.tensor(accuracy).double(), torch.tensor(right[1]).double()):
        return "the accuracy is rounded; return the number as it is."
    return (
        f"at threshold {threshold} {int(hits[answered].sum())} of {int(answered.sum())} answers are hits; "
        f"it says {accuracy:.2f}."
    )


def _ask(function, *arguments):
    """Call the function; raise Wrong where the error is a slip that has a name."""
    try:
        return call(function, *arguments)
    except RuntimeError as error:
        if "mean()" in str(error) and "Bool" in str(error):
            raise Wrong("True and False have no mean; put .double() before .mean().") from None
        raise


def _is_rounded(values, right) -> bool:
    """Whether ``values`` are ``right`` with one, two or three decimals, and not ``right`` itself."""
    rounded = any(near(values, right.round(decimals=places)) for places in (1, 2, 3))
    return rounded and not near(values, right)
