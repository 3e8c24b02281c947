"""The checks of lesson 12, drawings."""

import torch

from .vocabulary import call, check, compare, number, pair_of_numbers, wrong_kind


@check(right="Moved by that, the centre of mass lies in the middle, as in every image of MNIST.")
def way_to_the_middle(function):
    """``function(image)`` returns how many rows down and columns right bring its mass to 14, 14."""
    image = torch.zeros(28, 28)
    image[2:6, 3:5] = 100
    image[6, 3:9] = 200
    mass = image.sum()
    row = ((image.sum(dim=1) * torch.arange(28)).sum() / mass).item()
    column = ((image.sum(dim=0) * torch.arange(28)).sum() / mass).item()
    down, right = 14 - row, 14 - column
    asked = "the answer is a pair of numbers: rows down, columns to the right."
    answer = pair_of_numbers(call(function, image), asked)
    lit = image.nonzero().double()
    box = tuple((14 - (lit.min(dim=0).values + lit.max(dim=0).values) / 2).tolist())
    unweighted = tuple((14 - lit.mean(dim=0)).tolist())
    turned = "the sizes are right and the directions are not: which way does the digit have to go?"
    hints = {
        (right, down): "these are the right two numbers the wrong way round: rows first, then columns.",
        (-down, -right): turned,
        (row, column): "this is where the centre of mass lies; how far is it from there to 14?",
        (13.5 - row, 13.5 - column): "13.5 is the middle of the field; in MNIST the mass lies at 14.",
        unweighted: "each lit pixel counts the same here; a bright one weighs more.",
        box: "this is the middle of the box around the digit, not of its mass.",
    }
    otherwise = f"for a digit whose mass lies at row {row:.2f}, column {column:.2f} it says {[*answer]}."
    return compare(answer, (down, right), hints, otherwise, within=1e-3)


@check(right="That is the accuracy to expect there, if each digit is read as well as here.")
def accuracy_elsewhere(function):
    """``function(accuracies, counts)`` returns the accuracy where digit d comes counts[d] times."""
    accuracies = torch.tensor([0.99, 0.98, 0.9, 0.95, 0.97, 0.92, 0.96, 0.8, 0.91, 0.85])
    counts = torch.tensor([10, 700, 20, 30, 5, 5, 10, 15, 5, 0])
    answer = call(function, accuracies, counts)
    if number(answer) is None:
        return wrong_kind(answer, "one number")
    total, images = (accuracies * counts).sum().item(), counts.sum().item()
    hints = {
        accuracies.mean().item(): "every digit counts the same in it; most of those there are 1.",
        total: "this is how many are read correctly; of how many?",
        100 * total / images: "that is a percentage; a share lies between 0 and 1.",
        total / 10: "that divides by the ten digits; divide by the number of images.",
    }
    otherwise = "weigh each accuracy by how often its digit comes."
    return compare(number(answer), total / images, hints, otherwise, within=1e-4)


@check(right="Chosen like this, it holds on images of this kind, and promises nothing about others.")
def least_threshold(function):
    """``function(confidence, hits, wanted)`` returns the smallest confidence that is kept, of those given."""
    confidence = torch.tensor([0.95, 0.4, 0.99, 0.6, 0.7, 0.5, 0.9, 0.8])
    hits = torch.tensor([True, False, True, False, True, True, True, False])
    for wanted in (0.8, 1.0, 0.6):
        answer = call(function, confidence, hits, wanted)
        if number(answer) is None:
            return wrong_kind(answer, "one number, a confidence")
        shares = {level: hits[confidence >= level].double().mean().item() for level in confidence.tolist()}
        enough = [level for level, share in shares.items() if share >= wanted]
        above = {level: hits[confidence > level].double().mean().item() for level in shares}
        strict = min(level for level, share in above.items() if share >= wanted)
        too_large = "answers below it would be right often enough too: take the smallest such confidence."
        hints = {
            max(enough): too_large,
            wanted: "the accuracy wanted is not a confidence; which confidences give it?",
            strict: "an answer exactly at the threshold is given as well: >=, not >.",
            min(shares): "with that threshold every answer is given, right often enough or not.",
        }
        claim = f"for an accuracy of {wanted:.0%} it says {number(answer):g}"
        otherwise = f"{claim}; look at the table of all levels."
        if reason := compare(number(answer), min(enough), hints, otherwise, 1e-4):
            return reason
    return None
