"""The checks of lesson 3, training."""

import numbers

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from .vocabulary import Wrong, call, check, compare, near, pair, pair_of_numbers, tensor


@check(right="A larger input makes a larger gradient: w is multiplied by 3, and b, so to speak, by 1.")
def gradient_by_hand(answer):
    """``answer`` is (dw, db), the gradient of (w x + b - y)² at w=0.5, b=-1, x=3, y=2."""
    asked = "the answer is a pair of numbers: (derivative for w, derivative for b)."
    weight, bias = pair_of_numbers(answer, asked)
    hints = {
        (9.0, 3.0): "the sizes are right and the signs are not: is w x + b above or below y?",
        (-3.0, -9.0): "these are the right two numbers the wrong way round: w first, then b.",
        (-3.0, -3.0): "the one for w lacks its inner derivative: how much does w x + b grow with w?",
        (-9.0, -9.0): "the one for b has the wrong inner derivative: how much does w x + b grow with b?",
        (-4.5, -1.5): "both are half of what they should be: what is the derivative of a square?",
    }
    which = "b" if near(weight, -9, 1e-3) else "w"
    otherwise = (
        f"({weight:g}, {bias:g}) is not it; look at {which}. Change it by 0.001: what does the loss do?"
    )
    return compare((weight, bias), (-9.0, -3.0), hints, otherwise, within=1e-3)


class _Watched(nn.Module):
    """A linear layer on 2 × 2 pixels that remembers the mode of each call, and the optimizer's steps."""

    def __init__(self, old_gradients: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3).double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.linspace(-1, 1, 12).view(3, 4))
            self.linear.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
        for parameter in self.parameters():  # of an earlier batch
            parameter.grad = torch.ones_like(parameter) if old_gradients else None
        self.modes, self.steps = [], 0
        self.optimizer = SGD(self.parameters(), lr=0.1, momentum=0.5)
        self.optimizer.register_step_pre_hook(self.count_step)

    def count_step(self, *_):
        self.steps += 1

    def forward(self, images):
        self.modes.append(self.training)
        return self.linear(images.flatten(1))

    def numbers(self) -> torch.Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.parameters()])

    def train_on(self, batches, *, clear=True) -> list[float]:
        """Train as it should be done, or as it is where zero_grad is forgotten; return the losses."""
        losses = []
        for images, labels in batches:
            if clear:
                self.optimizer.zero_grad()
            loss = F.cross_entropy(self(images), labels)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return losses


def _batches() -> list:
    """Three batches of five images (5, 1, 2, 2), float64, and their labels (5,)."""
    images = torch.linspace(-2, 2, 60, dtype=torch.float64).sin().view(3, 5, 1, 2, 2)
    labels = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0], [1, 0, 2, 1, 2]])
    return list(zip(images, labels, strict=True))


def _train(function, *arguments):
    """Call a training; raise Wrong where ``cross_entropy`` was called with its arguments swapped."""
    try:
        return call(function, *arguments)
    except (NotImplementedError, RuntimeError) as error:
        if "log_softmax" not in str(error):
            raise
        reason = "cross_entropy cannot read its first argument. In which order are logits and labels given?"
        raise Wrong(reason) from None


def _explain_training(network, losses, batches, *, old_gradients):
    """Why a network trained on ``batches``, or the ``losses`` of the last of them, are not right, or None."""
    still, right, forgetful = (_Watched(old_gradients) for _ in range(3))
    expected = right.train_on(batches)[-len(losses) :]
    forgetful.train_on(batches, clear=False)
    stood = "no parameter moved. Gradients say where to go; which call goes there?"
    if network.steps:
        stood = "no parameter moved, because step() found no gradient. What does .grad hold at that line?"
    hints = {
        still.numbers(): stood,
        forgetful.numbers(): "the gradients have added up. What must happen before backward()?",
    }
    other = "the parameters moved, but not by one step a batch. Write down, line by line, what .grad holds."
    moved = compare(network.numbers(), right.numbers(), hints, other, within=1e-9)
    wrong_losses = map(_explain_loss, losses, expected)
    if moved == other:  # a wrong first loss says more
        return next(wrong_losses) or moved
    return moved or next(filter(None, wrong_losses), None)


def _explain_loss(loss, expected: float):
    value = tensor(loss).mean().item() if isinstance(loss, torch.Tensor) else loss
    if isinstance(value, numbers.Real) and not abs(value - expected) < 1e-6:  # so that nan is refused
        return f"the loss came back as {value:.4f}; the mean cross entropy of the batch is {expected:.4f}."
    if isinstance(loss, torch.Tensor) and loss.requires_grad:
        return "what came back is a tensor with its whole graph. Which method turns it into a number?"
    if isinstance(loss, torch.Tensor) and loss.numel() > 1:
        return f"the loss has shape {tuple(loss.shape)}, and one number is asked for."
    if not isinstance(loss, numbers.Real):
        return f"a loss came back as {type(loss).__name__}. Which method of the loss gives a plain number?"
    return None


@check(right="These two lines are what torch.optim.SGD does to each weight.")
def sgd_step(function):
    """``function(weight, gradient, velocity, lr, momentum)`` returns the new weight and the new velocity."""
    asked = "the answer is a pair: the new weight, then the new velocity."
    unchanged = "it changes a tensor that it was given. Make a new one, without += or a name that ends in _."
    weight, gradient, velocity, lr, momentum = 2.0, 4.0, 3.0, 0.1, 0.5
    answer = pair_of_numbers(call(function, weight, gradient, velocity, lr, momentum), asked)
    right = momentum * velocity + gradient
    hints = {
        (weight + lr * right, right): "the velocity is right, and the weight goes uphill with it.",
        (weight - lr * right, velocity): "the weight is right, but the velocity came back as it went in.",
        (right, weight - lr * right): "these are the right two numbers the wrong way round.",
        (
            weight - lr * gradient,
            gradient,
        ): "the velocity forgets all that was before; where is the momentum?",
        (weight - lr * gradient, right): "the velocity is right, and the weight does not use it.",
        (weight - lr * velocity, right): "the weight moves by the old velocity. Which comes first?",
        (weight - right, right): "the weight moves by the whole velocity; where is the learning rate?",
    }
    otherwise = f"for {weight=}, {gradient=}, {velocity=}, {lr=}, {momentum=} it gives {[*answer]}."
    if reason := compare(answer, (weight - lr * right, right), hints, otherwise):
        return reason
    tensors = [torch.tensor([number, -number]) for number in (weight, gradient, velocity)]
    moved, velocity = pair(call(function, *tensors, lr, momentum, unchanged=unchanged), asked)
    if not near(torch.stack([moved, velocity]), [[1.45, -1.45], [5.5, -5.5]], within=1e-5):
        return "for numbers it is right, and for tensors it is not. Is one of them turned into a number?"
    return None


@check(right="The network trains, in training mode, and the losses are plain numbers.")
def repaired(function):
    """``function(network, optimizer, batches)`` trains on each batch and returns the list of losses."""
    network, batches = _Watched(old_gradients=False).eval(), _batches()
    losses = _train(function, network, network.optimizer, batches)
    if not isinstance(losses, list | tuple) or len(losses) != len(batches):
        return f"for {len(batches)} batches there should be a list of {len(batches)} losses."
    if reason := _explain_training(network, losses, batches, old_gradients=False):
        return reason
    if not all(network.modes):
        return "it learns, but in evaluation mode, where dropout is off. In which mode did it arrive?"
    return None
