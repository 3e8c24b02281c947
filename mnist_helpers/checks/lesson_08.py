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


@check(right="Five pairs can say 6 % at the least, so a close race needs more of them.")
def chance_of(function):
    """``function(first, second)`` is the share of swaps within pairs that are at least as far apart."""
    cases = [
        ([1, 2, 3], [4, 5, 6], "each of the first is below its partner"),
        ([4, 5, 6], [1, 2, 3], "each of the first is above its partner"),
        ([4700, 4700, 4700], [4700, 4700, 4700], "all differences are 0, so every way is as far apart"),
        ([4700, 4710, 4740], [4720, 4705, 4750], "the differences have unlike signs"),
        ([1, 2, 3, 4], [5, 6, 7, 8], "there are four pairs"),
        ([4541, 4678, 4600, 4610, 4590], [4665, 4752, 4590, 4640, 4650], "there are five pairs"),
    ]
    for first, second, when in cases:
        answer = call(function, first, second)
        share = number(answer)
        if share is None:
            return wrong_kind(answer, "a share from 0 to 1")
        if not near(share, _share_of_swaps(first, second)):
            return f"for {first} and {second} it returns {share:g}{_chance_hint(share, first, second, when)}"
    return None


def _share_of_swaps(first, second) -> float:
    sums = _sums_of_swaps(first, second)
    return sum(abs(total) >= abs(sums[0]) for total in sums) / len(sums)


def _sums_of_swaps(first, second) -> list:
    """Differences of the sums, of all 2ⁿ ways to swap within pairs; the first one swaps nothing."""
    differences = [one - other for one, other in zip(first, second, strict=True)]
    signs = itertools.product([1, -1], repeat=len(differences))
    return [sum(sign * each for sign, each in zip(way, differences, strict=True)) for way in signs]


def _chance_hint(share, first, second, when) -> str:
    if share > 1:
        return "; a share lies between 0 and 1: so many ways, of how many in all?"
    cards, seen = [*first, *second], abs(sum(first) - sum(second))
    gaps = [abs(2 * sum(hand) - sum(cards)) for hand in itertools.combinations(cards, len(first))]
    expected, sums = _share_of_swaps(first, second), _sums_of_swaps(first, second)
    if near(share, sum(gap >= seen for gap in gaps) / len(gaps)):
        return "; that deals all numbers out anew. Here a number only ever changes places with its partner."
    one_way = [sum(total >= sums[0] for total in sums), sum(total <= sums[0] for total in sums)]
    if any(near(share, ways / len(sums)) for ways in one_way):
        return "; the direction does not matter, so take the size of each sum."
    if share < expected:
        return f", which is too little ({when}); do ways that are exactly as far apart count?"
    return f", which is too much ({when}); which ways are at least as far apart as the two lists?"


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
