"""The checks of lesson 4, loss curves, and the eight runs without a name that one of them asks about."""

from ..training import History
from .vocabulary import call, check, compare, number
from .watched import Watched, batches_of_five, call_training, explain_training

# Training losses, then validation losses, of eight runs (batch 64, momentum 0.5, seeds 7 to 12), rounded,
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
    "D": (  # 6,000 shuffled images, rate 0.02.
        "2.35 2.29 2.26 2.27 2.23 2.23 2.19 2.09 2.0 1.97 1.96 1.92 1.7 1.67 1.36 1.41 1.43 1.31 "
        "1.06 1.2 1.01 1.09 1.0 1.15 1.05 1.09 1.01 0.73 1.04 0.8 0.59 1.27 0.67 0.72 0.67 0.87 "
        "0.85 0.61 0.83 0.61 0.63 0.81 0.81 0.88 0.57 0.59 0.63 0.68 0.91 0.76 0.73 0.65 0.68 0.57 "
        "0.44 0.52 0.65 0.46 0.43 0.49 0.49 0.5 0.51 0.53 0.34 0.62 0.43 0.43 0.54 0.54 0.77 0.39 "
        "0.37 0.49 0.52 0.38",
        "2.33 0.7 0.34 0.25 0.2",
    ),
    "E": (  # the same, rate 0.8.
        "2.31 2.3 2.27 2.56 2.21 2.3 2.32 2.29 2.29 2.3 2.31 2.3 2.27 2.33 2.3 2.24 2.54 2.26 2.34 "
        "2.31 2.3 2.32 2.3 2.35 2.32 2.31 2.31 2.28 2.3 2.31 2.29 2.34 2.31 2.32 2.3 2.3 2.31 2.31 "
        "2.3 2.3 2.3 2.33 2.32 2.32 2.31 2.3 2.32 2.29 2.28 2.32 2.3 2.31 2.3 2.34 2.31 2.3 2.29 "
        "2.32 2.28 2.31 2.27 2.32 2.32 2.31 2.31 2.29 2.31 2.29 2.32 2.3 2.31 2.29 2.29 2.33 2.29 "
        "2.3",
        "2.3 2.31 2.31 2.31 2.32",
    ),
    "F": (  # the same, rate 0.005, gradients never cleared.
        "2.29 2.33 2.29 2.23 2.18 2.03 2.0 1.82 1.43 1.34 1.41 1.45 1.33 1.4 1.48 1.47 1.25 1.3 "
        "1.37 1.2 1.63 1.46 1.71 1.91 1.9 2.67 2.34 2.47 2.31 2.51 2.42 2.36 2.39 2.39 2.33 2.41 "
        "2.32 2.38 2.31 2.39 2.35 2.32 2.37 2.34 2.32 2.35 2.35 2.31 2.29 2.35 2.3 2.35 2.31 2.37 "
        "2.3 2.34 2.34 2.31 2.28 2.36 2.45 2.42 2.35 2.34 2.32 2.29 2.32 2.36 2.33 2.31 2.33 2.29 "
        "2.31 2.35 2.3 2.41",
        "2.3 0.82 2.36 2.35 2.35",
    ),
    "G": (  # the same, rate 0.1, a linear layer on 4 × 4 pixels.
        "3.02 2.15 2.11 1.74 1.61 1.62 1.73 1.56 1.39 1.51 1.59 1.49 1.51 1.74 1.41 1.36 1.32 1.32 "
        "1.56 1.53 1.32 1.13 1.55 1.55 1.38 1.58 1.48 1.14 1.54 1.28 1.46 1.35 1.44 1.4 1.47 1.37 "
        "1.23 1.4 1.34 1.55 1.4 1.19 1.42 1.62 1.42 1.29 1.24 1.3 1.32 1.53 1.27 1.29 1.34 1.42 1.4 "
        "1.14 1.26 1.51 1.14 1.4 1.18 1.52 1.48 1.49 1.35 1.3 1.32 1.21 1.36 1.22 1.45 1.15 1.17 "
        "1.24 1.19 1.53",
        "2.94 1.43 1.37 1.38 1.38",
    ),
    "H": (  # the same, rate 0.03, Net without dropout.
        "2.3 2.24 2.24 2.15 2.03 1.72 1.3 0.9 1.15 0.81 0.56 0.68 0.57 0.66 0.41 0.36 0.78 0.39 0.43 "
        "0.49 0.26 0.23 0.42 0.16 0.21 0.39 0.34 0.13 0.31 0.24 0.25 0.35 0.18 0.17 0.18 0.41 0.21 "
        "0.26 0.3 0.12 0.13 0.31 0.08 0.11 0.29 0.14 0.07 0.19 0.13 0.15 0.27 0.08 0.1 0.11 0.22 "
        "0.13 0.21 0.23 0.09 0.13 0.24 0.05 0.07 0.26 0.07 0.05 0.13 0.08 0.1 0.21 0.06 0.08 0.07 "
        "0.11 0.09 0.18",
        "2.29 0.32 0.2 0.17 0.14",
    ),
}

ILLNESSES = (
    "healthy",
    "rate too high",
    "rate too low",
    "data not shuffled",
    "gradients not cleared",
    "network too small",
    "overfitting",
)


def unlabelled_runs() -> dict[str, History]:
    """Return eight runs, ``{"A": History, ...}``, two of them healthy, with validation as their tests."""
    runs = {}
    for name, curves in _CURVES.items():
        train, validation = ([float(loss) for loss in curve.split()] for curve in curves)
        images, recorded = (300, 1) if name == "C" else (6_000, 19)  # in an epoch
        seen = [step // recorded * images + step % recorded * 320 for step in range(len(train))]
        apart = 24_000 // (len(validation) - 1)
        runs[name] = History(
            train_seen=seen,
            train_losses=train,
            test_seen=[apart * index for index in range(len(validation))],
            test_losses=validation,
        )
    return runs


@check(right="A network this large learns any batch by heart, if the loop is right.")
def by_heart(function):
    """``function(network, optimizer, images, labels, steps)`` trains on one batch; the list of its losses."""
    network, batches = Watched(), 40 * batches_of_five()[:1]
    losses = call_training(function, network, network.optimizer, *batches[0], len(batches))
    if reason := explain_training(network, losses, batches):
        return reason
    if any(network.modes):
        return "dropout was on: the network arrived in training mode. Which mode switches dropout off?"
    return None


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
    right="Each cause has its shape: teeth, a slide, a gap, a fall and a turn, two lines that stay high."
    " H has no dropout, so its dots lie on the line: healthy as well."
)
def name_the_illness(answer):
    """``answer`` is a dict from "A" to "H" to one of ILLNESSES."""
    if not hasattr(answer, "get"):
        return 'the answer is a dict, {"A": ..., "B": ..., and so on to "H"}.'
    right = {
        "A": ("data not shuffled", "its training loss swings wildly. What may a batch have in common?"),
        "B": ("rate too low", "look at both its ends: does it stand still, or does it fall, too slowly?"),
        "C": ("overfitting", "compare its line with its dots. Which are near 0, and where do the others go?"),
        "D": ("healthy", "a fast fall, a long tail, dots below the line. What is wrong with that?"),
        "E": ("rate too high", "look at its first few values. Does a slow run leap like that?"),
        "F": ("gradients not cleared", "it learned at first. What turned it round, and sent it to ln 10?"),
        "G": (
            "network too small",
            "it falls, and then line and dots stay at one level. What would lower it?",
        ),
        "H": ("healthy", "line and dots fall, and stay together. What could be better about that?"),
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
    return " ".join(str(text).lower().replace("_", " ").split())
