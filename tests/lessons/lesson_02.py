"""Lesson 2: what must stand in its kernel at the end, and answers to its exercises."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

PROBE = """
import json
values = {
    "convolution": [list(by_torch.shape), torch.allclose(across, by_torch), *map(round, strongest)],
    "moved": same_but_moved,
    "layer": [list(layer.weight.shape), list(maps.shape), layer.weight.abs().max().item()],
    "maps": [list(edges.shape), list(rectified.shape), list(pooled.shape), rectified.min().item()],
    "by_one_pixel": [full, small_map],
    "dropped": [dropped.unique().tolist(), dropped.mean().item(), drop.training],
    "by_pixel": [(result == 0).float().mean().item() for _, result in rows],
    "shapes": shapes,
    "walked": [list(noise.shape), list(x.shape)],
    "written_out": [Net.__module__, net.training],
    "on_paper": on_paper,
    "parameters": sum(parameter.numel() for parameter in net.parameters()),
    "probabilities": probabilities.tolist(),
    "sum": by_hand.sum().item(),
    "loss": [by_hand_loss.item(), by_library.item()],
    "three_ways": [one_step.item(), two_steps.item(), picked.item()],
    "losses": losses,
    "accuracies": accuracies,
    "three_images": list(net(images[:3]).shape),
    "message": message,
    "graph": training_steps,
    "in_evaluation": evaluation_steps,
    "recorded": [recorded, unrecorded],
    "gradient": net.conv1.weight.grad is None,
    "doublings": doublings,
    "labels": [axis.get_xlabel(), axis.get_ylabel()],
}
"""


def verify(values):
    assert values["convolution"] == [[26, 26], True, 757, 756]
    assert values["moved"] is True
    assert values["layer"][:2] == [[10, 1, 5, 5], [10, 24, 24]]
    assert 0.15 < values["layer"][2] <= 0.2
    assert values["maps"] == [[1, 26, 26], [1, 26, 26], [1, 13, 13], 0.0]
    full, small = values["by_one_pixel"]
    assert 0 < small < 0.8 * full, "pooling should soften a move by one pixel"
    assert values["dropped"][0] == [0.0, 2.0]
    assert abs(values["dropped"][1] - 1) < 0.01
    assert values["dropped"][2] is False
    off, by_pixel, _ = values["by_pixel"]
    assert by_pixel > off, "dropout in the figure drops nothing"

    assert values["shapes"][0] == ["images", [1, 28, 28]]
    assert [shape for name, shape in values["shapes"] if name == "pool"] == [[10, 12, 12], [20, 4, 4]]
    assert values["walked"] == [[1, 10], [64, 10]]
    assert values["written_out"] == ["__main__", False]
    assert values["on_paper"] == {"conv1": 260, "conv2": 5020, "fc1": 16050, "fc2": 510}
    assert values["parameters"] == 21_840

    powers = [math.e**score for score in (2, 1, 0)]
    assert all(
        abs(p - power / sum(powers)) < 1e-5 for p, power in zip(values["probabilities"], powers, strict=True)
    )
    assert abs(values["sum"] - 1) < 1e-5
    for losses in (values["loss"], values["three_ways"]):
        assert max(losses) - min(losses) < 1e-5
    assert abs(values["three_ways"][0] - math.log(10)) < 0.1
    assert len(values["losses"]) == len(values["accuracies"]) == 5
    assert all(abs(loss - math.log(10)) < 0.1 for loss in values["losses"])
    assert all(0.01 < share < 0.3 for share in values["accuracies"])

    assert values["three_images"] == [3, 10]
    assert "64x500" in values["message"]
    assert values["graph"][:2] == ["NllLossBackward0", "LogSoftmaxBackward0"]
    assert values["graph"][-1].startswith("Convolution")
    assert len(values["graph"]) == len(values["in_evaluation"]) + 2
    assert "MulBackward0" not in values["in_evaluation"]
    assert values["recorded"][0] > 1e6
    assert values["recorded"][1] == 0
    assert values["gradient"] is True
    assert len(values["doublings"]) == 12
    assert all(1 <= rounds <= 12 for rounds in values["doublings"])
    assert all(values["labels"])


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


def down_the_columns(logits):
    return logits.exp() / logits.exp().sum(dim=0, keepdim=True)


def over_everything(logits):
    powers = (logits - logits.max()).exp()
    return powers / powers.sum()


def powers_alone(logits):
    return (logits - logits.amax(dim=1, keepdim=True)).exp()


def logarithms(logits):
    return logits.log_softmax(dim=1)


def in_place(logits):
    logits -= logits.amax(dim=1, keepdim=True)
    return logits.softmax(dim=1)


def off_by_little(logits):
    return logits.softmax(dim=1) + 2e-3


def second_row_alone_is_wrong(logits):
    return torch.cat([logits[:1].softmax(dim=1), naive(logits[1:]) * 2])


def shared_between_two(logits):
    probabilities = logits.softmax(dim=1)
    return torch.cat([probabilities[:1], probabilities[1:].flip(1)])


def without_keepdim(logits):
    powers = logits.exp()
    return powers / powers.sum(dim=1)


def first_row_alone(logits):
    return logits[0].softmax(dim=0)


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
    "variant_parameters": {
        "right": [45_360.0, np.int64(45_360), torch.tensor(45_360)],
        "stub": None,
        "wrong": [
            [45_252],
            [21_360],
            [41_040],
            [torch.tensor(21_840)],
            [30_960],
            [62_960],
            [83_760],
            [198_960],
            [1_000],
            ["45,361"],
            [sequential(8, 8, 400)],
        ],
    },
    "softmax": {
        "right": [lambda logits: F.softmax(logits, dim=-1).numpy()],
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
