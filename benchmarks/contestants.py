"""What time_to_accuracy.py measures: two published trainings, the rungs of lesson 10, and what lies beyond.

Each contestant is a function of a seed that prepares a training and returns it as a function without
arguments; the clock runs while that one trains and returns the network. Images in memory are prepared before;
a contestant that reads its images in another way does so while it trains.
"""

import os
import tempfile
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from mnist_helpers import MNIST_MEAN, MNIST_STD, Net
from mnist_helpers.recipes import LADDER, train_recipe


class Arrays(NamedTuple):
    """Normalised images, float32 (N, 1, 28, 28), and labels, int64 (N,)."""

    images: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Contestant:
    """``prepare(seed)()`` returns a network; ``seeds`` is how many of them a full run takes."""

    name: str
    prepare: object
    seeds: int
    images_seen: int


def ordinary_dataset(data_dir, kept=None):
    """torchvision's data set with the tutorial's transforms, which run for each image as it is asked for."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MNIST_MEAN,), (MNIST_STD,))])
    dataset = MNIST(data_dir, transform=transform)
    return dataset if kept is None else torch.utils.data.Subset(dataset, kept.tolist())


def as_printed(seed, dataset, *, epochs=3, workers=0):
    """Train as the well-known tutorial prints it: three epochs, a line and a checkpoint every ten batches.

    After G. Koehler, "MNIST Handwritten Digit Recognition in PyTorch"; its evaluations are left out.
    """
    torch.manual_seed(seed)
    loader = DataLoader(dataset, batch_size=64, shuffle=True, num_workers=workers)
    network = Net().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as screen:
        for epoch in range(epochs):
            for step, (images, labels) in enumerate(loader):
                optimizer.zero_grad()
                loss = F.nll_loss(F.log_softmax(network(images), dim=1), labels)
                loss.backward()
                optimizer.step()
                if step % 10 == 0:
                    print(f"epoch {epoch} batch {step} loss {loss.item():.6f}", file=screen)
                    torch.save(network.state_dict(), f"{folder}/model.pth")
                    torch.save(optimizer.state_dict(), f"{folder}/optimizer.pth")
    return network


class PeerNet(nn.Module):
    """The network of github.com/tuomaso/train_mnist_fast, last recipe (layers and sizes)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 24, kernel_size=5)
        self.conv2 = nn.Conv2d(24, 32, kernel_size=3)
        self.fc1 = nn.Linear(800, 256)
        self.fc2 = nn.Linear(256, 10)

    def forward(self, images):
        x = F.relu(F.max_pool2d(self.conv1(images), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        return self.fc2(F.relu(self.fc1(x.flatten(start_dim=1))))


def peer(seed, images, labels):
    """Prepare the last training of github.com/tuomaso/train_mnist_fast: Adam, one cycle, one epoch.

    Its file has been written by a loader that shuffles, so the order is random, another one for each seed.
    """
    torch.manual_seed(seed)
    order = torch.randperm(len(labels))
    images, labels = images[order], labels[order]
    batches = list(zip(images.split(256), labels.split(256), strict=True))

    def train():
        network = PeerNet().to(images.device).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01, betas=(0.7, 0.9))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, 0.01, total_steps=len(batches), cycle_momentum=False
        )
        for batch, answers in batches:
            optimizer.zero_grad()
            F.cross_entropy(network(batch), answers).backward()
            optimizer.step()
            schedule.step()
        return network

    return train


def contestants(arrays: Arrays, dataset, *, seeds: int) -> list[Contestant]:
    """Return all of them; the slow ones with fewer seeds."""
    few = max(seeds // 5, 1)

    def recipe(name, chosen, count):
        return Contestant(
            name, lambda seed: partial(train_recipe, chosen, *arrays, seed=seed), count, chosen.images_seen
        )

    listed = [
        Contestant(
            "as printed", lambda seed: partial(as_printed, seed, dataset), min(few, 3), 3 * len(dataset)
        ),
        Contestant("train_mnist_fast", lambda seed: peer(seed, *arrays), seeds, len(arrays.labels)),
    ]
    often = {"Muon", "bfloat16"}  # the two that are compared with the peer
    listed += [recipe(name, rung, seeds if name in often else few) for name, rung in LADDER.items()]
    return listed
