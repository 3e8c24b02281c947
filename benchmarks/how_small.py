"""Measure lesson 10's other question: how few parameters does a network need for 99 %?

usage: python benchmarks/how_small.py [--seeds 10] [--channels 12] [--validation] [--json FILE]

Run by hand on an otherwise idle machine; it is no part of the tests. A training of SmallNet takes a few
minutes of one core, so its seeds are divided among as many processes as there are cores. Every choice
(channels, blocks, rate, epochs) was made with --validation, on 10,000 training images that are held out; the
test set is measured on once for a published table. The package's networks follow, three seeds each, with
three epochs in one cycle.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from time_to_accuracy import SPREAD, accuracy, circumstances, split, spread
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm

from mnist_helpers import fetch_mnist
from mnist_helpers.models import ConvNet, FastNet, Net, ThreeLayerNet, WideNet
from mnist_helpers.recipes import LADDER, one_cycle, train_recipe

CHANNELS, EPOCHS, BATCH_SIZE, LR = 12, 30, 128, 0.02


class SmallNet(nn.Module):
    """A convolution and four separable ones. Takes (B, 1, 28, 28), returns logits (B, 10).

    A separable convolution is a 3 x 3 kernel for each map by itself, and then a weighted sum of the maps at
    each place: 9 C + C² weights for C maps, where an ordinary one has 9 C² (Chollet, "Xception", 2017). The
    mean of each map in place of a large linear layer is that of Lin and others, "Network in network", 2013.
    """

    def __init__(self, channels: int = CHANNELS) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, kernel_size=3, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, kernel_size=3, padding=padding, groups=channels, bias=False),
                nn.Conv2d(channels, channels, kernel_size=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for padding in (0, 1, 1, 1)
        )
        self.fc = nn.Linear(channels, 10)

    def forward(self, images):
        x = F.max_pool2d(F.relu(self.norm(self.conv(images))), 2)  # (B, C, 13, 13)
        x = self.blocks[1](self.blocks[0](x))  # (B, C, 11, 11)
        x = F.max_pool2d(x, 2)  # (B, C, 5, 5)
        x = self.blocks[3](self.blocks[2](x))  # (B, C, 5, 5)
        return self.fc(x.mean(dim=(2, 3)))


def train_small(images, labels, *, seed: int, channels: int = CHANNELS, epochs: int = EPOCHS):
    """Return a SmallNet trained by AdamW in one cycle, without weight decay."""
    torch.manual_seed(seed)
    network = SmallNet(channels).train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LR, weight_decay=0.0)
    batches = [batch for _ in range(epochs) for batch in torch.randperm(len(labels)).split(BATCH_SIZE)]
    for batch, rate in zip(batches, one_cycle(LR, len(batches)), strict=True):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        F.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    return network


def run(seed: int, data_dir: Path, channels: int, epochs: int, validation: bool) -> tuple[float, float]:
    """Train one seed with one thread; return its accuracy in per cent and its seconds."""
    torch.set_num_threads(1)
    train, measure_on, _ = split(data_dir, validation=validation)
    start = time.perf_counter()
    network = train_small(*train, seed=seed, channels=channels, epochs=epochs)
    return accuracy(network, measure_on), time.perf_counter() - start


def entry(network, correct) -> dict:
    """Print what a network's seeds reached, in per cent, and return it."""
    parameters = sum(weights.numel() for weights in network.parameters())
    print(f"{type(network).__name__:13} {parameters:10,} {len(correct):4}  {spread(correct)}")
    return {"name": type(network).__name__, "parameters": parameters, "accuracy": list(correct)}


def others(data_dir: Path, validation: bool) -> list[dict]:
    """Train the package's networks, for comparison."""
    train, measure_on, _ = split(data_dir, validation=validation)
    found = []
    for network in (ThreeLayerNet, Net, ConvNet, FastNet, WideNet):
        recipe = replace(LADDER["one cycle"], network=network, images_seen=180_000)
        trainings = tqdm(range(3), network.__name__, leave=False, file=sys.stderr)
        correct = [accuracy(train_recipe(recipe, *train, seed=seed), measure_on) for seed in trainings]
        found.append(entry(network(), correct))
    return found


def main(arguments=None) -> int:
    """Train the seeds, print the accuracies, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="trainings (default: %(default)s)")
    parser.add_argument("--channels", type=int, default=CHANNELS, help="maps (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="(default: %(default)s)")
    parser.add_argument("--validation", action="store_true", help="measure on training images held out")
    parser.add_argument("--json", type=Path, help="write all measured numbers to this file")
    parser.add_argument("--data-dir", type=Path, default=None)
    options = parser.parse_args(arguments)
    if min(options.seeds, options.channels, options.epochs) < 1:
        parser.error("--seeds, --channels and --epochs: 1 or more")
    settings = {"channels": options.channels, "epochs": options.epochs, "validation": options.validation}
    data_dir = fetch_mnist(options.data_dir)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = pool.map(partial(run, data_dir=data_dir, **settings), range(options.seeds))
        runs = list(tqdm(runs, "SmallNet", options.seeds, leave=False, file=sys.stderr))
    correct, seconds = zip(*runs, strict=True)
    print(f"{'':13} {'parameters':>10} {'runs':>4}  accuracy: {SPREAD}")
    entries = [entry(SmallNet(options.channels), correct), *others(data_dir, options.validation)]
    if options.json:
        found = {**settings, "seconds": seconds, "entries": entries, "machine": circumstances()}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
