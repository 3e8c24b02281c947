"""Lesson 8: what must stand in its kernel at the end, and answers to its exercises."""

from itertools import combinations

import numpy as np
import torch

PROBE = """
import json
from mnist_helpers import load_mnist

fresh = Net()
cost(fresh)
again = [short_run(ThreeLayerNet, Adam, seed=s, batches=5, lr=0.003)[1] for s in (2, 2, 3)]
every_label = torch.cat([loaders.train.dataset.labels, loaders.validation.dataset.labels])
values = {
    "parameters": parameters,
    "multiply_adds": multiply_adds,
    "hooks_left": sum(len(layer._forward_hooks) for layer in fresh.modules()),
    "written_out": [network.__module__ for network in (ThreeLayerNet, WideNet, ConvNet)],
    "plain_dropout": type(WideNet().fc1_drop).__name__,
    "warned": [warning.category.__name__ for warning in caught],
    "kept_and_doubled": sorted(dropped.unique().tolist()),
    "softmax": [F.cross_entropy(scores, label).item() for scores in (logits, once, logits.softmax(dim=1))],
    "both": [len(both), len(trained_on)],
    "split": [len(loaders.train.dataset), len(loaders.validation.dataset)],
    "all_there": torch.equal(every_label.bincount(), load_mnist()[0].labels.bincount()),
    "winner": [on_validation[best].item(), on_new[best].item()],
    "adam": (mine - theirs).abs().max().item(),
    "swept": swept,
    "best_rate": best_rate,
    "tried": [tried[80, 0.0001], tried[20, 0.0001], tried[20, 0.003]],
    "accuracies": {name: shares.tolist() for name, shares in accuracies.items()},
    "seconds": seconds,
    "again": again,
    "luck": [optimizer_luck, *lucks.values()],
    "chosen": [chosen, *(type(network).__name__ for network in networks[chosen])],
    "on_test": on_test.tolist(),
    "axes": [[each.get_xlabel(), each.get_xscale()] for each in axes],
    "accuracy_axis": axes[0].get_ylabel(),
    "legend": [text.get_text() for text in figure.legends[0].get_texts()],
    "markers": [bar.lines[0].get_marker() for bar in axes[0].containers],
}
"""

NAMES = ["ThreeLayerNet", "Net", "ConvNet", "WideNet"]


def verify(values):
    counted = dict(zip(NAMES, (266_610, 21_840, 1_007_590, 1_199_882), strict=True))
    assert values["parameters"] == counted
    assert values["multiply_adds"] == dict(zip(NAMES, (266_200, 480_500, 1_329_000, 11_992_448), strict=True))
    assert values["hooks_left"] == 0
    assert values["written_out"] == ["__main__"] * 3
    assert values["plain_dropout"] == "Dropout"
    assert values["warned"] == ["UserWarning"]
    assert values["kept_and_doubled"] == [0, 2]
    of_logits, of_log_softmax, of_softmax = values["softmax"]
    assert abs(of_logits - of_log_softmax) < 1e-6
    assert of_softmax > of_logits + 0.3

    in_both, trained_on = values["both"]
    assert 320 < in_both < 520
    assert in_both + trained_on == 5_000
    assert values["split"] == [55_000, 5_000]
    assert values["all_there"]
    winner, later = values["winner"]
    assert winner > 0.954
    assert later < winner
    assert values["adam"] < 1e-12

    verify_training(values)
    assert [scale for _, scale in values["axes"]] == ["log"] * 3
    assert [label.partition(" ")[0] for label, _ in values["axes"]] == [
        "parameters",
        "multiply-adds",
        "seconds",
    ]
    assert "accuracy" in values["accuracy_axis"]
    assert values["legend"] == NAMES
    assert len(set(values["markers"])) == 4


def verify_training(values):
    swept, accuracies = values["swept"], values["accuracies"]
    assert [len(shares) for shares in swept.values()] == [3, 3]
    assert max(swept["SGD"]) > 0.89
    assert max(swept["SGD"]) - min(swept["SGD"]) > 0.01  # the rate matters
    assert max(swept["Adam"]) > 0.91
    assert values["best_rate"]["SGD"] >= values["best_rate"]["Adam"]
    short, fewer, fewer_and_longer = values["tried"]
    assert 0.3 < fewer < short < 0.9
    assert fewer_and_longer > fewer + 0.05
    bands = {"ThreeLayerNet": (0.85, 0.945), "Net": (0.78, 0.95), "ConvNet": (0.88, 0.98)}
    bands |= {"WideNet": (0.88, 0.985), "SGD": (0.85, 0.975), "Adam": (0.88, 0.98)}
    assert set(accuracies) == set(bands)
    for name, (low, high) in bands.items():
        assert all(low < share < high for share in accuracies[name]), (name, accuracies[name])
        assert len(set(accuracies[name])) > 1, "other seeds, other runs"
    assert accuracies["ConvNet"] == accuracies["Adam"], "the same three runs"
    first, repeated, other_seed = values["again"]
    assert first == repeated != other_seed
    assert max(values["seconds"], key=values["seconds"].get) == "WideNet"
    assert all(0.1 <= luck <= 1 for luck in values["luck"])
    assert values["chosen"] == ["ConvNet"] * 4
    assert len(values["on_test"]) == 3
    for on_test, on_validation in zip(values["on_test"], accuracies["ConvNet"], strict=True):
        assert abs(on_test - on_validation) < 0.025


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


def right_chance_of(first, second):
    cards, size = [*first, *second], len(first)
    hands = [[card for i, card in enumerate(cards) if bits >> i & 1] for bits in range(2 ** len(cards))]
    gaps = [abs(2 * sum(hand) - sum(cards)) for hand in hands if len(hand) == size]
    return torch.tensor([gap >= abs(sum(first) - sum(second)) for gap in gaps]).double().mean()


def right_choose(accuracy, multiply_adds, budget):
    ranked = sorted(accuracy, key=accuracy.get, reverse=True)
    return next(name for name in ranked if multiply_adds[name] <= budget)


CASES = {
    "layer_cost": {
        "right": [[4_640.0, 460_800.0], np.array([4_640, 460_800])],
        "stub": None,
        "wrong": [
            [(4_608, 460_800)],
            [(4_609, 460_800)],
            [(4_624, 460_800)],
            [(320, 460_800)],
            [(160, 460_800)],
            [(460_800, 4_640)],
            [(5_000, 460_800)],
            [(4_640, 663_552)],
            [(4_640, 4_608)],
            [(4_640, 464_000)],
            [(4_640, 668_160)],
            [(4_640, 557_568)],
            [(4_640, 46_080)],
            [torch.tensor([4_640, 123_456])],
            [4_640],
            [("4640", 460_800)],
        ],
    },
    "chance_of": {
        "right": [right_chance_of],
        "stub": lambda first, second: None,
        "wrong": [
            [_one_direction],
            [_further],
            [_count, _percent],
            [_other_way],
            [_hands_of_three],
            [_without_its_numbers, _set_difference],
            [_distinct],
            [_printed],
            [_deals],
            [0.1],
        ],
    },
    "choose": {
        "right": [right_choose],
        "stub": lambda accuracy, multiply_adds, budget: None,
        "wrong": [
            [_no_budget, _by_place],
            [_cheapest, _alphabet],
            [_largest_affordable],
            [_below],
            [_popping],
            [_number],
            [_list],
            [_printed_name],
            [lambda accuracy, multiply_adds, budget: "budget"],
            ["deep"],
        ],
    },
}
