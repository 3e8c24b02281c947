"""A trained network in a file, for the tests of evaluate, predict and page."""

import functools
import io
from pathlib import Path

import torch

from mnist_helpers import History, Net, make_loaders, save_checkpoint, set_seed
from mnist_helpers.checkpoints import run_state
from mnist_helpers.data import Digits, Loaders, _shuffled
from mnist_helpers.training import fit


@functools.cache
def trained_once(data_dir) -> bytes:
    """Train Net on 10,000 images for two epochs, which gives about 95 %; return what a checkpoint holds."""
    set_seed(1)
    network, saved = Net(), io.BytesIO()
    loaders = make_loaders(16, validation_size=50_000, data_dir=data_dir)._replace(validation=None)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.5)
    history = fit(network, loaders, optimizer, epochs=2, history=History())
    torch.save(run_state(network, optimizer, loaders, history), saved)
    return saved.getvalue()


def train_briefly(path: Path, data_dir) -> Path:
    """Put the trained network into a file of this name."""
    path.write_bytes(trained_once(data_dir))
    return path


def save_untrained(path: Path, network) -> Path:
    """Save a network that was not trained."""
    loaders = Loaders(_shuffled(Digits(torch.zeros(1, 28, 28), torch.zeros(1)), 1, 1), None, None)
    save_checkpoint(path, network, torch.optim.SGD(network.parameters(), lr=0.01), loaders, History(seen=3))
    return path
