"""Networks for the tests of the page: those of the course, and others of the same kinds of layer."""

import torch
from torch import nn

from mnist_helpers import models


class Branches(nn.Module):
    """Two layers side by side, added up."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(784, 10), nn.Linear(784, 10)

    def forward(self, images):
        flat = images.flatten(1)
        return self.one(flat) + self.other(flat)


class Transposed(nn.Module):
    """Multiplies by a matrix of its own, (inputs, outputs)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(784, 10))

    def forward(self, images):
        return images.flatten(1) @ self.weight


class LikeASeed(nn.Module):
    """As many tutorials write it: functions, a view, and log_softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, padding=1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(6, affine=False)
        self.fc = nn.Linear(294, 10, bias=False)

    def forward(self, x):
        x = torch.nn.functional.avg_pool2d(torch.tanh(self.norm(self.conv(x))), 2)
        return torch.log_softmax(self.fc(x.view(x.size(0), -1)), dim=1)


def many_kinds():
    layers = [nn.Conv2d(1, 4, 3, padding="same", dilation=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    layers += [nn.Conv2d(4, 8, 3, groups=2), nn.Sigmoid(), nn.MaxPool2d(2, ceil_mode=True), nn.Dropout2d()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10), nn.BatchNorm1d(10))


def _seen_something(make):
    """Return a maker whose network has seen a batch, so that its batch norm is not the identity."""

    def made():
        torch.manual_seed(11)
        network = make().train()
        network(torch.randn(64, 1, 28, 28) + 0.5)
        return network.eval()

    return made


MAKERS = [
    models.Net,
    models.ThreeLayerNet,
    models.WideNet,
    models.ConvNet,
    models.FastNet,
    LikeASeed,
    many_kinds,
]
NETWORKS = {make.__name__: _seen_something(make) for make in MAKERS}
