"""Lesson 6: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
from mnist_helpers.checkpoints import read_checkpoint as read
final = read(path)
values = {
    "start": [start.name, saved["sampler"]["epoch"] - 1],
    "parts": list(saved),
    "final": [
        final["sampler"]["epoch"] - 1,
        {name: len(kept) for name, kept in final["history"].items() if name != "seen"},
    ],
    "test_seen": history.test_seen,
    "train_seen_grows": all(a < b for a, b in zip(history.train_seen, history.train_seen[1:])),
    "mistakes": mistakes,
    "old_moved": not all(torch.equal(weights, pair["network"][name]) for name, weights in old.items()),
    "continued_moved": not as_saved(continued_network, pair["network"]),
    "held": held[0] is not continued_network.conv1.weight,
    "apart": apart,
    "small": len(small.dataset),
    "stopped": stopped_at,
    "equal": equal,
    "histories": one["history"] == other["history"],
    "victim": victim.fc1.weight.max().item(),
    "written_out": run_state.__module__,
    "scratch": folder.exists(),
    "files": sorted(file.name for file in Path("checkpoints").iterdir()),
}
"""


def verify(values):
    name, start = values["start"]
    assert (name, start) in (("lesson_03.pt", 3), ("lesson_06_start.pt", 1))
    assert values["parts"] == ["format", "model", "optimizer", "sampler", "random", "history"]
    epochs, lengths = values["final"]
    assert epochs == start + 3
    assert lengths["test_losses"] == lengths["test_seen"] == lengths["test_accuracies"] == epochs + 1
    assert lengths["train_losses"] == lengths["train_seen"] == 938 * epochs
    assert values["test_seen"] == [60_000 * epoch for epoch in range(epochs + 1)]
    assert values["train_seen_grows"]
    assert 150 < values["mistakes"][-1] < 350
    assert values["mistakes"][-1] < values["mistakes"][start]
    assert values["old_moved"] is True
    assert values["continued_moved"] is False
    assert values["held"]
    assert values["small"] == 6_000
    assert values["apart"].pop("nothing") == 0
    assert len(values["apart"]) == 3
    assert all(1e-5 < difference < 1 for difference in values["apart"].values())
    epoch, step = values["stopped"]
    assert epoch == start
    assert step == 300
    assert values["equal"] == [True] * 8
    assert values["histories"]
    assert values["victim"] > 1e30
    assert values["written_out"] == "__main__"
    assert values["scratch"] is False
    assert set(values["files"]) >= {"lesson_06.pt", name}


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
