"""Lesson 11: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
import csv
import json
rows = list(csv.DictReader(open(run / "metrics.csv", encoding="utf-8", newline="")))
config = json.loads((run / "config.json").read_text(encoding="utf-8"))
values = {
    "hello": sorted(lines),
    "gradients": [len(whole), difference],
    "unequal": [(answer - whole).abs().max().item() for answer in (plain_mean, weighted)],
    "by hand": largest_difference(by_hand, results["no layer"]),
    "not averaged": largest_difference(by_hand, results["not averaged"]),
    "differences": differences,
    "accuracies": accuracies,
    "running": results["batch norm"]["2.running_mean"].abs().max().item(),
    "padded": [len(sampler) for sampler in samplers],
    "shares": [counts.total(), twice],
    "processes": [part["processes"] for part in (config["started"], *config["resumed"])],
    "notes": [int(row["step"]) for row in rows if row["train_loss"]],
    "evaluations": [int(row["epoch"]) for row in rows if row["validation_loss"]],
    "stopped": [epoch, taken, len(kept["random"]["others"])],
    "fell": seconds_to_end,
    "apart": apart,
    "ends": [history.test_accuracies, unbroken_history.test_accuracies],
    "exchanges": exchanges,
    "compute": list(compute.values()),
    "two": list(two_steps),
    "model": [fixed, per_image],
    "trained": [len(batches), *losses],
    "best": [best[1], best[1000]],
    "threads": torch.get_num_threads() == threads,
}
"""


def verify(values):
    assert values["hello"] == [f"process {rank} of 2: {10 + rank} before, 21 after" for rank in (0, 1)]
    count, difference = values["gradients"]
    assert count == 784 * 100 + 100 + 100 * 10 + 10
    assert difference < 1e-12
    plain_mean, weighted = values["unequal"]
    assert weighted < 1e-12 < 1e-4 < plain_mean

    assert values["by hand"] < 1e-12 < 1e-3 < values["not averaged"]
    differences, accuracies = values["differences"], values["accuracies"]
    assert list(differences) == list(accuracies) == ["no layer", "dropout", "batch norm"]
    assert differences["no layer"] < 1e-12
    assert min(differences["dropout"], differences["batch norm"]) > 1e-4
    assert all(0.75 < accuracy < 0.95 for pair in accuracies.values() for accuracy in pair)
    assert values["running"] > 0

    assert values["padded"] == [3334] * 3
    assert values["shares"] == [10_000, []]

    assert values["processes"] == [2, 2]
    # Those of two epochs, the second trained by the notebook, and of the third before the fiftieth step.
    assert values["notes"] == [0, 40, 80, 120, 157, 197, 237, 277, 314, 354]
    assert values["evaluations"] == [0, 1, 2]
    assert values["stopped"] == [3, 40 * 64, 1]
    assert 0 < values["fell"] < 60
    assert values["apart"] < 1e-4
    ours, theirs = values["ends"]
    assert len(ours) == len(theirs) == 4
    assert all(abs(one - other) < 0.002 for one, other in zip(ours, theirs, strict=True))
    assert 0.87 < ours[-1] < 0.92

    small, _, large = values["exchanges"]
    assert 0 < small < large
    assert all(0 < took < 5 for took in (*values["compute"], *values["two"]))
    steps, before, after = values["trained"]
    assert steps == 30
    assert after < 1 < before
    fixed, per_image = values["model"]
    assert fixed >= 0
    assert per_image > 0
    net, thousand = values["best"]
    assert 1 < net < 1024
    assert thousand >= net
    assert values["threads"]


def _mean_of_means(means, counts):
    return sum(means) / len(means)


def _sum(means, counts):
    return sum(mean * count for mean, count in zip(means, counts, strict=True))


def _by_processes(means, counts):
    return _sum(means, counts) / len(counts)


def _without_empty(means, counts):
    some = [(mean, count) for mean, count in zip(means, counts, strict=True) if count]
    return sum(mean for mean, _ in some) / len(some)


def _one_for_the_empty(means, counts):
    counts = [max(count, 1) for count in counts]
    return _sum(means, counts) / sum(counts)


def _rounded(means, counts):
    return round(_sum(means, counts) / sum(counts), 2)


def _largest(means, counts):
    return means[counts.index(max(counts))]


def _list(means, counts):
    return [mean * count / sum(counts) for mean, count in zip(means, counts, strict=True)]


def _printed(means, counts):
    print(_sum(means, counts) / sum(counts))


def _popping(means, counts):
    whole, total = _sum(means, counts), sum(counts)
    means.pop()
    return whole / total


def _strides(indices, rank, world):
    return indices[rank : len(indices) - len(indices) % world : world]


def _strides_and_rest(indices, rank, world):
    return indices[rank::world]


def _rounded_up(indices, rank, world):
    size = -(-len(indices) // world)
    return indices[rank * size : (rank + 1) * size]


def _cut_from_the_end(indices, rank, world):
    whole = indices[: -(len(indices) % world)]
    return _right_block(whole, rank, world)


def _all_blocks(indices, rank, world):
    return [_right_block(indices, one, world) for one in range(world)]


def _rest_to_the_last(indices, rank, world):
    size = len(indices) // world
    return indices[rank * size : (rank + 1) * size if rank < world - 1 else None]


def _from_one(indices, rank, world):
    size = len(indices) // world
    return indices[(rank - 1) * size : rank * size]


def _the_same(indices, rank, world):
    return indices[: len(indices) // world]


def _all(indices, rank, world):
    return indices


def _places(indices, rank, world):
    size = len(indices) // world
    return list(range(rank * size, (rank + 1) * size))


def _reversed(indices, rank, world):
    return _right_block(indices, world - 1 - rank, world)


def _from_the_end(indices, rank, world):
    return _right_block(indices[len(indices) % world :], rank, world)


def _half_empty(indices, rank, world):
    return _right_block(indices, rank, world)[:-1]


def _right_block(indices, rank, world):
    size = len(indices) // world
    return indices[rank * size : (rank + 1) * size]


def _sorting(indices, rank, world):
    indices.sort()
    return _right_block(indices, rank, world)


def _length(indices, rank, world):
    return len(indices) // world


def _most(compute, latency, numbers):
    return max(numbers)


def _least(compute, latency, numbers):
    return min(numbers)


def _step(compute, latency, processes):
    return compute / processes + 2 * (processes - 1) * latency


def _without_waiting(compute, latency, numbers):
    return min(numbers, key=lambda p: compute / p)


def _one_way(compute, latency, numbers):
    return min(numbers, key=lambda p: compute / p + (p - 1) * latency)


def _constant_waiting(compute, latency, numbers):
    return min(numbers, key=lambda p: compute / p + 2 * latency)


def _not_shared(compute, latency, numbers):
    return min(numbers, key=lambda p: compute + 2 * (p - 1) * latency)


def _slowest(compute, latency, numbers):
    return max(numbers, key=lambda p: _step(compute, latency, p))


def _seconds(compute, latency, numbers):
    return min(_step(compute, latency, p) for p in numbers)


def _place(compute, latency, numbers):
    steps = [_step(compute, latency, p) for p in numbers]
    return steps.index(min(steps))


def _root(compute, latency, numbers):
    return (compute / (2 * latency)) ** 0.5


def _nearest_to_root(compute, latency, numbers):
    return min(numbers, key=lambda p: abs(p - (compute / (2 * latency)) ** 0.5))


def _all_steps(compute, latency, numbers):
    return [_step(compute, latency, p) for p in numbers]


def _sorted_in_place(compute, latency, numbers):
    numbers.sort(key=lambda p: _step(compute, latency, p))
    return numbers[0]


CASES = {
    "global_mean": {
        "right": [lambda means, counts: np.average(means, weights=counts)],
        "stub": lambda means, counts: None,
        "wrong": [
            [
                _mean_of_means,
                _without_empty,
                lambda means, counts: torch.tensor(means).mean(),
                lambda means, counts: np.mean(means),
            ],
            [_sum],
            [_by_processes],
            [_one_for_the_empty],
            [_rounded],
            [_largest],
            [_list, lambda means, counts: "0.3"],
            [_popping],
            [0.3125],
        ],
    },
    "block": {
        "right": [
            lambda indices, rank, world: np.array(indices[: len(indices) // world * world]).reshape(
                world, -1
            )[rank]
        ],
        "stub": lambda indices, rank, world: None,
        "wrong": [
            [_strides, _strides_and_rest],
            [_rounded_up, _rest_to_the_last, _from_one],
            [_cut_from_the_end],
            [_all_blocks, _length],
            [_the_same, _all],
            [_places],
            [_reversed, _from_the_end],
            [_half_empty],
            [_sorting],
            [[0, 1, 2, 3]],
        ],
    },
    "fastest": {
        "right": [
            lambda compute, latency, counts: np.float64(
                min(counts, key=lambda p: compute / p + 2 * p * latency)
            )
        ],
        "stub": lambda compute, latency, numbers: None,
        "wrong": [
            [
                _most,
                _least,
                _without_waiting,
                _constant_waiting,
                _not_shared,
                _one_way,
                _slowest,
                _nearest_to_root,
            ],
            [_seconds, _place, _root],
            [_all_steps],
            [_sorted_in_place],
            [32],
        ],
    },
}
