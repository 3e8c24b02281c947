"""The checks of lesson 10, faster training."""

import math

import torch
from torch.nn import functional as F

from .vocabulary import call, check, compare, near, number, wrong_kind


@check(
    right="What is left as it was sets the limit: with a share of one half, never more than twice as fast."
)
def times_as_fast(function):
    """``function(share, factor)`` is Amdahl's law: 1 / ((1 - share) + share / factor)."""
    for share, factor in [(0.25, 4), (0.5, 2), (0.9, 10), (0.5, math.inf), (0.0, 8), (1.0, 3), (0.6, 1)]:
        answer = call(function, share, factor)
        value = number(answer)
        if value is None:
            return wrong_kind(answer, "a number")
        left, slower = 1 - share + share / factor, 1 - share + share * factor
        hints = {
            left: "that is the time which is left, as a share of the old one; how many times does it fit?",
            1 / (1 - share or 1): "that is the limit, as if the part took no time at all.",
            factor: "that would be the gain if everything became faster.",
            share * factor: "the time of the part is divided by the factor; the other part stays.",
            slower: "a part that becomes faster takes less time, not more: divide.",
            1 / slower: "a part that becomes faster takes less time, not more: divide.",
            1 / (share + (1 - share) / factor): "the part of this share is the one that becomes faster.",
            1 / left - 1: "twice as fast should be the answer 2: the old time divided by the new one.",
        }
        otherwise = "add the time of both parts, the old one being 1, and divide the old time by the new one."
        if near(value, 1 / left, 0.05):
            otherwise = "that is near; hand the number back as it is, without rounding."
        if hint := compare(value, 1 / left, hints, otherwise):
            return f"for {share:.0%} made {factor} times as fast it returned {value:.3g}; {hint}"
    return None


@check(right="Each row adds up to 1, as probabilities should, and the right class still has by far the most.")
def smoothed_targets(function):
    """``function(labels, smoothing)`` is float (B, 10): 1 - smoothing on the label, plus smoothing / 10."""
    labels = torch.tensor([3, 0, 8, 3])  # without a 9, which would tell one_hot that there are ten
    for smoothing in (0.1, 0.0, 0.5):
        answer = call(function, labels, smoothing)
        if not isinstance(answer, torch.Tensor):
            return wrong_kind(answer, "a tensor")
        if answer.shape != (4, 10):
            return f"for 4 labels it returned the shape {tuple(answer.shape)}, where (4, 10) is asked for."
        if not answer.is_floating_point():
            return f"the targets are {answer.dtype}, and whole numbers have no room for a tenth."
        if reason := _explain_targets(answer.double(), labels, smoothing):
            return reason
    return None


def _explain_targets(answer, labels, smoothing) -> str | None:
    one_hot = F.one_hot(labels, 10).double()
    kept, others = (1 - smoothing) * one_hot, (1 - one_hot) * smoothing
    expected = kept + smoothing / 10
    if near(answer, expected):
        return None
    hints = {
        one_hot: "nothing is smoothed: the right class has 1 and the others 0.",
        kept + others / 9: "each of the ten classes gets its part of the smoothing, the right one too.",
        kept + others / 10: "the right class gets its tenth on top of the rest; a row should add up to 1.",
        kept: "what was taken from the right class is given to nobody.",
        one_hot + smoothing / 10: "what is given to the classes has to be taken from the right one.",
        kept + smoothing: "the smoothing is divided among ten classes.",
    }
    row, column = ((answer - expected).abs() > 1e-6).nonzero()[0].tolist()
    found, wanted = f"{answer[row, column]:.3g}", f"{expected[row, column]:.3g}"
    at = f"class {column} of label {labels[row]}"
    otherwise = f"with smoothing {smoothing}, {at} should be {wanted}, and is {found}."
    if not near(answer.sum(dim=1), torch.ones(4)):
        otherwise = f"the first row adds up to {answer[0].sum():.3g}, not to 1; each row has one right class."
    return compare(answer, expected, hints, otherwise)
