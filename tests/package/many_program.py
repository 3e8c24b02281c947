"""What test_distributed.py has torchrun start: computes, and writes what it got to a file per process."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional as F

from mnist_helpers import History, ThreeLayerNet, evaluate, make_loaders, set_seed
from mnist_helpers.running.processes import (
    max_over_processes,
    process_group,
    same_everywhere,
    separate_random_state,
    share,
    unwrap_ddp,
    wrap_ddp,
)
from mnist_helpers.training import train_epoch

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
    loaders.train.sampler.set_epoch(1)
    train_epoch(network, loaders.train, optimizer, History())
    weights = {name: value.clone() for name, value in unwrap_ddp(network).state_dict().items()}
    return {"weights": weights, "test": evaluate(network, loaders.test)}


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
    network = wrap_ddp(ThreeLayerNet().double())
    network.load_state_dict({f"module.{name}": value for name, value in by_hand.state_dict().items()})
    loaders.train.sampler.set_epoch(1)
    images, labels = next(iter(loaders.train))
    result = {
        "labels": labels,
        "by DDP": gradients(network, images, labels),
        "by hand": averaged_by_hand(gradients(by_hand, images, labels), world),
        "agreed": (max_over_processes(rank), max_over_processes(15 if rank == 0 else 0)),
        "from the first": same_everywhere(f"said by {rank}"),
    }
    set_seed(1)
    separate_random_state()
    result["masks"] = torch.rand(50) > 0.5
    normalising = wrap_ddp(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Linear(784, 10)).double())
    trained(normalising, loaders)
    result["statistics"] = unwrap_ddp(normalising)[1].running_mean
    return {**result, **trained(network, loaders)}


if __name__ == "__main__":
    with process_group() as (rank, world):
        print(f"process {rank} of {world}")
        torch.save(compute(rank, world), Path(sys.argv[1]) / f"{rank}.pt")
