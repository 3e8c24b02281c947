"""The training loop of lesson 3, and what it records."""

import sys
from dataclasses import dataclass, field

import torch
from torch.nn import functional as F
from tqdm import tqdm

from .arguments import check_optimizer, require_finite_loss, require_int


def pick_device(name: str = "auto") -> torch.device:
    """Return the device to train on: CUDA (NVIDIA or AMD), else MPS (Apple), else the CPU. Lesson 3.

    ``name`` is "auto", or one of "cpu", "cuda", "cuda:1", ..., "mps" to insist on it.
    Raises ValueError when the name is unknown or this machine does not have the device.
    """
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
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
    """The record of a run, from which the loss curves are drawn.

    ``train_seen`` and ``test_seen`` count training images seen before the loss was taken. The losses are
    mean cross-entropies in nats; the accuracies run from 0 to 1. Lesson 3 writes it out.
    """

    train_seen: list = field(default_factory=list)
    train_losses: list = field(default_factory=list)
    test_seen: list = field(default_factory=list)
    test_losses: list = field(default_factory=list)
    test_accuracies: list = field(default_factory=list)


def train_epoch(
    network, loader, optimizer, *, epoch, history, first_step=0, log_interval=10, log=None, progress=True
):
    """Train ``network`` on every image once. Written out in lesson 3.

    ``loader`` is a loader of ``make_loaders``; ``epoch`` counts from 1 and chooses the order of the images.
    An epoch that is taken up again leaves out its ``first_step`` batches. Every ``log_interval`` batches the
    loss of the batch is appended to ``history`` and, where there is one, given to
    ``log({"train/loss": loss}, step=batches of the run before this one)``. Raises TrainingError when that
    loss is NaN or infinite, because no further step would bring it back.
    """
    device = next(network.parameters()).device
    network.train()
    loader.sampler.set_epoch(epoch)
    loader.sampler.first = first_step * loader.batch_size
    batches = loader
    if progress:
        batches = tqdm(loader, f"epoch {epoch}", initial=first_step, leave=False, file=sys.stdout)
    for step, (images, labels) in enumerate(batches, start=first_step):
        optimizer.zero_grad()
        logits = network(images.to(device))
        loss = F.cross_entropy(logits, labels.to(device))
        loss.backward()
        if step % log_interval == 0:  # before the step: a checkpoint saved after it has the note
            require_finite_loss(loss.item(), epoch, step)
            history.train_seen.append((epoch - 1) * len(loader.dataset) + step * loader.batch_size)
            history.train_losses.append(loss.item())
            if log:
                log({"train/loss": loss.item()}, step=(epoch - 1) * len(loader) + step)
        optimizer.step()


@torch.no_grad()
def evaluate(network, loader):
    """Return the mean loss and the accuracy (0 to 1) over all images of ``loader``. Written out in lesson 3.

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


def fit(network, loaders, optimizer, *, epochs=3, first_epoch=1, first_step=0, history=None, **options):
    """Train for ``epochs`` epochs, evaluate after each, and return the History. Written out in lesson 3.

    Evaluates on ``loaders.validation`` where there is a split, otherwise on ``loaders.test``. A new run is
    evaluated once before it trains; a resumed one passes ``first_epoch``, how many batches of that epoch are
    done (``first_step``) and the ``history`` so far, which is continued.

    ``log(values, step=batches of the run so far)`` is called as in ``train_epoch``, and after each epoch with
    the loss and the accuracy, as "test/loss" and "test/accuracy" or "validation/loss" and
    "validation/accuracy". A tracker's own ``log`` will do (lesson 9). The other ``options`` are those of
    ``train_epoch``, ``log_interval`` and ``progress``, and ``evaluate``, another function to evaluate with.

    Raises ValueError when the optimizer does not hold this network's parameters (lesson 6), when its
    learning rate is not above 0, or when ``epochs`` or ``first_epoch`` is below 1.
    """
    check_optimizer(network, optimizer)
    require_int("epochs", epochs, minimum=1)
    require_int("first_epoch", first_epoch, minimum=1)
    history = History() if history is None else history
    log, measure = options.get("log"), options.pop("evaluate", evaluate)
    name = "test" if loaders.validation is None else "validation"

    def record(epoch):
        loss, accuracy = measure(network, getattr(loaders, name))
        history.test_seen.append(epoch * len(loaders.train.dataset))
        history.test_losses.append(loss)
        history.test_accuracies.append(accuracy)
        print(f"epoch {epoch}: {name} loss {loss:.4f}, {name} accuracy {accuracy:.2%}")
        if log:
            log({f"{name}/loss": loss, f"{name}/accuracy": accuracy}, step=epoch * len(loaders.train))

    options["history"] = history
    if not history.test_seen:
        record(first_epoch - 1)  # how good is the network before it has learned anything?
    for epoch in range(first_epoch, first_epoch + epochs):
        train_epoch(network, loaders.train, optimizer, epoch=epoch, first_step=first_step, **options)
        first_step = 0  # the later epochs start at their beginning
        record(epoch)
    return history
