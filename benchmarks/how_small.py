"""Measure lesson 10's other question: how few parameters does a network need for 99 %?

usage: python benchmarks/how_small.py [--seeds 10] [--channels 12 14] [--validation] [--json FILE]

Run by hand on an otherwise idle machine; it is no part of the tests. A training of SmallNet takes a few
minutes of one core, so its seeds are divided among as many processes as there are cores. Every choice
(channels, blocks, rate, epochs) was made with --validation, on 10,000 training images that are held out:
98.78 % with 12 maps, 98.89 with 14. The test set is measured on once for each. The package's networks follow,
three seeds each, with three epochs in one cycle.
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

CHANNELS, EPOCHS, BATCH_SIZE, LR = (12, 14), 30, 128, 0.02


class SmallNet(nn.Module):
    """A convolution and four separable ones. Takes (B, 1, 28, 28), returns logits (B, 10).

    A separable convolution is a 3 x 3 kernel for each map by itself, and then a weighted sum of the maps at
    each place: 9 C + C² weights for C maps, where an ordinary one has 9 C² (Chollet, "Xception", 2017). The
    mean of each map in place of a large linear layer is that of Lin and others, "Network in network", 2013.
    """

    def __init__(self, channels: int) -> None:
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


def train_small(images, labels, *, seed: int, channels: int, epochs: int = EPOCHS):
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


def small(channels: int, seeds: int, data_dir: Path, epochs: int, validation: bool) -> dict:
    """Train the seeds of one size, as many at a time as there are cores."""
    one = partial(run, data_dir=data_dir, channels=channels, epochs=epochs, validation=validation)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        runs = tqdm(pool.map(one, range(seeds)), f"{channels} maps", seeds, leave=False, file=sys.stderr)
        correct, seconds = zip(*runs, strict=True)
    found = entry(SmallNet(channels), correct, f"SmallNet, {channels} maps")
    return found | {"epochs": epochs, "seconds": seconds}


def entry(network, correct, name: str) -> dict:
    """Print what a network's seeds reached, in per cent, and return it."""
    parameters = sum(weights.numel() for weights in network.parameters())
    print(f"{name:17} {parameters:10,} {len(correct):4}  {spread(correct)}")
    return {"name": name, "parameters": parameters, "accuracy": list(correct)}


def others(data_dir: Path, validation: bool) -> list[dict]:
    """Train the package's networks, for comparison."""
    train, measure_on, _ = split(data_dir, validation=validation)
    found = []
    for network in (ThreeLayerNet, Net, ConvNet, FastNet, WideNet):
        recipe = replace(LADDER["one cycle"], network=network, images_seen=180_000)
        trainings = tqdm(range(3), network.__name__, leave=False, file=sys.stderr)
        correct = [accuracy(train_recipe(recipe, *train, seed=seed), measure_on) for seed in trainings]
        found.append(entry(network(), correct, network.__name__))
    return found


def main(arguments=None) -> int:
    """Train the seeds, print the accuracies, and write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="trainings (default: %(default)s)")
    parser.add_argument(
        "--channels", type=int, nargs="+", default=CHANNELS, help="maps of each SmallNet (default: 12 14)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="(default: %(default)s)")
    parser.add_argument("--validation", action="store_true", help="measure on training images held out")
    parser.add_argument("--json", type=Path, help="write all measured numbers to this file")
    parser.add_argument("--data-dir", type=Path, default=None)
    options = parser.parse_args(arguments)
    if min(options.seeds, options.epochs, *options.channels) < 1:
        parser.error("--seeds, --channels and --epochs: 1 or more")
    data_dir = fetch_mnist(options.data_dir)
    print(f"{'':17} {'parameters':>10} {'runs':>4}  accuracy: {SPREAD}")
    shared = (options.seeds, data_dir, options.epochs, options.validation)
    entries = [small(channels, *shared) for channels in options.channels]
    entries += others(data_dir, options.validation)
    if options.json:
        found = {"validation": options.validation, "entries": entries, "machine": circumstances()}
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
