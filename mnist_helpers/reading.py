"""What a network reads in images as they are stored: uint8, 28 by 28."""

import torch

from .data import Digits, NormalisedDigits

AT_ONCE = 1000  # images


@torch.no_grad()
def probabilities(network, digits) -> torch.Tensor:
    """Return a network's probabilities for digits, uint8 (N, 28, 28): float32 (N, 10), on the CPU.

    The network is used in the mode it is in.
    """
    no_labels = torch.zeros(len(digits), dtype=torch.int64)  # they are what is asked for
    images = NormalisedDigits(Digits(digits, no_labels)).images  # (N, 1, 28, 28)
    device = next(network.parameters()).device
    batches = [network(batch.to(device)).softmax(dim=1).cpu() for batch in images.split(AT_ONCE)]
    return torch.cat(batches)


def confusion_matrix(labels, predictions) -> torch.Tensor:
    """Return how often each label was read as each digit, counted as in lesson 5: int64 (10, 10).

    ``labels`` and ``predictions`` are int64 (N,); rows are labels, columns predictions.
    """
    return torch.bincount(10 * labels + predictions, minlength=100).view(10, 10)
