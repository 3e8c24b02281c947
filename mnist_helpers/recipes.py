"""How a network is trained, as a value: the rungs of lesson 10's ladder differ in one field each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from .models import FastNet, Net


@dataclass(frozen=True)
class Recipe:
    """What one training run does; the defaults are those of lesson 3. Lesson 10 writes it out.

    ``images_seen`` counts an image as often as it is seen: 60,000 is one epoch. ``one_cycle`` lets the
    learning rate rise to ``lr`` over the first quarter of the steps and fall to nearly 0 over the rest.
    ``frozen_after`` is the share of the steps after which the first layer stops learning.
    """

    network: Callable = Net
    images_seen: int = 180_000
    batch_size: int = 64
    lr: float = 0.01
    momentum: float = 0.5
    nesterov: bool = False
    one_cycle: bool = False
    channels_last: bool = False
    label_smoothing: float = 0.0
    frozen_after: float = 1.0
    bfloat16: bool = False


def train_recipe(recipe, images, labels, *, seed):
    """Train by ``recipe`` from the weights of ``seed``, and return the network. Written out in lesson 10.

    ``images`` is float32 (N, 1, 28, 28), normalised, and ``labels`` int64 (N,), both in memory, on the device
    that computes. ``seed`` chooses both the initial weights and the order of the images.
    """
    torch.manual_seed(seed)
    network = recipe.network().to(images.device).train()
    if recipe.channels_last:
        network.to(memory_format=torch.channels_last)
    epochs = -(-recipe.images_seen // len(labels))  # rounded up
    order = torch.cat([torch.randperm(len(labels)) for _ in range(epochs)])[: recipe.images_seen]
    batches = order.to(images.device).split(recipe.batch_size)
    parts = {"lr": recipe.lr, "momentum": recipe.momentum, "nesterov": recipe.nesterov, "fused": True}
    optimizer = torch.optim.SGD(network.parameters(), **parts)
    rates = one_cycle(recipe.lr, len(batches)) if recipe.one_cycle else [recipe.lr] * len(batches)
    for step, (batch, rate) in enumerate(zip(batches, rates, strict=True)):
        if step == round(recipe.frozen_after * len(batches)):
            freeze_first_layer(network)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(images[batch])
        F.cross_entropy(logits.float(), labels[batch], label_smoothing=recipe.label_smoothing).backward()
        optimizer.step()
    return network


def one_cycle(lr, steps):
    """Return a learning rate for each step: straight up to ``lr``, then straight down. Lesson 10.

    The top is reached after a quarter of the steps (Smith and Topin, "Super-convergence", 2017).
    """
    top = max(steps // 4, 1)
    return [lr * min((step + 1) / top, (steps - step) / (steps - top + 1)) for step in range(steps)]


def freeze_first_layer(network):
    """Stop FastNet's first layer from learning, so that the backward pass ends before it. Lesson 10."""
    network.conv1.requires_grad_(False)
    network.norm1.requires_grad_(False).eval()  # eval: with the running mean and variance, as they are now


# One change at a time, from lesson 3's training to 99 %; lesson 10 measures each, and so does
# benchmarks/time_to_accuracy.py.
LADDER = {"from memory": Recipe()}


def _add(name, **change):
    LADDER[name] = replace(list(LADDER.values())[-1], **change)


_add("one cycle", images_seen=60_000, lr=0.1, momentum=0.8, nesterov=True, one_cycle=True)
_add("wider, no dropout", network=partial(FastNet, first=32, norm=nn.Identity))
_add("batch norm", network=partial(FastNet, first=32))
_add("higher rate", lr=0.4)
_add("channels last", channels_last=True)
_add("small first layer", network=FastNet)
_add("label smoothing", label_smoothing=0.1)
_add("half the images", images_seen=30_000)
_add("frozen layer", frozen_after=0.5)
FAST = LADDER["frozen layer"]
_add("bfloat16", bfloat16=True)  # pays off on a CPU that has instructions for it, and on GPUs
