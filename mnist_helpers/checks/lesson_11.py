"""The checks of lesson 11, many processes."""

from .vocabulary import call, check, compare, near, number


@check(right="Sums are added first and divided last, however the images were split.")
def global_mean(function):
    """``function(means, counts)`` should return the mean over the images of all processes."""
    cases = [
        ([0.5, 0.25], [100, 300]),
        ([0.25, 0.5, 1.0], [64, 64, 64]),
        ([0.75, 0.0, 0.25], [10, 0, 30]),
        ([0.125], [16]),
    ]
    changed = "the function changed the lists that it was given."
    for means, counts in cases:
        answer = number(call(function, means, counts, unchanged=changed))
        if answer is None:
            return "the function should return one number."
        total = sum(mean * count for mean, count in zip(means, counts, strict=True))
        right = total / sum(counts)
        hints = {
            sum(means) / len(means): "the mean of the means: an image of a small share counts for more.",
            total: "the sum over all images; how many were they?",
            total / len(counts): "the sum divided by the number of processes, not by that of the images.",
        }
        otherwise = "how much does each process contribute to the sum of all losses?"
        if min(counts) == 0:
            otherwise = "is the process without an image left out of the sum, and of the count?"
        if near(answer, right, 0.005):
            otherwise = "that is close; do not round."
        if hint := compare(answer, right, hints, otherwise):
            return f"for means {means} and counts {counts} it returned {answer:g}: {hint}"
    return None


@check(right="Blocks or strides, the mean of the gradients is the same: equal shares are what counts.")
def block(function):
    """``function(indices, rank, world)`` should return the block of one process."""
    changed = "the function changed the list that it was given."
    for size, world in [(12, 3), (10, 3), (64, 4), (7, 7), (9, 2), (5, 1)]:
        indices = [(17 * place) % 101 for place in range(size)]  # in no order
        shares = [_as_list(call(function, indices, rank, world, unchanged=changed)) for rank in range(world)]
        if None in shares:
            return "the function should return a list of indices, those of one process."
        if reason := _block_hint(indices, shares, world):
            return f"with {size} indices and {world} process(es) {reason}"
    return None


def _as_list(value) -> list | None:
    """``value`` as a list of numbers, if it is a sequence of them, else None."""
    value = value.tolist() if hasattr(value, "tolist") else value
    items = [number(item) for item in value] if isinstance(value, list | tuple | range) else [None]
    return None if None in items else items


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
    if shares == [indices[rank : each * world : world] for rank in range(world)]:
        strides = "these are strides, spread over the list; a block is a piece without gaps."
        return None if handed == indices[: each * world] else strides
    if handed != indices[: each * world]:
        return "the blocks are not in their order: process 0 has the first, what is left over is last."
    return None


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
    changed = "the function changed the list that it was given."
    for compute, latency, possible in cases:
        answer = number(call(function, compute, latency, possible, unchanged=changed))
        if answer is None:
            return "the function should return one number."
        if answer not in possible:
            wanted = "return the number of processes, not its place in the list or its time"
            return f"it returned {answer:g}, which is not among the numbers {possible}: {wanted}."
        steps = {count: (compute / count, 2 * (count - 1) * latency) for count in possible}
        best, (computing, waiting) = min(map(sum, steps.values())), steps[answer]
        if computing + waiting != best:
            return (
                f"with {compute:g} s of computing and a latency of {latency:g} s it chose {answer:g} of "
                f"{possible}; there a step takes {computing + waiting:.4f} s ({computing:.4f} computing, "
                f"{waiting:.4f} waiting), and another number takes {best:.4f} s."
            )
    return None
