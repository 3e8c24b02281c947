"""The training loop of lesson 3, and what it records."""

import sys
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F
from tqdm import tqdm

from .arguments import check_optimizer, require_int
from .devices import gpu_computes


def pick_device(name: str = "auto") -> torch.device:
    """Return the device to train on: CUDA (NVIDIA or AMD), else MPS (Apple), else the CPU. Lesson 3.

    ``name`` is "auto", or one of "cpu", "cuda", "cuda:1", ..., "mps" to insist on it.
    Raises ValueError when the name is unknown or this machine does not have the device.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if gpu_computes():
        available = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *available]
    if name == "auto":
        return torch.device(available[0])
    if str(name) not in available:
        raise ValueError(f"device is {str(name)!r}; allowed on this machine is auto, {', '.join(available)}")
    return torch.device(name)


def set_seed(seed: int) -> None:
    """Seed torch's random state: initial weights and dropout masks. The data has a seed of its own."""
    torch.manual_seed(require_int("seed", seed, minimum=0, maximum=2**31 - 1))


@dataclass
class History:
    """The record of a run, from which the loss curves are drawn. Lesson 3 writes it out.

    ``train_seen`` and ``test_seen`` count the training images seen before the loss was taken. The losses are
    mean cross-entropies in nats; the accuracies run from 0 to 1.
    """

    seen: int = 0  # training images so far
    train_seen: list = field(default_factory=list)
    train_losses: list = field(default_factory=list)
    test_seen: list = field(default_factory=list)
    test_losses: list = field(default_factory=list)
    test_accuracies: list = field(default_factory=list)

    def add_batch(self, loss, count):
        """Record the loss of a batch of ``count`` images."""
        self.train_seen.append(self.seen)
        self.train_losses.append(loss)
        self.seen += count

    def add_evaluation(self, loss, accuracy):
        """Record an evaluation of the network as it is now."""
        self.test_seen.append(self.seen)
        self.test_losses.append(loss)
        self.test_accuracies.append(accuracy)


def train_epoch(network, loader, optimizer, history):
    """Train ``network`` on every batch of ``loader`` once, recorded in ``history``. Lesson 3 writes it out.

    ``loader`` yields images (B, 1, 28, 28) and labels (B,). The network is left in training mode.
    """
    device = next(network.parameters()).device
    network.train()
    for images, labels in tqdm(loader, leave=False, file=sys.stdout):
        optimizer.zero_grad()
        logits = network(images.to(device))
        loss = F.cross_entropy(logits, labels.to(device))
        loss.backward()
        optimizer.step()
        history.add_batch(loss.item(), len(images))


@torch.no_grad()
def evaluate(network, loader):
    """Return the mean loss and the accuracy (0 to 1) over all images of ``loader``. Lesson 3 writes it out.

    The loss is in nats. The network is left in evaluation mode.
    """
    device = next(network.parameters()).device
    network.eval()
    total_loss, correct, count = 0.0, 0, 0
    for images, labels in loader:
        labels = labels.to(device)
        logits = network(images.to(device))
        total_loss += F.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(dim=1) == labels).sum().item()
        count += len(labels)
    return total_loss / count, correct / count


def fit(network, loaders, optimizer, *, epochs=3, history=None):
    """Train for ``epochs`` more epochs, evaluate after each, and return the History. Lesson 3 writes it out.

    Evaluates on ``loaders.validation`` where there is a split, otherwise on ``loaders.test``. A new run is
    evaluated once before it trains; a call with the ``history`` so far continues from there.

    Raises ValueError when the optimizer does not train this network (lesson 6).
    """
    check_optimizer(network, optimizer)
    history = History() if history is None else history
    name = "test" if loaders.validation is None else "validation"

    def report():
        loss, accuracy = evaluate(network, getattr(loaders, name))
        print(f"epoch {len(history.test_seen)}: {name} loss {loss:.4f}, {name} accuracy {accuracy:.2%}")
        history.add_evaluation(loss, accuracy)

    if not history.test_seen:
        report()  # how good is the network before it has learned anything?
    for _ in range(epochs):
        train_epoch(network, loaders.train, optimizer, history)
        report()
    return history
