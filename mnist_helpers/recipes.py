"""How a network is trained, as a value: the rungs of lesson 10's ladder, and what trains by them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch.nn import functional as F

from .models import FastNet, Net


@dataclass(frozen=True)
class Recipe:
    """What one training run does; the defaults are those of lesson 3. Lesson 10 writes it out.

    ``images_seen`` counts an image as often as it is seen: 60,000 is one epoch. ``one_cycle`` lets the
    learning rate rise to ``lr`` over the first quarter of the steps and fall to nearly 0 over the rest.
    ``frozen_after`` is the share of the steps after which the first layer stops learning. With ``muon`` the
    kernels of the convolutions take Muon's steps, at the same rate and momentum as the rest.
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
    muon: bool = False
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
    rates = one_cycle(recipe.lr, len(batches)) if recipe.one_cycle else [recipe.lr] * len(batches)
    optimizers = make_optimizers(recipe, network)
    for step, (batch, rate) in enumerate(zip(batches, rates, strict=True)):
        if step == round(recipe.frozen_after * len(batches)):
            freeze_first_layer(network)
        network.zero_grad()
        with torch.autocast(images.device.type, torch.bfloat16, enabled=recipe.bfloat16):
            logits = network(images[batch])
        F.cross_entropy(logits.float(), labels[batch], label_smoothing=recipe.label_smoothing).backward()
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
    return network


def make_optimizers(recipe, network):
    """Return SGD for all parameters, or with ``recipe.muon`` for all but the kernels, and Muon for these."""
    kernels = [weight for weight in network.parameters() if weight.dim() == 4 and recipe.muon]
    others = [weight for weight in network.parameters() if weight.dim() != 4 or not recipe.muon]
    sgd = {"lr": recipe.lr, "momentum": recipe.momentum, "nesterov": recipe.nesterov, "fused": True}
    optimizers = [torch.optim.SGD(others, **sgd)]
    return [*optimizers, Muon(kernels, momentum=recipe.momentum)] if kernels else optimizers


def one_cycle(lr, steps):
    """Return a rate for each step: up for a quarter of them, then down (Smith and Topin, 2017). Lesson 10."""
    top = max(steps // 4, 1)
    return [lr * min((step + 1) / top, (steps - step) / (steps - top + 1)) for step in range(steps)]


def freeze_first_layer(network):
    """Stop FastNet's first layer from learning, so that the backward pass ends before it. Lesson 10."""
    network.conv1.requires_grad_(False)
    network.norm1.requires_grad_(False).eval()  # with the running mean and variance, as they are now


def orthogonal(update):
    """Return ``update``, (maps out, maps in, rows, columns), with all singular values near 1. Lesson 10.

    Three Newton-Schulz steps, after K. Jordan and others, "Muon: An optimizer for hidden layers", 2024.
    """
    matrix = update.flatten(start_dim=1)  # (maps out, maps in × rows × columns)
    matrix = matrix / (matrix.norm() + 1e-7)  # no singular value is above 1 now
    for _ in range(3):
        square = matrix @ matrix.T
        matrix = 3.4445 * matrix + (2.0315 * square @ square - 4.7750 * square) @ matrix
    return matrix.view(update.shape)


class Muon(torch.optim.Optimizer):
    """Steps by the momentum, made orthogonal: for kernels of convolutions. Written out in lesson 10."""

    def __init__(self, kernels, momentum) -> None:
        super().__init__(kernels, {"lr": 0.0, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        lr, momentum = self.param_groups[0]["lr"], self.param_groups[0]["momentum"]
        for kernel in self.param_groups[0]["params"]:
            if kernel.grad is not None:  # that of a frozen layer is None
                velocity = self.state[kernel].setdefault("velocity", torch.zeros_like(kernel))
                velocity.mul_(momentum).add_(kernel.grad)
                kernel.sub_(lr * orthogonal(kernel.grad + momentum * velocity))


# One change at a time, from lesson 3's training to 99 %, measured by benchmarks/time_to_accuracy.py.
_memory = Recipe()
_cycle = replace(_memory, images_seen=60_000, lr=0.1, momentum=0.8, nesterov=True, one_cycle=True)
_network = replace(_cycle, network=FastNet)
_rate = replace(_network, lr=0.4)
_format = replace(_rate, channels_last=True)
_smooth = replace(_format, label_smoothing=0.1)
_frozen = replace(_smooth, frozen_after=0.25)
_few = replace(_frozen, images_seen=25_000)
FAST = replace(_few, muon=True, batch_size=192, lr=0.5)
LADDER = {
    "from memory": _memory,
    "one cycle": _cycle,
    "FastNet": _network,
    "higher rate": _rate,
    "channels last": _format,
    "label smoothing": _smooth,
    "frozen layer": _frozen,
    "25,000 images": _few,
    "Muon": FAST,
    "bfloat16": replace(FAST, bfloat16=True),  # pays off on a CPU that has instructions for it, and on GPUs
}
