"""Runs to save and to resume, and what a load that is refused must leave alone."""

import io

import pytest
import torch

from mnist_helpers import CheckpointError, History, Net, load_checkpoint, set_seed
from mnist_helpers.training import train_epoch

OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.5),
    "Adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


def start(name="SGD", seed=1):
    set_seed(seed)
    network = Net()
    return network, OPTIMIZERS[name](network.parameters())


def train_epochs(network, train, optimizer, epochs, history=None):
    """Train the epochs of these numbers, in the order of each, wherever the loader's sampler was before."""
    history = History() if history is None else history
    for epoch in epochs:
        train.sampler.set_epoch(epoch)
        train_epoch(network, train, optimizer, history)
    return history


def same(one, other) -> bool:
    """Whether two nested values are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and list(one) == list(other) and all(same(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def everything(network, optimizer):
    """A copy of all that a load may change."""
    state = {"model": network.state_dict(), "optimizer": optimizer.state_dict(), "cpu": torch.get_rng_state()}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def refused(path, network, optimizer=None, fragment="", error=CheckpointError, loaders=None):
    """Load ``path`` and demand one line that names the file and holds ``fragment``, and nothing changed."""
    if optimizer is None:
        network, optimizer = start(seed=7)
    place = loaders and loaders.train.sampler.state_dict()
    before = everything(network, optimizer)
    with pytest.raises(error) as caught:
        load_checkpoint(path, network, optimizer, loaders)
    text = str(caught.value)
    assert fragment in text, text
    assert len(text.splitlines()) == 1
    if error is CheckpointError:
        assert text.startswith(f"{path}: ")
    assert same(everything(network, optimizer), before), "a refused file has changed something"
    assert place == (loaders and loaders.train.sampler.state_dict())
    return text


def rewritten(path, change):
    """Change the content of a checkpoint."""
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
