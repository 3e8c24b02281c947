"""Training on a GPU without the CPU in the way: one step, captured as a CUDA graph and replayed.

On a GPU a step of FastNet computes for less time than Python needs to ask for it. A CUDA graph records the
whole step once, and replays it with one call. On a CPU there is nothing to record: the same step is called.
"""

import torch
from torch.nn import functional as F

from mnist_helpers.recipes import one_cycle


class CapturedStep:
    """A step of training on a fixed place in memory: fill ``batch`` and ``rate``, then call it."""

    def __init__(self, recipe, network, images, labels) -> None:
        device = images.device
        self.recipe, self.network, self.images, self.labels = recipe, network, images, labels
        self.batch = torch.zeros(recipe.batch_size, dtype=torch.int64, device=device)
        self.rate = torch.zeros((), device=device)
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=self.rate, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
        )
        self.graph = self.capture() if device.type == "cuda" else None

    def compute(self) -> None:
        """Do the step, as ``train_recipe`` does it."""
        device, recipe = self.images.device.type, self.recipe
        self.optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=recipe.bfloat16, cache_enabled=device == "cpu"):
            logits = self.network(self.images[self.batch])
        loss = F.cross_entropy(
            logits.float(), self.labels[self.batch], label_smoothing=recipe.label_smoothing
        )
        loss.backward()
        self.optimizer.step()

    def capture(self):
        """Record the step. The rate is 0 meanwhile, so that no weight moves; batch norm's statistics do."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):  # the libraries choose their algorithms
                self.compute()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.compute()
        self.reset()
        return graph

    def reset(self) -> None:
        """Forget what the recording left: momentum, and the running statistics of batch norm."""
        for state in self.optimizer.state.values():
            if state.get("momentum_buffer") is not None:
                state["momentum_buffer"].zero_()
        for layer in self.network.modules():
            if hasattr(layer, "reset_running_stats"):
                layer.reset_running_stats()

    def __call__(self) -> None:
        self.graph.replay() if self.graph else self.compute()


def prepare(recipe, images, labels, *, seed):
    """Return a function that trains by ``recipe`` and returns the network; the rest is done before it.

    ``frozen_after`` is not used: a graph always does the same. A last batch that is not full is left out.
    """
    torch.manual_seed(seed)
    network = recipe.network().to(images.device).train()
    if recipe.channels_last:
        network.to(memory_format=torch.channels_last)
    epochs = -(-recipe.images_seen // len(labels))
    order = torch.cat([torch.randperm(len(labels)) for _ in range(epochs)])[: recipe.images_seen]
    steps = len(order) // recipe.batch_size
    batches = order[: steps * recipe.batch_size].view(steps, -1).to(images.device)
    rates = torch.tensor(one_cycle(recipe.lr, steps), device=images.device)
    step = CapturedStep(recipe, network, images, labels)

    def train():
        for batch, rate in zip(batches, rates, strict=True):
            step.batch.copy_(batch)
            step.rate.copy_(rate)
            step()
        return network

    return train
