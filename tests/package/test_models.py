"""Net is seed 001's network, with logits for an output."""

import pytest
import torch
from torch.nn import functional as F

from mnist_helpers import Net, set_seed


def test_parameters():
    shapes = {name: tuple(tensor.shape) for name, tensor in Net().named_parameters()}
    assert shapes == {
        "conv1.weight": (10, 1, 5, 5),
        "conv1.bias": (10,),
        "conv2.weight": (20, 10, 5, 5),
        "conv2.bias": (20,),
        "fc1.weight": (50, 320),
        "fc1.bias": (50,),
        "fc2.weight": (10, 50),
        "fc2.bias": (10,),
    }
    assert sum(tensor.numel() for tensor in Net().parameters()) == 21_840


def test_logits_by_the_functions_of_torch():
    """The same numbers from torch.nn.functional, written out for this test alone."""
    set_seed(1)
    network = Net().eval()
    images = torch.linspace(-1, 1, 3 * 784).view(3, 1, 28, 28)
    with torch.no_grad():
        x = F.max_pool2d(F.conv2d(images, network.conv1.weight, network.conv1.bias), 2).clamp(min=0)
        x = F.max_pool2d(F.conv2d(x, network.conv2.weight, network.conv2.bias), 2).clamp(min=0)
        x = (x.reshape(3, 320) @ network.fc1.weight.T + network.fc1.bias).clamp(min=0)
        expected = x @ network.fc2.weight.T + network.fc2.bias
        logits = network(images)
    assert logits.shape == (3, 10)
    assert torch.allclose(logits, expected, atol=1e-5)


def test_dropout_of_whole_channels_then_of_single_values():
    set_seed(1)
    network = Net().train()
    dropped = {}
    network.conv2_drop.register_forward_hook(lambda layer, given, out: dropped.update(channels=out))
    network.fc1_drop.register_forward_hook(lambda layer, given, out: dropped.update(values=(given[0], out)))
    network(torch.ones(200, 1, 28, 28))
    channels = dropped["channels"].flatten(2)  # (200, 20, 64)
    gone = (channels == 0).all(dim=2)
    assert torch.equal(gone, (channels == 0).any(dim=2)), "a channel is dropped whole"
    assert 0.45 < gone.float().mean().item() < 0.55
    given, kept = dropped["values"]
    alive = given > 0
    assert 0.45 < (kept[alive] == 0).float().mean().item() < 0.55


def test_another_image_size_is_refused():
    with pytest.raises(RuntimeError):
        Net()(torch.zeros(4, 1, 32, 32))
