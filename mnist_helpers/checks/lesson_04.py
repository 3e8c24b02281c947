"""The checks of lesson 4, loss curves, and the three runs without a name that one of them asks about."""

import torch

from ..training import History
from .vocabulary import call, check, compare, near, number, tensor

# Training losses, then validation losses, of three runs of Net (batch 64, momentum 0.5, seed 7), rounded,
# and stored rather than trained here, so that they look alike on every machine.
_CURVES = {
    "A": (  # 6,000 images sorted from 9 to 0, rate 0.02.
        "2.25 0.5 1.8 0.13 2.13 1.61 2.99 1.22 2.22 0.94 2.24 1.58 2.23 2.61 2.31 2.54 2.28 2.59 "
        "2.37 2.5 2.28 2.45 2.14 2.34 1.09 2.22 1.23 1.97 0.58 1.74 0.53 1.67 3.36 1.92 3.12 2.1 "
        "2.66 2.28 2.42 2.21 2.4 2.2 2.39 2.17 2.47 2.22 2.53 2.24 2.52 2.24 2.54 2.51 2.31 2.36 "
        "1.91 3.07 2.01 3.03 2.14 2.56 2.15 2.61 2.07 2.85 2.26 2.55 2.09 2.38 1.76 2.2 2.8 2.23 "
        "2.57 1.98 2.51 1.85",
        "2.3 2.31 2.31 2.47 3.04",
    ),
    "B": (  # 6,000 shuffled images, rate 0.002.
        "2.33 2.28 2.3 2.33 2.28 2.3 2.32 2.29 2.3 2.32 2.27 2.27 2.3 2.3 2.3 2.26 2.26 2.25 2.3 "
        "2.31 2.3 2.32 2.27 2.28 2.3 2.29 2.27 2.32 2.29 2.31 2.29 2.28 2.26 2.26 2.28 2.27 2.26 "
        "2.25 2.23 2.29 2.26 2.25 2.26 2.23 2.25 2.23 2.24 2.27 2.27 2.24 2.24 2.24 2.21 2.23 2.23 "
        "2.25 2.23 2.2 2.24 2.21 2.23 2.21 2.21 2.25 2.22 2.21 2.24 2.25 2.19 2.17 2.19 2.17 2.22 "
        "2.2 2.22 2.18",
        "2.3 2.28 2.25 2.22 2.15",
    ),
    "C": (  # 300 images, no dropout, rate 0.08.
        "2.3 2.22 2.05 1.82 1.07 1.96 0.87 0.78 0.35 0.34 0.27 0.17 1.49 0.43 0.1 0.17 0.03 0.06 "
        "0.02 0.02 0.01 0.01 0.01 0 0.01 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
        "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
        "2.3 1.05 0.59 1.05 0.34 0.37 0.38 0.41 0.43 0.44 0.45 0.46 0.46 0.47 0.48 0.48 0.49 0.49 "
        "0.5 0.5 0.51",
    ),
}
_EPOCH = {"A": (6_000, 19), "B": (6_000, 19), "C": (300, 1)}  # images in an epoch, recorded losses

ILLNESSES = ("rate too high", "rate too low", "data not shuffled", "gradients not cleared", "overfitting")
_GALLERY = {  # titles of the lesson's own runs that mean the same
    "not shuffled": "data not shuffled",
    "no zero grad": "gradients not cleared",
    "500 images": "overfitting",
}


def unlabelled_runs() -> dict[str, History]:
    """Return three sick runs, ``{"A": History, ...}``; their ``test_losses`` are validation losses."""
    runs = {}
    for name, curves in _CURVES.items():
        train, validation = ([float(loss) for loss in curve.split()] for curve in curves)
        images, recorded = _EPOCH[name]
        seen = [step // recorded * images + step % recorded * 320 for step in range(len(train))]
        apart = 24_000 // (len(validation) - 1)
        runs[name] = History(
            train_seen=seen,
            train_losses=train,
            test_seen=[apart * index for index in range(len(validation))],
            test_losses=validation,
        )
    return runs


@check(right="Its first value is the first loss, and from there it forgets one part in ten at every step.")
def smooth_exponentially(function):
    """``function(losses, beta)`` returns the corrected exponential average, one value for each loss."""
    losses, beta = [4.0, 2.0, 3.0, 1.0, 1.0, 0.5], 0.9
    answer = call(function, losses, beta)
    if hasattr(answer, "__next__"):
        return "it returned a generator: return a list, which can be read more than once."
    answer = tensor(answer).squeeze()
    if answer.shape != (len(losses),):
        return f"{len(losses)} losses went in, and the shape {tuple(answer.shape)} came out."
    raw, swapped = _averages(losses, beta), _averages(losses, 1 - beta)
    steps = torch.arange(1, len(losses) + 1)
    corrected = raw / (1 - beta**steps)
    exchanged = "beta and 1 - beta have changed places: 0.9 is the weight of the past, 0.1 that of the new."
    hints = {
        raw: "it starts at 0.40, where the first loss is 4. The zero it began from is still in it.",
        _averages(
            losses, beta, losses[0]
        ): "it began from the first loss, not from 0: that one weighs too much.",
        raw / (1 - beta ** (steps - 1).clamp(1)): "the power of beta is one behind; the first is beta ** 1.",
        swapped: exchanged,
        swapped / (1 - (1 - beta) ** steps): exchanged,
        raw / (1 - beta): "it divides by 1 - beta at every step, and not by 1 - beta ** t.",
    }
    expected, came = (", ".join(f"{value:.3f}" for value in values[:3]) for values in (corrected, answer))
    otherwise = f"for the losses 4, 2, 3 and beta 0.9 the averages are {expected}, and it gave {came}."
    if near(answer, corrected, 0.05):
        otherwise = "the values are rounded. Return them as they are; rounding is for printing."
    if reason := compare(answer, corrected, hints, otherwise, within=1e-5):
        return reason
    if near(tensor(call(function, [1.0, 3.0], 0.5)).squeeze(), [1.0, 1.75 / 0.75], 1e-5):
        return None
    return "it is right for beta 0.9, and wrong for beta 0.5. Is 0.9 written into the function?"


def _averages(losses, beta, average=0.0) -> torch.Tensor:
    averages = []
    for loss in losses:
        average = beta * average + (1 - beta) * loss
        averages.append(average)
    return tensor(averages)


@check(right="This is early stopping: the run ends later than the network that is kept.")
def epoch_to_keep(function):
    """``function(losses, patience)`` returns the index of the loss that early stopping keeps."""
    first = {
        2: "It counts epochs from 1. The first entry, index 0, was measured before training.",
        4: "In that epoch patience ran out. Which had the lowest loss until then?",
        5: "That is the 0.3, but three epochs without a new lowest had ended the run before.",
    }
    cases = {
        (2.3, 0.5, 0.6, 0.7, 0.8, 0.3): (1, "The lowest loss seen was 0.5: which index has it?"),
        (3.0, 2.0, 1.0, 0.5, 0.4): (4, "A run whose loss falls to the end keeps its last epoch."),
        (2.3, 0.5, 0.6, 0.4, 0.45): (3, "One bad epoch does not end a run."),
        (2.0, 1.0, 1.4, 1.3, 1.2, 0.9): (1, "Compare with the lowest so far, not with the epoch before."),
        (2.0, 1.0, 1.4, 0.8, 0.9, 0.85, 0.7, 0.75): (6, "A new lowest loss starts the count again."),
        (1.0, 0.5, 0.6, 0.5, 0.6, 0.4): (1, "A loss that equals the lowest is no new lowest."),
    }
    for case, (losses, (index, hint)) in enumerate(cases.items()):
        answer = call(function, list(losses), 3)
        kept = number(answer)
        if kept is None:
            return f"it returned {answer!r}, which is not the index of an epoch."
        if kept != index:
            hint = hint if case else compare(kept, 1, first, hint)
            return f"for {', '.join(map(str, losses))} and a patience of 3 it returned {kept:g}. {hint}"
    return None


@check(
    right="Jumps at every change of digit, a slow straight slide, a gap that opens: each cause has its shape."
    " (The early spike of C is its brisk rate; the run recovers, and the gap stays.)"
)
def name_the_illness(answer):
    """``answer`` is a dict from "A", "B" and "C" to one of ILLNESSES."""
    if not hasattr(answer, "get"):
        return 'the answer is a dict, {"A": ..., "B": ..., "C": ...}.'
    right = {
        "A": (
            "data not shuffled",
            "its training loss swings wildly. What may all images of a batch share?",
        ),
        "B": ("rate too low", "look at both its ends: does it stand still, or does it fall, too slowly?"),
        "C": (
            "overfitting",
            "compare its line with its dots. Which are near 0, and where do the others go?",
        ),
    }
    named = {str(name).upper(): _plain(illness) for name, illness in answer.items() if illness is not None}
    for name in right:
        if name not in named:
            return f"{name} has no name yet."
    for name in right:
        if named[name] not in ILLNESSES:
            return f"{named[name]!r} is not one of: {', '.join(ILLNESSES)}."
    for name, (illness, hint) in right.items():
        if named[name] != illness:
            return f"{name} is not {named[name]!r}: {hint}"
    return None


def _plain(text) -> str:
    plain = " ".join(str(text).lower().replace("_", " ").split())
    return _GALLERY.get(plain, plain)
