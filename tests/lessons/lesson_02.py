"""Lesson 2: what must stand in its kernel at the end, and answers to its exercises."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

PROBE = """
values = {
    "shrug": shares.tolist(),
    "products": [round((patch * kernel).sum().item()), torch.equal(across, convolve(digit, kernel))],
    "convolution": [list(by_torch.shape), (across - by_torch).abs().max().item()],
    "small": [pooled.tolist(), F.relu(pooled).tolist()],
    "sides": sides,
    "same as the package's": [Net.__module__, net.training, difference],
    "stages": [list(stage.shape[1:]) for stage in stages.values()],
    "the figure is forward": torch.equal(stages["fc2"], net(images[4:5])),
    "on_paper": on_paper,
    "parameters": sum(parameter.numel() for parameter in net.parameters()),
    "probabilities": probabilities.tolist(),
    "loss": [by_hand.item(), by_library.item()],
    "losses": losses,
    "accuracies": accuracies,
    "record": record,
    "message": message,
}
"""


def verify(values):
    assert abs(sum(values["shrug"]) - 1) < 1e-5
    assert max(values["shrug"]) < 0.25
    assert values["products"] == [-712, True]
    assert values["convolution"] == [[26, 26], 0.0]
    assert values["small"] == [[[5, 3], [-1, 8]], [[5, 3], [0, 8]]]
    assert values["sides"] == [28, 24, 12, 8, 4]
    module, training, difference = values["same as the package's"]
    assert (module, training) == ("__main__", False)
    assert difference < 1e-5
    assert values["stages"] == [
        [1, 28, 28],
        [10, 24, 24],
        [10, 12, 12],
        [20, 8, 8],
        [20, 4, 4],
        [50],
        [10],
    ]
    assert values["the figure is forward"]
    assert values["on_paper"] == {"conv1": 260, "conv2": 5020, "fc1": 16050, "fc2": 510}
    assert values["parameters"] == 21_840
    powers = [math.e**score for score in (2, 1, 0)]
    for share, power in zip(values["probabilities"], powers, strict=True):
        assert abs(share - power / sum(powers)) < 1e-5
    by_hand, by_library = values["loss"]
    assert abs(by_hand - by_library) < 1e-5
    assert len(values["losses"]) == len(values["accuracies"]) == 5
    assert all(abs(loss - math.log(10)) < 0.1 for loss in values["losses"])
    assert all(0.01 < share < 0.3 for share in values["accuracies"])
    linear, convolution = values["record"][0], values["record"][-1]
    assert (linear, values["record"].count(linear)) == ("Addmm", 2)
    assert (convolution.replace("Mkldnn", ""), values["record"].count(convolution)) == ("Convolution", 2)
    assert "64x500" in values["message"]


def forgets_the_first(size, kernel_size, stride):
    return (size - kernel_size) // stride


def halves_places(size, kernel_size, stride):
    return (size - kernel_size) / stride + 1


def forgets_the_kernel(size, kernel_size, stride):
    return size // stride


def stride_of_one(size, kernel_size, stride):
    return size - kernel_size + 1


def windows_side_by_side(size, kernel_size, stride):
    return size // kernel_size


def naive(logits):
    return logits.exp() / logits.exp().sum(dim=1, keepdim=True)


def clamped(logits):
    return naive(logits.clamp(-50, 50))


def shifted_by_the_batch(logits):
    return naive(logits - logits.max())


def in_doubles(logits):
    return naive(logits.double())


def by_numpy(logits):
    powers = np.exp(logits.numpy() - logits.numpy().max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def logarithms(logits):
    return logits - logits.logsumexp(dim=1, keepdim=True)


def down_the_columns(logits):
    return logits.exp() / logits.exp().sum(dim=0, keepdim=True)


def over_everything(logits):
    powers = (logits - logits.max()).exp()
    return powers / powers.sum()


def powers_alone(logits):
    return (logits - logits.amax(dim=1, keepdim=True)).exp()


def in_place(logits):
    logits -= logits.amax(dim=1, keepdim=True)
    return naive(logits)


def off_by_little(logits):
    return torch.tensor(by_numpy(logits)) + 2e-3


def second_row_alone_is_wrong(logits):
    return torch.cat([torch.tensor(by_numpy(logits[:1])), naive(logits[1:]) * 2])


def shared_between_two(logits):
    probabilities = torch.tensor(by_numpy(logits))
    return torch.cat([probabilities[:1], probabilities[1:].flip(1)])


def without_keepdim(logits):
    powers = logits.exp()
    return powers / powers.sum(dim=1)


def first_row_alone(logits):
    return torch.tensor(by_numpy(logits))[0]


def sequential(first_out, second_in, inputs, outputs=10, *, second_out=16, kernel_size=3, padding=0):
    return nn.Sequential(
        *[nn.Conv2d(1, first_out, kernel_size, padding=padding), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Conv2d(second_in, second_out, kernel_size), nn.ReLU(), nn.MaxPool2d(2)],
        *[nn.Flatten(), nn.Linear(inputs, outputs)],
    )


class OneLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(784, 10)

    def forward(self, images):
        return self.layer(images.flatten(start_dim=1))


class Misfit(OneLayer):
    def forward(self, images):
        return self.layer(images)


def right_mended():
    layers = [torch.nn.Conv2d(1, 8, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    layers += [torch.nn.Conv2d(8, 16, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
    return torch.nn.Sequential(torch.nn.Sequential(*layers), torch.nn.Flatten(), torch.nn.Linear(400, 10))


CASES = {
    "output_size": {
        "right": [lambda size, kernel, stride: torch.tensor(len(range(0, size - kernel + 1, stride)))],
        "stub": lambda size, kernel_size, stride: None,
        "wrong": [
            [forgets_the_first, forgets_the_kernel, windows_side_by_side],
            [halves_places],
            [stride_of_one],
            [lambda size: size],
            [24],
        ],
    },
    "softmax": {
        "right": [by_numpy],
        "stub": lambda logits: None,
        "wrong": [
            [naive, in_doubles],
            [clamped],
            [shifted_by_the_batch],
            [down_the_columns],
            [over_everything],
            [powers_alone, off_by_little, second_row_alone_is_wrong],
            [shared_between_two],
            [logarithms],
            [in_place],
            [without_keepdim],
            [first_row_alone],
            [torch.rand(2, 3)],
            [lambda logits: logits.softmax(dim=1), lambda logits: F.log_softmax(logits, dim=1).exp()],
        ],
    },
    "mended": {
        "right": [right_mended],
        "stub": lambda: None,
        "wrong": [
            [lambda: sequential(8, 10, 320)],
            [lambda: sequential(8, 8, 320)],
            [lambda: sequential(10, 10, 400), lambda: sequential(8, 8, 500, second_out=20), OneLayer],
            [lambda: sequential(8, 8, 400, 16)],
            [lambda: OneLayer],
            [Misfit],
            [lambda: 400],
            [sequential(8, 8, 400)],
            [lambda: sequential(8, 8, 256, kernel_size=5)],
            [lambda: sequential(8, 8, 576, padding=1)],
        ],
    },
}
