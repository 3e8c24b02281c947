"""Answers that students give to the exercises of lesson 8."""

from itertools import combinations

import torch


def _deals(first, second):
    cards = [*first, *second]
    return [2 * sum(hand) - sum(cards) for hand in combinations(cards, len(first))]


def _seen(first, second):
    return sum(first) - sum(second)


def _one_direction(first, second):
    return sum(gap >= _seen(first, second) for gap in _deals(first, second)) / len(_deals(first, second))


def _further(first, second):
    deals = _deals(first, second)
    return sum(abs(gap) > abs(_seen(first, second)) for gap in deals) / len(deals)


def _count(first, second):
    return sum(abs(gap) >= abs(_seen(first, second)) for gap in _deals(first, second))


def _percent(first, second):
    return 100 * _share(first, second)


def _share(first, second):
    return _count(first, second) / len(_deals(first, second))


def _other_way(first, second):
    return 1 - _share(first, second)


def _hands_of_three(first, second):
    cards = [*first, *second]
    hands = list(combinations(cards, 3))
    gaps = [sum(hand) / 3 - (sum(cards) - sum(hand)) / (len(cards) - 3) for hand in hands]
    seen = sum(first) / len(first) - sum(second) / len(second)
    return sum(abs(gap) >= abs(seen) for gap in gaps) / len(hands)


def _without_its_numbers(first, second):
    cards = [*first, *second]
    hands = list(combinations(cards, len(first)))
    gaps = [abs(sum(hand) - sum(card for card in cards if card not in hand)) for hand in hands]
    return sum(gap >= abs(_seen(first, second)) for gap in gaps) / len(hands)


def _set_difference(first, second):
    cards = [*first, *second]
    hands = list(combinations(cards, len(first)))
    gaps = [abs(sum(hand) - sum(set(cards) - set(hand))) for hand in hands]
    return sum(gap >= abs(_seen(first, second)) for gap in gaps) / len(hands)


def _distinct(first, second):
    hands = set(combinations([*first, *second], len(first)))
    total = sum(first) + sum(second)
    return sum(abs(2 * sum(hand) - total) > abs(_seen(first, second)) - 1 for hand in hands) / 20


def _printed(first, second):
    print(_share(first, second))


def _no_budget(accuracy, multiply_adds, budget):
    return max(accuracy, key=accuracy.get)


def _cheapest(accuracy, multiply_adds, budget):
    return min(multiply_adds, key=multiply_adds.get)


def _largest_affordable(accuracy, multiply_adds, budget):
    return max((name for name in accuracy if multiply_adds[name] <= budget), key=multiply_adds.get)


def _below(accuracy, multiply_adds, budget):
    return max((name for name in accuracy if multiply_adds[name] < budget), key=accuracy.get)


def _by_place(accuracy, multiply_adds, budget):
    pairs = zip(accuracy.items(), multiply_adds.values(), strict=True)
    return max((share, name) for (name, share), work in pairs if work <= budget)[1]


def _popping(accuracy, multiply_adds, budget):
    for name in list(accuracy):
        if multiply_adds[name] > budget:
            accuracy.pop(name)
    return max(accuracy, key=accuracy.get)


def _number(accuracy, multiply_adds, budget):
    return max(accuracy[name] for name in accuracy if multiply_adds[name] <= budget)


def _list(accuracy, multiply_adds, budget):
    return [name for name in accuracy if multiply_adds[name] <= budget]


def _alphabet(accuracy, multiply_adds, budget):
    return max(name for name in accuracy if multiply_adds[name] <= budget)


def _printed_name(accuracy, multiply_adds, budget):
    print(_below(accuracy, multiply_adds, budget))


CASES = {
    "layer_cost": {
        "stub": None,
        "wrong": [
            ((4_608, 460_800), "each of the 32 kernels has one more"),
            ((4_609, 460_800), "one bias for each kernel"),
            ((4_624, 460_800), "maps that go out"),
            ((320, 460_800), "a kernel is a block"),
            ((160, 460_800), "how many kernels"),
            ((460_800, 4_640), "changed places"),
            ((5_000, 460_800), "5,000 parameters is not it"),
            ((4_640, 663_552), "the places are those of the output"),
            ((4_640, 4_608), "every place of the output"),
            ((4_640, 464_000), "added and not multiplied"),
            ((4_640, 668_160), "biases are not multiplied"),
            ((4_640, 557_568), "does not fit 11 times"),
            ((4_640, 46_080), "rows and columns, both"),
            (torch.tensor([4_640, 123_456]), "123,456 multiply-adds are not"),
            (4_640, "a pair"),
            (("4640", 460_800), "something else"),
        ],
    },
    "chance_of": {
        "stub": lambda first, second: None,
        "wrong": [
            (_one_direction, "the direction does not matter"),
            (_further, "exactly as far apart"),
            (_count, "of how many in all"),
            (_percent, "of how many in all"),
            (_other_way, "too much"),
            (_hands_of_three, "four numbers in each list"),
            (_without_its_numbers, "that of all less the first"),
            (_set_difference, "that of all less the first"),
            (_distinct, "all six numbers are equal"),
            (_printed, "hand the answer back with return"),
            (_deals, "it returned list"),
            (0.1, "TypeError"),
        ],
    },
    "choose": {
        "stub": lambda accuracy, multiply_adds, budget: None,
        "wrong": [
            (_no_budget, "needs 12,000,000 multiply-adds"),
            (_cheapest, "another one that keeps to it is more accurate"),
            (_largest_affordable, "it chose 'slow'"),
            (_below, "exactly the budget does not exceed it"),
            (_by_place, "needs 12,000,000 multiply-adds"),
            (_popping, "changed the dictionaries"),
            (_number, "it returned float"),
            (_list, "it returned list"),
            (_alphabet, "another one that keeps to it is more accurate"),
            (_printed_name, "hand the answer back with return"),
            (lambda accuracy, multiply_adds, budget: "budget", "none of the names"),
            ("deep", "TypeError"),
        ],
    },
}
