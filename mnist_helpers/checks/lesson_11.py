"""The checks of lesson 11, many processes."""

import math

from .vocabulary import call, check, number


@check(right="Sums are added first and divided last, whoever had how many.")
def global_mean(function):
    """``function(means, counts)`` should return the mean over the images of all processes."""
    cases = [
        ([0.5, 0.25], [100, 300]),
        ([0.25, 0.5, 1.0], [64, 64, 64]),
        ([0.75, 0.0, 0.25], [10, 0, 30]),
        ([0.125], [16]),
    ]
    for means, counts in cases:
        given = list(means), list(counts)
        answer = number(call(function, *given))
        if given != (means, counts):
            return "the function changed the lists that it was given."
        if answer is None:
            return "the function should return one number."
        total = sum(mean * count for mean, count in zip(means, counts, strict=True))
        if not math.isclose(answer, total / sum(counts), rel_tol=1e-6):
            return _mean_hint(answer, means, counts, total)
    return None


def _mean_hint(answer: float, means: list, counts: list, total: float) -> str:
    said = f"for means {means} and counts {counts} it returned {answer:g}: "
    if math.isclose(answer, sum(means) / len(means), rel_tol=1e-6):
        return said + "that is the mean of the means, in which an image of a small share counts for more."
    if math.isclose(answer, total, rel_tol=1e-6):
        return said + "that is the sum over all images; how many were they?"
    if math.isclose(answer, total / len(counts), rel_tol=1e-6):
        return said + "the sum was divided by the number of processes, not by that of the images."
    if math.isclose(answer, total / sum(counts), abs_tol=0.005):
        return said + "that is close; do not round."
    if min(counts) == 0:
        return said + "is the process without an image left out of the sum, and of the count?"
    return said + "how much does each process contribute to the sum of all losses?"


@check(right="Blocks or strides, the mean of the gradients is the same: equal shares are what counts.")
def block(function):
    """``function(indices, rank, world)`` should return the block of one process."""
    for size, world in [(12, 3), (10, 3), (64, 4), (7, 7), (9, 2), (5, 1)]:
        indices = [(17 * place) % 101 for place in range(size)]  # in no order
        shares = []
        for rank in range(world):
            given = list(indices)
            share = _as_list(call(function, given, rank, world))
            if share is None:
                return "the function should return a list of indices, those of one process."
            if given != indices:
                return "the function changed the list that it was given."
            shares.append(share)
        if reason := _block_hint(indices, shares, world):
            return f"with {size} indices and {world} process(es) {reason}"
    return None


def _block_hint(indices: list, shares: list, world: int) -> str | None:
    sizes, each = [len(share) for share in shares], len(indices) // world
    handed = [index for share in shares for index in share]
    if set(handed) - set(indices):
        return "the shares hold numbers that are not in the list; return its elements, not their places."
    if len(set(handed)) < len(handed):
        return "some indices are handed out twice."
    if len(set(sizes)) > 1:
        return f"the shares have the sizes {sizes}; they should have one size."
    if sizes[0] == 0:
        return "the shares are empty; does a slice end at -0? That is 0, the beginning of the list."
    if sizes[0] != each:
        return f"each share has {sizes[0]} of the indices, and {each} are possible."
    if handed == indices[: each * world]:
        return None
    if shares == [indices[rank : each * world : world] for rank in range(world)]:
        return "these are strides, spread over the list; a block is a piece without gaps."
    return "the blocks are not in their order: process 0 has the first, what is left over is last."


@check(right="With fewer the computing dominates, with more the waiting; the best lies between.")
def fastest(function):
    """``function(compute, latency, numbers)`` should return the number with the shortest step."""
    powers = [1, 2, 4, 8, 16, 32, 64, 128]
    cases = [
        (0.8, 4e-4, powers),  # 32
        (0.05, 0.1, powers),  # 1: never worth it
        (50.0, 1e-5, powers),  # 128: the most
        (0.9, 1e-3, [24, 3, 12, 48]),  # 24, in no order
        (0.9, 1.2e-3, [2, 200]),  # 2
        (1.0, 1.9e-3, [8, 16, 32]),  # 16; it would be 32 if the messages were half as many
        (0.543, 5e-4, [16, 32]),  # 32, although 16 is nearer to the best number of all, 23
    ]
    for compute, latency, possible in cases:
        given = list(possible)
        answer = number(call(function, compute, latency, given))
        if given != possible:
            return "the function changed the list that it was given."
        if answer is None:
            return "the function should return one number."
        if answer not in possible:
            return (
                f"it returned {answer:g}, which is not among the numbers {possible}: return the number of "
                "processes, not its place in the list or its time."
            )
        if reason := _fastest_hint(int(answer), compute, latency, possible):
            return reason
    return None


def _fastest_hint(answer: int, compute: float, latency: float, possible: list) -> str | None:
    def step(processes):
        return compute / processes + 2 * (processes - 1) * latency

    best = min(possible, key=step)
    if answer == best:
        return None
    return (
        f"with {compute:g} s of computing and a latency of {latency:g} s it chose {answer} of {possible}; "
        f"there a step takes {step(answer):.4f} s ({compute / answer:.4f} computing, "
        f"{2 * (answer - 1) * latency:.4f} waiting), and another number takes {step(best):.4f} s."
    )


def _as_list(value) -> list | None:
    """``value`` as a list of numbers, if it is a sequence of them, else None."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, (list, tuple, range)):
        return None
    items = [number(item) for item in value]
    return None if None in items else items
