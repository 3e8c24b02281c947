"""The checks of lesson 8, comparing networks."""

import itertools
import math

from .vocabulary import call, check, known, number, pair_of_numbers


@check(right="Larger maps would leave the parameters as they are and multiply the work.")
def layer_cost(answer):
    """``answer`` is (parameters, multiply-adds) of Conv2d(16, 32, 3) on maps of (16, 12, 12)."""
    parameters, work = pair_of_numbers(
        answer, "the answer is a pair of numbers: (parameters, multiply-adds)."
    )
    return _parameters_hint(parameters) or _work_hint(work)


def _parameters_hint(parameters: float) -> str | None:
    weights = 3 * 3 * 16 * 32
    hints = {
        weights + 32: None,
        weights: "the parameters lack something small: each of the 32 kernels has one more than its weights.",
        weights + 1: "there is one bias for each kernel, not one for the layer.",
        3 * 3 * 32 + 32: "a kernel is a block: it has 3 × 3 weights for each of the channels that come in.",
        3 * 3 * 16 + 16: "a kernel makes one map of the output; how many kernels are there?",
        weights + 16: "the biases belong to the maps that go out, not to those that come in.",
        460_800: "the two seem to have changed places: parameters first.",
    }
    formula = "(channels in × rows × columns + 1 bias) × channels out."
    return known(parameters, hints, f"{parameters:,.0f} parameters is not it: {formula}")


def _work_hint(work: float) -> str | None:
    weights = 3 * 3 * 16 * 32
    hints = {
        weights * 100: None,
        weights
        * 144: "the places are those of the output; how many does a kernel 3 wide have along 12 pixels?",
        weights: "that is what one place takes; the kernels are used at every place of the output.",
        (weights + 32) * 100: "the biases are added and not multiplied; leave them out of the multiply-adds.",
        (weights + 32) * 144: "biases are not multiplied, and the places are those of the output.",
        weights * 121: "a kernel 3 wide does not fit 11 times along 12 pixels; count its places again.",
        weights * 10: "the places have rows and columns, both.",
    }
    formula = "they are weights × rows × columns of the output."
    return known(work, hints, f"{work:,.0f} multiply-adds are not it; {formula}")


@check(right="With three seeds each the least that it can say is 10 %, so a close race needs more of them.")
def chance_of(function):
    """``function(first, second)`` is the share of deals at least as far apart as the two lists."""
    cases = [
        ([1, 2, 3], [4, 5, 6], 2 / 20, "all of the first are below all of the second"),
        ([4, 5, 6], [1, 2, 3], 2 / 20, "all of the first are above all of the second"),
        ([4700, 4700, 4700], [4700, 4700, 4700], 1.0, "all six numbers are equal, so every deal is as far"),
        ([4700, 4710, 4740], [4720, 4730, 4750], 8 / 20, "the two lists overlap"),
        ([1, 2, 3, 4], [5, 6, 7, 8], 2 / 70, "there are four numbers in each list"),
        ([4700, 4700, 4690], [4710, 4700, 4720], 6 / 20, "some cards bear the same number"),
        ([4549, 4549, 4442], [4588, 4594, 4579], 2 / 20, "some cards bear the same number"),
    ]
    for first, second, expected, when in cases:
        answer = call(function, list(first), list(second))
        share = number(answer)
        if share is None:
            return f"it returned {type(answer).__name__}, where a share from 0 to 1 is asked for."
        if not math.isclose(share, expected, abs_tol=1e-6):
            return _chance_hint(share, expected, first, second, when)
    return None


def _chance_hint(share, expected, first, second, when) -> str:
    said = f"for {first} and {second} it returns {share:g}"
    if share > 1:
        return f"{said}; a share lies between 0 and 1: so many deals, of how many in all?"
    if len(first) == 4:
        return f"{said}; there are four numbers in each list, and a hand should be as long as a list."
    cards, seen = [*first, *second], sum(first) - sum(second)
    if 1 < len(set(cards)) < len(cards):
        return f"{said}; {when}, so the second hand is best known by its sum: that of all less the first."
    gaps = [2 * sum(hand) - sum(cards) for hand in itertools.combinations(cards, len(first))]
    one_way = [sum(gap >= seen for gap in gaps) / len(gaps), sum(gap <= seen for gap in gaps) / len(gaps)]
    if any(math.isclose(share, way, abs_tol=1e-6) for way in one_way):
        return f"{said}; the direction does not matter, so take the size of each difference."
    if share < expected:
        return f"{said}, which is too little ({when}); do deals that are exactly as far apart count?"
    return f"{said}, which is too much ({when}); which deals are at least as far apart as the two lists?"


@check(right="The budget decides what may be compared at all; accuracy decides among those.")
def choose(function):
    """``function(accuracy, multiply_adds, budget)`` names the most accurate network within the budget."""
    accuracy = {"tiny": 0.89, "narrow": 0.93, "deep": 0.96, "slow": 0.95, "huge": 0.97}
    # In another order than the accuracies: what belongs together is found by name, not by place.
    work = {"huge": 12_000_000, "slow": 900_000, "deep": 700_000, "tiny": 10_000, "narrow": 300_000}
    cases = [
        (1_000_000, "deep", "with a budget of 1,000,000"),
        (50_000_000, "huge", "with a budget that all of them keep to"),
        (700_000, "deep", "with a budget of 700,000, which 'deep' needs to the last"),
        (10_000, "tiny", "with a budget of 10,000, which one network needs to the last"),
    ]
    for budget, expected, when in cases:
        given = dict(accuracy), dict(work)
        answer = call(function, *given, budget)
        if given != (accuracy, work):
            return "it changed the dictionaries that it was given, which their owner may still need."
        if not isinstance(answer, str):
            return f"it returned {type(answer).__name__}, where the name of a network is asked for."
        if answer not in accuracy:
            return f"{when} it returned {answer!r}, which is none of the names."
        if work[answer] > budget:
            return f"{when} it chose {answer!r}, which needs {work[answer]:,} multiply-adds."
        if answer == "narrow" and budget == 700_000:
            return f"{when}, it chose 'narrow'; exactly the budget does not exceed it."
        if answer != expected:
            return f"{when} it chose {answer!r}; another one that keeps to it is more accurate."
    return None
