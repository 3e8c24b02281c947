"""The checks of lesson 1, data exploration."""

import torch

from ..data import MNIST_MEAN, MNIST_STD, load_mnist
from .vocabulary import call, check, compare, near, pair, tensor


@check(right="Four pixels in five are blank paper; a digit is recognised by the few that are not.")
def share_of_zeros(answer):
    """``answer`` is a number: the share of all training pixels that are exactly 0, to three decimals."""
    if isinstance(answer, str):
        return f"{answer!r} is text. Give the share as a number, without quotation marks."
    values = torch.as_tensor(answer if hasattr(answer, "__len__") else float(answer))
    if values.numel() != 1:
        return f"it has {values.numel():,} numbers. Give one share, of the pixels of all images together."
    share = values.item()
    if share == 0:
        return "it is 0. The division // drops the decimals; a single / keeps them."
    if share > 100:
        return f"{share:,.0f} looks like a count. A share is that count divided by the number of all pixels."
    if share > 1:
        return f"{share:g} is above 1. A share is a part of the whole, between 0 and 1, and not a percentage."
    train, test = load_mnist()
    sets = (train.images, train.images[0], test.images)
    right, first, tests = (1 - images.count_nonzero().item() / images.numel() for images in sets)
    if abs(share - (1 - right)) < 0.0015:
        return f"{share:.4f} is the share of the pixels that are above 0. The question is about the others."
    hints = {
        first: f"{share:.4f} is the share in the first image alone. Take all of train.images.",
        tests: f"{share:.4f} is the share in the test set. Take train.images.",
    }
    otherwise = f"{share:.4f} is not it. Compare all of train.images with 0 and count how often that is true."
    if abs(share - right) < 0.01:
        otherwise = f"{share:g} is close, but not close enough. Give three decimals, or the exact quotient."
    return compare(share, right, hints, otherwise, within=1e-3)


@check(right="Each pixel of its 3 is the mean of 6,131: bright where nearly everybody's 3 has ink.")
def mean_image(function):
    """``function(digit)`` returns the mean of the training images of a digit, (28, 28), 0 to 255."""
    train, test = load_mnist()
    means, of_test, counts = _mean_images(train), _mean_images(test), train.labels.bincount()
    everything = torch.einsum("d,dyx->yx", counts / 60_000, means)
    for digit in (3, 8):
        mean = tensor(call(function, digit))
        shape = tuple(mean.shape)
        if shape != (28, 28) and mean.numel() == 784:
            return f"the shape is {shape}: as many numbers as an image has. A reshape makes it (28, 28)."
        if shape != (28, 28):
            counted = "Which dimension counts the images? The mean goes along it."
            return f"the shape is {shape}, not (28, 28). {counted}"
        if mean.max() > 255:
            return (
                f"the brightest pixel is {mean.max():,.0f}, above 255. Divide the sum by how many there are."
            )
        right = means[digit]
        hints = {
            right / 255: f"its values end at {mean.max():.2f}. Leave the pixels as they are, from 0 to 255.",
            everything: "this is the mean of all 60,000 images. First choose the digit's, by their labels.",
            right * counts[digit] / 60_000: "the sum is divided by 60,000; divide by how many were summed.",
            of_test[digit]: "this is the mean of the test set's images. Take train.images.",
        }
        for other in range(10):
            given = "What are the labels compared with?"
            hints[means[other]] = f"for the digit {digit} this is the mean of the digit {other}. {given}"
        furthest = (mean - right).abs().max()
        otherwise = f"for the digit {digit} it is off by up to {furthest:.0f}. Draw it with show_digits."
        if furthest < 1:
            otherwise = "it is right to within 1, but the decimals are lost. Leave the mean as a float."
        if reason := compare(mean, right, hints, otherwise, within=0.01):
            return reason
    return None


def _mean_images(digits) -> torch.Tensor:
    """The mean image of each digit, (10, 28, 28) float32, 0 to 255."""
    return torch.stack([digits.images[digits.labels == digit].float().mean(dim=0) for digit in range(10)])


@check(right="All 256 levels of brightness survive the way there and back: normalising loses nothing.")
def undo(function):
    """``function`` turns normalised float32 images (B, 28, 28) back into the uint8 images (B, 28, 28)."""
    images = load_mnist()[0].images[:64].clone()
    images[0].view(-1)[:256] = torch.arange(256, dtype=torch.uint8)  # every level at least once
    normalised = (images / 255 - MNIST_MEAN) / MNIST_STD
    back = torch.as_tensor(call(function, normalised)).detach().cpu()
    if back.shape != images.shape:
        return f"the shape went in as {tuple(images.shape)} and came back as {tuple(back.shape)}."
    if back.dtype != torch.uint8:
        if near(back, normalised):
            return "the images came back as they went in, still normalised."
        if near(back, images, within=0.01):
            return f"the values are right, but their dtype is {back.dtype}. Pixels were torch.uint8."
        return f"the dtype is {back.dtype}, and the values go from {back.min():.2f} to {back.max():.2f}."
    difference = (back.int() - images.int()).abs()
    share = (difference > 0).double().mean()
    if difference.max() > 1:
        order = "Undo the division by 255, the mean and the standard deviation, the last one first."
        return f"{share:.1%} of the pixels are wrong, by up to {difference.max()}. {order}"
    if difference.max() == 1:
        return f"{share:.1%} of the pixels are off by 1. uint8 drops decimals: what should 252.99998 become?"
    return None


@check(right="Fives read as threes, 118 of the 892 fives: nearer to the mean 3 than to the mean 5.")
def most_common_mistake(answer):
    """``answer`` is (label, guess): the pair that is most common among the baseline's mistakes."""
    digits = pair(answer, "the answer is a pair of digits: (label, guess).")
    if any(isinstance(part, tuple | list) for part in digits):
        return "this still contains the count. Give the pair alone: (label, guess)."
    label, guess = map(int, digits)
    if not (0 <= label <= 9 and 0 <= guess <= 9):
        return f"({label}, {guess}) is not a pair of digits from 0 to 9: the label, then the guess."
    if label == guess:
        return f"a {label} read as {guess} is no mistake. Count only where guess and label differ."
    counts = _mistakes()
    behind = counts.max() - counts[label, guess]
    times = f"a {label} read as {guess} happens {counts[label, guess]} times; another mistake is more common."
    if 0 < behind < 5:
        return f"{times} It is very close: {behind} more often."
    if behind and counts[guess, label] == counts.max():
        return f"{times} Does the label come first in your pair?"
    return times if behind else None


def _mistakes() -> torch.Tensor:
    """How often the nearest mean image reads label i of the test set as j, (10, 10), with a diagonal of 0."""
    train, test = load_mnist()
    images, means = test.images.flatten(1).float(), _mean_images(train).flatten(1)
    distances = torch.cdist(images, means, compute_mode="donot_use_mm_for_euclid_dist")  # (10000, 10)
    pairs = test.labels * 10 + distances.argmin(dim=1)
    return pairs.bincount(minlength=100).view(10, 10).fill_diagonal_(0)
