"""The checks of lesson 3, training."""

import copy
import numbers

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from .vocabulary import NotYet, Wrong, call, check, near, pair_of_numbers


@check(right="A larger input makes a larger gradient: w is multiplied by 3, and b, so to speak, by 1.")
def gradient_by_hand(answer):
    """``answer`` is (dw, db), the gradient of (w x + b - y)² at w=0.5, b=-1, x=3, y=2."""
    asked = "the answer is a pair of numbers: (derivative for w, derivative for b)."
    weight, bias = pair_of_numbers(answer, asked)
    hints = {
        (-9.0, -3.0): None,
        (9.0, 3.0): "the sizes are right and the signs are not: is w x + b above or below y?",
        (-3.0, -9.0): "these are the right two numbers the wrong way round: w first, then b.",
        (-3.0, -3.0): "the one for w lacks its inner derivative: how much does w x + b grow with w?",
        (-9.0, -9.0): "the one for b has the wrong inner derivative: how much does w x + b grow with b?",
        (-4.5, -1.5): "both are half of what they should be: what is the derivative of a square?",
    }
    for (dw, db), hint in hints.items():
        if near(weight, dw, 1e-3) and near(bias, db, 1e-3):
            return hint
    which = "w" if abs(weight + 9) > 1e-3 else "b"
    return (
        f"({weight:g}, {bias:g}) is not it; look at {which}. Wobble it by 0.001 and see what the loss does."
    )


class _Watched(nn.Module):
    """A linear layer on 2 × 2 pixels that remembers the mode of each call, and the optimizer's steps."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.linspace(-1, 1, 12).view(3, 4))
            self.linear.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
        self.modes, self.steps = [], 0

    def forward(self, images):
        self.modes.append(self.training)
        return self.linear(images.flatten(1))


def _batches() -> list:
    """Three batches of five images (5, 1, 2, 2), float64, and their labels (5,)."""
    images = torch.linspace(-2, 2, 60, dtype=torch.float64).sin().view(3, 5, 1, 2, 2)
    labels = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0], [1, 0, 2, 1, 2]])
    return list(zip(images, labels, strict=True))


def _prepare(*, old_gradients):
    """A network and its optimizer; with ``old_gradients`` those of an earlier batch are still there."""
    network = _Watched()
    if old_gradients:
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
    optimizer = SGD(network.parameters(), lr=0.1, momentum=0.5)

    def count_step(*_):
        network.steps += 1

    optimizer.register_step_pre_hook(count_step)
    return network, optimizer


def _train_right(network, optimizer, batches, *, clear=True) -> list[float]:
    """The loop as it should be; with ``clear=False`` as it is when zero_grad is forgotten."""
    losses = []
    network.train()
    for images, labels in batches:
        if clear:
            optimizer.zero_grad()
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _same(network, other) -> bool:
    pairs = zip(network.parameters(), other.parameters(), strict=True)
    return all(torch.allclose(a, b, atol=1e-9) for a, b in pairs)


OTHER = (
    "the parameters moved, but not by one step for each batch along the gradient of its loss alone. "
    "Write down, line by line, what .grad holds."
)


def _explain_parameters(network, batches, *, old_gradients):
    """Why the parameters are not those of a right training, or None if they are."""
    right, forgetful = (_prepare(old_gradients=old_gradients) for _ in range(2))
    still = _Watched()
    _train_right(*right, batches)
    _train_right(*forgetful, batches, clear=False)
    if _same(network, right[0]):
        return None
    if _same(network, still):
        if network.steps:
            return "no parameter moved, because step() found no gradient. What does .grad hold at that line?"
        return "no parameter moved. Gradients say where to go; which call goes there?"
    if _same(network, forgetful[0]):
        return "the parameters moved by gradients that have added up. What must happen before backward()?"
    return OTHER


def _first_reason(parameters, loss):
    """The reason to tell first. Parameters that went another way say less than a loss that is another one."""
    return loss if parameters == OTHER and loss else parameters or loss


def _train(function, *arguments):
    """Call a training; raise Wrong where ``cross_entropy`` was called with its arguments swapped."""
    try:
        return call(function, *arguments)
    except (NotImplementedError, RuntimeError) as error:
        if "log_softmax" not in str(error):
            raise
        reason = "cross_entropy cannot read its first argument. In which order are logits and labels given?"
        raise Wrong(reason) from None


@check(right="These five lines are the whole of training; the rest of a loop is counting and printing.")
def step(function):
    """``function(network, optimizer, images, labels)`` trains on one batch and returns its loss, a number."""
    network, optimizer = _prepare(old_gradients=True)
    batches = _batches()[:2]
    expected = _train_right(*_prepare(old_gradients=True), batches)
    for number, (images, labels) in enumerate(batches):
        try:
            loss = _train(function, network, optimizer, images, labels)
        except NotYet:
            if _same(network, _Watched()):
                raise
            return "the parameters moved, but nothing came back. Return the loss as well."
        other_loss = _explain_loss(loss, expected[number])
        moved = _explain_parameters(network, batches[: number + 1], old_gradients=True)
        if moved or other_loss:
            return _first_reason(moved, other_loss)
    if not all(network.modes):
        return (
            "the network arrived in training mode and was switched over inside. Leave the mode to the caller."
        )
    return None


def _explain_loss(loss, expected: float):
    if isinstance(loss, torch.Tensor) and abs(loss.detach().mean().item() - expected) > 1e-6:
        loss = loss.detach().mean().item()  # another loss is the larger fault
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        return "what came back is a tensor with its whole graph. Which method turns it into a number?"
    if isinstance(loss, torch.Tensor) and loss.numel() > 1:
        return f"the loss has shape {tuple(loss.shape)}, and one number is asked for."
    if not isinstance(loss, numbers.Real):
        return f"a loss came back as {type(loss).__name__}. Which method of the loss gives a plain number?"
    if not abs(float(loss) - expected) < 1e-6:  # written so that nan is refused
        return (
            f"the loss came back as {float(loss):.4f}; the mean cross entropy of the batch is {expected:.4f}."
        )
    return None


@check(right="The network trains, in training mode, and the record is plain numbers.")
def repaired(function):
    """``function(network, optimizer, batches)`` trains on each batch and returns the list of losses."""
    network, optimizer = _prepare(old_gradients=False)
    network.eval()
    batches = _batches()
    expected = _train_right(*_prepare(old_gradients=False), batches)
    losses = _train(function, network, optimizer, copy.copy(batches))
    if not isinstance(losses, (list, tuple)) or len(losses) != len(batches):
        return f"for {len(batches)} batches there should be a list of {len(batches)} losses."
    moved = _explain_parameters(network, batches, old_gradients=False)
    if moved:
        return _first_reason(moved, _explain_loss(losses[0], expected[0]))
    if not all(network.modes):
        return (
            "it learns, but in evaluation mode, where dropout is off. In which mode did the network arrive?"
        )
    for loss, right in zip(losses, expected, strict=True):
        reason = _explain_loss(loss, right)
        if reason:
            return reason
    return None
