"""Lesson 8: what must stand in its kernel at the end, and answers to its exercises."""

from itertools import combinations, product

import numpy as np
import torch

PROBE = """
from mnist_helpers import load_mnist

again = [short_run(ThreeLayerNet, Adam, seed=s, lr=0.003)[1] for s in (2, 2, 3)]
every_label = torch.cat([loaders.train.dataset.labels, loaders.validation.dataset.labels])
values = {
    "parameters": parameters,
    "multiply_adds": multiply_adds,
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
    "swept": {name: list(found.items()) for name, found in swept.items()},
    "best_rate": best_rate,
    "scrambled": torch.equal(scramble(digit).flatten().msort(), digit.flatten().msort()),
    "accuracies": {name: shares.tolist() for name, shares in accuracies.items()},
    "seconds": seconds,
    "again": again,
    "luck": optimizer_luck,
    "chosen": [chosen, *(type(network).__name__ for network in networks[chosen])],
    "on_test": on_test.tolist(),
}
"""

NAMES = ["ThreeLayerNet", "Net", "ConvNet", "WideNet"]


def verify(values):
    counted = dict(zip(NAMES, (266_610, 21_840, 1_007_590, 1_199_882), strict=True))
    assert values["parameters"] == counted
    assert values["multiply_adds"] == dict(zip(NAMES, (266_200, 480_500, 1_329_000, 11_992_448), strict=True))
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


def verify_training(values):
    accuracies, best_rate = values["accuracies"], values["best_rate"]
    for name, found in values["swept"].items():
        rates, shares = zip(*found, strict=True)
        assert rates[0] < best_rate[name] < rates[-1], "the best rate does not stand at the edge"
        assert max(shares) == dict(found)[best_rate[name]] > 0.89
        assert max(shares) - min(shares) > 0.01  # the rate matters
    assert best_rate["SGD"] > best_rate["Adam"]
    bands = {"ThreeLayerNet": (0.85, 0.945), "Net": (0.78, 0.95), "ConvNet": (0.88, 0.98)}
    bands |= {"WideNet": (0.88, 0.985), "SGD": (0.85, 0.975), "Adam": (0.88, 0.98)}
    bands |= {"ThreeLayerNet *": (0.85, 0.945), "ConvNet *": (0.8, 0.93)}
    assert set(accuracies) == set(bands)
    for name, (low, high) in bands.items():
        assert all(low < share < high for share in accuracies[name]), (name, accuracies[name])
        assert len(accuracies[name]) == (6 if name in ("SGD", "Adam") else 3)
        assert len(set(accuracies[name])) > 1, "other seeds, other runs"
    means = {name: sum(shares) / len(shares) for name, shares in accuracies.items()}
    assert means["ConvNet"] > means["ConvNet *"] + 0.03
    assert abs(means["ThreeLayerNet"] - means["ThreeLayerNet *"]) < 0.02
    assert values["scrambled"]
    first, repeated, other_seed = values["again"]
    assert first == repeated != other_seed
    assert max(values["seconds"], key=values["seconds"].get) == "WideNet"
    assert 2 / 64 <= values["luck"] <= 1
    assert values["chosen"] == ["ConvNet"] * 4
    assert len(values["on_test"]) == 3
    for on_test, on_validation in zip(values["on_test"], accuracies["ConvNet"], strict=True):
        assert abs(on_test - on_validation) < 0.025


def _sums(first, second):
    ways = product([1, -1], repeat=len(first))
    return [sum(sign * (a - b) for sign, a, b in zip(way, first, second, strict=True)) for way in ways]


def _seen(first, second):
    return sum(first) - sum(second)


def _one_direction(first, second):
    sums = _sums(first, second)
    return sum(total >= _seen(first, second) for total in sums) / len(sums)


def _further(first, second):
    sums = _sums(first, second)
    return sum(abs(total) > abs(_seen(first, second)) for total in sums) / len(sums)


def _count(first, second):
    return sum(abs(total) >= abs(_seen(first, second)) for total in _sums(first, second))


def _share(first, second):
    return _count(first, second) / 2 ** len(first)


def _percent(first, second):
    return 100 * _share(first, second)


def _other_way(first, second):
    return 1 - _share(first, second)


def _all_dealt(first, second):
    cards = [*first, *second]
    hands = list(combinations(cards, len(first)))
    gaps = [abs(2 * sum(hand) - sum(cards)) for hand in hands]
    return sum(gap >= abs(_seen(first, second)) for gap in gaps) / len(hands)


def _signs_alone(first, second):
    return 2 / 2 ** len(first)


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
    ways = range(2 ** len(first))
    pairs = list(enumerate(zip(first, second, strict=True)))
    totals = [sum(b - a if way >> i & 1 else a - b for i, (a, b) in pairs) for way in ways]
    return torch.tensor([abs(total) >= abs(sum(first) - sum(second)) for total in totals]).double().mean()


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
            [_all_dealt],
            [_signs_alone],
            [_printed],
            [_sums],
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
