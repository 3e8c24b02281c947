"""Lesson 6: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
import json
from mnist_helpers.checkpoints import read_checkpoint as read
resumed_file = read("checkpoints/lesson_06.pt")
values = {
    "start": [start.name, read(start)["sampler"]["epoch"] - 1],
    "saved_epoch": resumed_file["sampler"]["epoch"] - 1,
    "saved_history": {name: len(kept) for name, kept in resumed_file["history"].items() if name != "seen"},
    "test_seen": history.test_seen,
    "train_seen_grows": all(a < b for a, b in zip(history.train_seen, history.train_seen[1:])),
    "accuracies": history.test_accuracies,
    "hits": [int(finished.stdout), hits_here],
    "device": str(next(continued.parameters()).device),
    "old_moved": not as_saved(network, saved_pair["network"]),
    "continued_moved": not as_saved(continued_network, saved_pair["network"]),
    "equal": equal,
    "drift": {name: values[0] for name, values in drift.items()},
    "losses": [values[1] for values in drift.values()],
    "moved": moved,
    "small": len(small.train.dataset),
    "flipped": [float(was), loaded],
    "accuracies_flipped": [evaluate(half, quick_test)[1], evaluate(victim, quick_test)[1]],
    "joins": [before, after],
    "written_out": [save_checkpoint.__module__, load_checkpoint.__module__],
    "scratch": folder.exists(),
    "files": sorted(path.name for path in Path("checkpoints").iterdir()),
    "labels": [left.get_xlabel(), left.get_ylabel(), right.get_xlabel()],
}
"""


def verify(values):
    name, start = values["start"]
    assert (name, start) in (("lesson_03.pt", 3), ("lesson_06_start.pt", 1))
    assert values["saved_epoch"] == start + 5
    epochs = list(range(start + 6))
    assert values["test_seen"] == [60_000 * epoch for epoch in epochs]
    assert values["train_seen_grows"]
    lengths = values["saved_history"]
    assert lengths["test_losses"] == lengths["test_seen"] == lengths["test_accuracies"] == start + 6
    assert lengths["train_losses"] == lengths["train_seen"] == 938 * (start + 5)
    assert 0.05 < values["accuracies"][0] < 0.2
    assert 0.90 < values["accuracies"][start] < 0.985
    assert 0.965 < values["accuracies"][-1] < 0.995
    assert values["accuracies"][-1] > values["accuracies"][start]
    assert values["hits"][0] == values["hits"][1] > 850

    assert values["old_moved"] is True
    assert values["continued_moved"] is False
    assert values["equal"] == [True] * 8
    assert values["small"] == 6_000
    assert values["drift"]["nothing"] == 0
    omitted = [values["drift"][name] for name in ("optimizer's state", "random state", "place in the data")]
    assert all(0 < difference < 2 * values["moved"] for difference in omitted)
    assert all(0.25 < loss < 0.6 for loss in values["losses"])
    was, now = values["flipped"]
    assert 0 < was < 1
    assert now == was * 2.0**128
    before, after = values["accuracies_flipped"]
    assert before > 0.7
    assert after < before - 0.1
    before, after = values["joins"]
    assert 0.05 < after < before + 0.1

    assert values["written_out"] == ["__main__", "__main__"]
    assert values["scratch"] is False
    assert set(values["files"]) >= {"lesson_06.pt", name}
    assert all(values["labels"])


def _all_true(network, optimizer):
    return True


def _equal_numbers(network, optimizer):
    held = optimizer.param_groups[0]["params"]
    own = list(network.parameters())
    return len(held) == len(own) and all(map(torch.equal, held, own))


def _first_group(network, optimizer):
    return [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in network.parameters()]


def _some_foreign(network, optimizer):
    own = {id(parameter) for parameter in network.parameters()}
    return own <= {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}


def _some_missing(network, optimizer):
    own = {id(parameter) for parameter in network.parameters()}
    return {id(tensor) for group in optimizer.param_groups for tensor in group["params"]} <= own


def _ids(network, optimizer):
    return {id(parameter) for parameter in network.parameters()}


def _in_list(network, optimizer):
    return all(parameter in optimizer.param_groups[0]["params"] for parameter in network.parameters())


def _in_order(network, optimizer):
    held = [id(tensor) for group in optimizer.param_groups for tensor in group["params"]]
    return held == [id(parameter) for parameter in network.parameters()]


def _held(network, optimizer):
    held = {id(tensor) for group in optimizer.param_groups for tensor in group["params"]}
    return held == {id(parameter) for parameter in network.parameters()}


def _no_else(network, optimizer):
    if _held(network, optimizer):
        return True


def _true_left_out(network, optimizer):
    if not _held(network, optimizer):
        return False


def _printed(network, optimizer):
    print(_held(network, optimizer))


def _two_masks(layer, inputs):
    return layer(inputs), layer(inputs)


def _evaluation_mode(layer, inputs):
    layer.eval()
    return layer(inputs), layer(inputs)


def _called_once(layer, inputs):
    result = layer(inputs)
    return result, result


def _fixed_seed(layer, inputs):
    torch.manual_seed(1)
    first = layer(inputs)
    torch.manual_seed(1)
    return first, layer(inputs)


def _put_back_twice(layer, inputs):
    state = torch.get_rng_state()
    first = layer(inputs)
    torch.set_rng_state(state)
    second = layer(inputs)
    torch.set_rng_state(state)
    return first, second


def _printed_masks(layer, inputs):
    print(layer(inputs), layer(inputs))


def _first_alone(layer, inputs):
    state = torch.get_rng_state()
    layer(inputs)
    torch.set_rng_state(state)
    return layer(inputs)


def _images_first(batches):
    return batches * 64 // 60_000 + 1, batches * 64 % 60_000


def _epoch_from_zero(batches):
    return batches // 938, batches % 938 * 64


def _batches_left(batches):
    return batches // 938 + 1, batches % 938


def _full_batches_alone(batches):
    return batches // 937 + 1, batches % 937 * 64


def _images_first_of_an_epoch(batches):
    complete, rest = divmod(batches, 938)
    return (complete + 1, rest * 64) if rest else (complete, 60_000)


def _with_fractions(batches):
    complete, rest = divmod(batches, 938)
    return float(complete + 1), float(rest * 64)


def _printed_place(batches):
    print(batches // 938 + 1, batches % 938 * 64)


def _one_branch(batches):
    if batches >= 938:
        return batches // 938 + 1, batches % 938 * 64


def right_trains(network, optimizer):
    held = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    return np.bool_(set(held) == set(network.parameters()))


def right_twice(layer, inputs):
    with torch.random.fork_rng():
        first = layer(inputs)
    return torch.stack([first, layer(inputs)])


CASES = {
    "trains": {
        "right": [right_trains, lambda *both: torch.tensor(bool(right_trains(*both)))],
        "stub": lambda network, optimizer: None,
        "wrong": [
            [_all_true, _equal_numbers],
            [_first_group],
            [_some_foreign],
            [_some_missing],
            [_ids],
            [_in_list],
            [_in_order],
            [_no_else, _true_left_out],
            [_printed],
            [True],
        ],
    },
    "repeats_the_mask": {
        "right": [right_twice],
        "stub": lambda layer, inputs: None,
        "wrong": [
            [_two_masks],
            [_evaluation_mode],
            [_called_once],
            [_fixed_seed, _put_back_twice],
            [_printed_masks],
            [_first_alone],
        ],
    },
    "place_in_the_data": {
        "right": [lambda batches: [np.int64(batches // 938 + 1), torch.tensor(batches % 938 * 64)]],
        "stub": lambda batches: None,
        "wrong": [
            [_images_first, _batches_left, _full_batches_alone],
            [_epoch_from_zero, _images_first_of_an_epoch],
            [lambda batches: batches % 938],
            [_with_fractions],
            [_printed_place],
            [_one_branch],
        ],
    },
}
