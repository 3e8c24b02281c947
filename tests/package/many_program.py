"""What test_distributed.py has torchrun start: computes, and writes what it got to a file per process."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

from mnist_helpers import History, ThreeLayerNet, make_loaders, set_seed, train_epoch
from mnist_helpers.distributed import (
    agreed,
    evaluate_together,
    plain,
    process_group,
    separate_random_state,
    share,
    together,
)

BATCH, HELD_OUT = 60, 58_470  # 1,530 images: 25 batches of 60 and one of 30, which 2 and 3 divide


def doubled_loaders():
    """Small loaders in float64, in which rounding is 10⁻¹⁶."""
    loaders = make_loaders(BATCH, validation_size=HELD_OUT, test_batch_size=700)
    for loader in (loaders.train, loaders.test):
        loader.dataset.images = loader.dataset.images.double()
    return loaders


def trained(network, loaders):
    """Train ``network`` for an epoch and return the weights and the result on the test set."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.5)
    train_epoch(network, loaders.train, optimizer, epoch=1, history=History(), progress=False)
    weights = {name: value.clone() for name, value in plain(network).state_dict().items()}
    return {"weights": weights, "test": evaluate_together(network, loaders.test)}


def gradients(network, images, labels):
    network.zero_grad()
    F.cross_entropy(network(images), labels).backward()
    return [tensor.grad.clone() for tensor in network.parameters()]


def averaged_by_hand(gradient, world):
    """The mean of the processes' gradients."""
    for tensor in gradient:
        dist.all_reduce(tensor)
        tensor /= world
    return gradient


def compute(rank, world):
    loaders = share(doubled_loaders(), rank, world)
    set_seed(1)
    by_hand = ThreeLayerNet().double()
    network = together(ThreeLayerNet().double())
    network.load_state_dict({f"module.{name}": value for name, value in by_hand.state_dict().items()})
    loaders.train.sampler.set_epoch(1)
    images, labels = next(iter(loaders.train))
    result = {
        "labels": labels,
        "by DDP": gradients(network, images, labels),
        "by hand": averaged_by_hand(gradients(by_hand, images, labels), world),
        "indices": list(loaders.test.sampler),
        "agreed": (agreed(rank), agreed(15 if rank == 0 else 0)),
    }
    set_seed(1)
    separate_random_state()
    result["masks"] = torch.rand(50) > 0.5
    normalising = together(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 10)).double())
    trained(normalising, loaders)
    result["statistics"] = plain(normalising)[1].running_mean
    return {**result, **trained(network, loaders)}


if __name__ == "__main__":
    with process_group() as (rank, world):
        print(f"process {rank} of {world}")
        torch.save(compute(rank, world), Path(sys.argv[1]) / f"{rank}.pt")
