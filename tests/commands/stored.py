"""A trained network in a file, for the tests of evaluate and predict."""

from pathlib import Path

import torch

from mnist_helpers import History, Net, make_loaders, save_checkpoint, set_seed
from mnist_helpers.training import train_epoch


def train_briefly(path: Path, data_dir) -> Path:
    """Train Net on 10,000 images for two epochs, which gives about 95 %, and save it."""
    set_seed(1)
    network = Net()
    loaders = make_loaders(16, validation_size=50_000, data_dir=data_dir)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.5)
    for epoch in (1, 2):
        train_epoch(network, loaders.train, optimizer, epoch=epoch, history=History(), progress=False)
    save_checkpoint(path, network, optimizer, epoch=2)
    return path
