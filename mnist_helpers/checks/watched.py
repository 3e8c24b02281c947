"""What the checks of lessons 3 and 4 train: a small network that remembers how it was used."""

import numbers

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import SGD

from .vocabulary import Wrong, call, compare, tensor


class Watched(nn.Module):
    """A linear layer on 2 × 2 pixels that remembers the mode of each call, and the optimizer's steps."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3).double()
        with torch.no_grad():
            self.linear.weight.copy_(torch.linspace(-1, 1, 12).view(3, 4))
            self.linear.bias.copy_(torch.tensor([0.5, 0.0, -0.5]))
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


def batches_of_five() -> list:
    """Three batches of five images (5, 1, 2, 2), float64, and their labels (5,)."""
    images = torch.linspace(-2, 2, 60, dtype=torch.float64).sin().view(3, 5, 1, 2, 2)
    labels = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0], [1, 0, 2, 1, 2]])
    return list(zip(images, labels, strict=True))


def call_training(function, *arguments):
    """Call a training; raise Wrong where ``cross_entropy`` was called with its arguments swapped."""
    try:
        return call(function, *arguments)
    except (NotImplementedError, RuntimeError) as error:
        if "log_softmax" not in str(error):
            raise
        reason = "cross_entropy cannot read its first argument. In which order are logits and labels given?"
        raise Wrong(reason) from None


def explain_training(network, losses, batches):
    """Why a ``Watched`` network trained on ``batches``, or the ``losses`` of it, are not right, or None."""
    if not isinstance(losses, list | tuple) or len(losses) != len(batches):
        return f"for {len(batches)} batches there should be a list of {len(batches)} losses."
    still, right, forgetful = Watched(), Watched(), Watched()
    expected = right.train_on(batches)
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
