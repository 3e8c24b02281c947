"""Answers that students give to the exercises of lesson 3."""

import torch
from torch.nn import functional as F


def _forgets_zero_grad(network, optimizer, images, labels):
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _forgets_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    return loss.item()


def _clears_before_the_step(network, optimizer, images, labels):
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _steps_before_backward(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


def _clears_afterwards(network, optimizer, images, labels):
    loss = _forgets_zero_grad(network, optimizer, images, labels)
    optimizer.zero_grad()
    return loss


def _right_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    return _forgets_zero_grad(network, optimizer, images, labels)


def _returns_the_graph(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def _returns_nothing(network, optimizer, images, labels):
    _right_step(network, optimizer, images, labels)


def _returns_the_loss_after(network, optimizer, images, labels):
    _right_step(network, optimizer, images, labels)
    return F.cross_entropy(network(images), labels).item()


def _sums_the_losses(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


def _trains_on(loss_of):
    """A step whose only fault is its loss."""

    def step(network, optimizer, images, labels):
        optimizer.zero_grad()
        loss = loss_of(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


_softmax_first = _trains_on(lambda logits, labels: F.cross_entropy(logits.softmax(dim=1), labels))
_nll_of_logits = _trains_on(F.nll_loss)
_swapped = _trains_on(lambda logits, labels: F.cross_entropy(labels, logits))


def _switches_the_mode(network, optimizer, images, labels):
    network.eval()
    return _right_step(network, optimizer, images, labels)


def _returns_a_detached_tensor(network, optimizer, images, labels):
    return torch.tensor(_right_step(network, optimizer, images, labels), dtype=torch.float64)


def _returns_text(network, optimizer, images, labels):
    return str(_right_step(network, optimizer, images, labels))


def _in_a_loop(step, network, optimizer, batches):
    return [step(network, optimizer, images, labels) for images, labels in batches]


def _as_given(network, optimizer, batches):
    losses = []
    for images, labels in batches:
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss)
    return losses


def _stays_in_evaluation(network, optimizer, batches):
    return _in_a_loop(_right_step, network, optimizer, batches)


def _trains(step):
    def repaired(network, optimizer, batches):
        network.train()
        return _in_a_loop(step, network, optimizer, batches)

    return repaired


def _first_loss_alone(network, optimizer, batches):
    network.train()
    return _in_a_loop(_right_step, network, optimizer, batches)[0]


CASES = {
    "gradient_by_hand": {
        "stub": None,
        "wrong": [
            ((9, 3), "above or below"),
            (torch.tensor([-3.0, -3.0]), "inner derivative"),
            ((-9, -9), "when b grows"),
            ([-4.5, -1.5], "a square"),
            ((-3, -9), "wrong way round"),
            ((-9, 2.25), "look at b"),
            ((2.25, -3), "look at w"),
            (-9.0, "a pair"),
            (("-9", "-3"), "should be a number"),
            ((None, None), "should be a number"),
            ({"dw": -9, "db": -3}, "a pair"),
        ],
    },
    "step": {
        "stub": lambda network, optimizer, images, labels: None,
        "wrong": [
            (_forgets_zero_grad, "added up"),
            (_clears_afterwards, "added up"),
            (_forgets_step, "which call"),
            (_clears_before_the_step, "found no gradient"),
            (_steps_before_backward, "found no gradient"),
            (_sums_the_losses, "the loss came back as"),
            (_softmax_first, "the loss came back as"),
            (_nll_of_logits, "the loss came back as"),
            (_swapped, "In which order"),
            (_switches_the_mode, "Leave the mode"),
            (_returns_a_detached_tensor, "plain number"),
            (_returns_text, "plain number"),
            (_returns_the_graph, "whole graph"),
            (_returns_nothing, "nothing came back"),
            (_returns_the_loss_after, "the loss came back as"),
        ],
    },
    "repaired": {
        "stub": lambda network, optimizer, batches: None,
        "wrong": [
            (_as_given, "found no gradient"),
            (_stays_in_evaluation, "evaluation mode"),
            (_trains(_forgets_zero_grad), "added up"),
            (_trains(_returns_the_graph), "whole graph"),
            (_trains(_steps_before_backward), "found no gradient"),
            (_first_loss_alone, "a list of 3"),
            (_trains(_softmax_first), "the loss came back as"),
            (_trains(_swapped), "In which order"),
            (_trains(_returns_a_detached_tensor), "plain number"),
            (_trains(_returns_text), "plain number"),
        ],
    },
}
