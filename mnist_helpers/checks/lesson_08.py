"""The checks of lesson 8, comparing networks."""

import itertools

from .vocabulary import call, check, compare, near, number, pair_of_numbers, wrong_kind


@check(right="Larger maps would leave the parameters as they are and multiply the work.")
def layer_cost(answer):
    """``answer`` is (parameters, multiply-adds) of Conv2d(16, 32, 3) on maps of (16, 12, 12)."""
    asked = "the answer is a pair of numbers: (parameters, multiply-adds)."
    parameters, work = pair_of_numbers(answer, asked)
    weights = 3 * 3 * 16 * 32
    of_parameters = {
        weights: "the parameters lack something small: each of the 32 kernels has one more than its weights.",
        weights + 1: "there is one bias for each kernel, not one for the layer.",
        3 * 3 * 32 + 32: "a kernel is a block: it has 3 × 3 weights for each of the channels that come in.",
        3 * 3 * 16 + 16: "a kernel makes one map of the output; how many kernels are there?",
        weights + 16: "the biases belong to the maps that go out, not to those that come in.",
        460_800: "the two seem to have changed places: parameters first.",
    }
    places = "the places are those of the output"
    of_work = {
        weights * 144: f"{places}; how many does a kernel 3 wide have along 12 pixels?",
        weights: "that is what one place takes; the kernels are used at every place of the output.",
        (weights + 32) * 100: "the biases are added and not multiplied; leave them out of the multiply-adds.",
        (weights + 32) * 144: f"biases are not multiplied, and {places}.",
        weights * 121: "a kernel 3 wide does not fit 11 times along 12 pixels; count its places again.",
        weights * 10: "the places have rows and columns, both.",
    }
    otherwise = (
        f"{parameters:,.0f} parameters is not it: (channels in × rows × columns + bias) × channels out."
    )
    if hint := compare(parameters, weights + 32, of_parameters, otherwise):
        return hint
    otherwise = f"{work:,.0f} multiply-adds are not it; they are weights × rows × columns of the output."
    return compare(work, weights * 100, of_work, otherwise)


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
        answer = call(function, first, second)
        share = number(answer)
        if share is None:
            return wrong_kind(answer, "a share from 0 to 1")
        if not near(share, expected):
            hint = _chance_hint(share, expected, first, second, when)
            return f"for {first} and {second} it returns {share:g}{hint}"
    return None


def _chance_hint(share, expected, first, second, when) -> str:
    if share > 1:
        return "; a share lies between 0 and 1: so many deals, of how many in all?"
    if len(first) == 4:
        return "; there are four numbers in each list, and a hand should be as long as a list."
    cards, seen = [*first, *second], sum(first) - sum(second)
    if 1 < len(set(cards)) < len(cards):
        return f"; {when}, so the second hand is best known by its sum: that of all less the first."
    gaps = [2 * sum(hand) - sum(cards) for hand in itertools.combinations(cards, len(first))]
    one_way = [sum(gap >= seen for gap in gaps) / len(gaps), sum(gap <= seen for gap in gaps) / len(gaps)]
    if any(near(share, way) for way in one_way):
        return "; the direction does not matter, so take the size of each difference."
    if share < expected:
        return f", which is too little ({when}); do deals that are exactly as far apart count?"
    return f", which is too much ({when}); which deals are at least as far apart as the two lists?"


@check(right="The budget decides what may be compared at all; accuracy decides among those.")
def choose(function):
    """``function(accuracy, multiply_adds, budget)`` names the most accurate network within the budget."""
    accuracy = {"tiny": 0.89, "narrow": 0.93, "deep": 0.96, "slow": 0.95, "huge": 0.97}
    # Not in the order of the accuracies: what belongs together is found by name, not by place.
    work = {"huge": 12_000_000, "slow": 900_000, "deep": 700_000, "tiny": 10_000, "narrow": 300_000}
    cases = [
        (1_000_000, "deep", "with a budget of 1,000,000"),
        (50_000_000, "huge", "with a budget that allows all of them"),
        (700_000, "deep", "with a budget of 700,000, exactly what 'deep' needs"),
        (10_000, "tiny", "with a budget of 10,000, exactly what one network needs"),
    ]
    changed = "it changed the dictionaries that it was given, which their owner may still need."
    for budget, expected, when in cases:
        answer = call(function, accuracy, work, budget, unchanged=changed)
        if not isinstance(answer, str):
            return wrong_kind(answer, "the name of a network")
        if answer not in accuracy:
            return f"{when} it returned {answer!r}, which is none of the names."
        if work[answer] > budget:
            return f"{when} it chose {answer!r}, which needs {work[answer]:,} multiply-adds."
        if answer == "narrow" and budget == 700_000:
            return f"{when}, it chose 'narrow'; exactly the budget does not exceed it."
        if answer != expected:
            return f"{when} it chose {answer!r}; another one that keeps to it is more accurate."
    return None
