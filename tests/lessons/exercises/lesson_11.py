"""Answers that students give to the exercises of lesson 11."""

import numpy as np
import torch


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
        "stub": lambda means, counts: None,
        "wrong": [
            (_mean_of_means, "the mean of the means"),
            (_without_empty, "the mean of the means"),
            (_sum, "how many were they"),
            (_by_processes, "by the number of processes"),
            (_one_for_the_empty, "the process without an image"),
            (_rounded, "do not round"),
            (_largest, "how much does each process contribute"),
            (_list, "one number"),
            (_popping, "changed the lists"),
            (lambda means, counts: torch.tensor(means).mean(), "the mean of the means"),
            (lambda means, counts: np.mean(means), "the mean of the means"),
            (lambda means, counts: "0.3", "one number"),
            (0.3125, "TypeError"),
        ],
    },
    "block": {
        "stub": lambda indices, rank, world: None,
        "wrong": [
            (_strides, "these are strides"),
            (_strides_and_rest, "these are strides"),
            (_rounded_up, "sizes [4, 4, 2]"),
            (_cut_from_the_end, "end at -0"),
            (_all_blocks, "those of one process"),
            (_rest_to_the_last, "sizes [3, 3, 4]"),
            (_from_one, "sizes [0, 4, 4]"),
            (_the_same, "handed out twice"),
            (_all, "handed out twice"),
            (_places, "not their places"),
            (_reversed, "in their order"),
            (_from_the_end, "in their order"),
            (_half_empty, "has 3 of the indices, and 4 are possible"),
            (_sorting, "changed the list"),
            (_length, "return a list"),
            ([0, 1, 2, 3], "TypeError"),
        ],
    },
    "fastest": {
        "stub": lambda compute, latency, numbers: None,
        "wrong": [
            (_most, "it chose 128"),
            (_least, "it chose 1 of"),
            (_without_waiting, "another number takes"),
            (_constant_waiting, "it chose 128"),
            (_not_shared, "it chose 1 of"),
            (_one_way, "another number takes"),
            (_slowest, "another number takes"),
            (_seconds, "not its place in the list or its time"),
            (_place, "not its place in the list or its time"),
            (_nearest_to_root, "it chose 16 of [16, 32]"),
            (_root, "not among the numbers"),
            (_all_steps, "one number"),
            (_sorted_in_place, "changed the list"),
            (32, "TypeError"),
        ],
    },
}
