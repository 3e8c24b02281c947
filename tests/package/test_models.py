"""The networks have the layers and sizes of their sources, with logits for an output."""

import pytest
import torch
from torch.nn import functional as F

from mnist_helpers import ConvNet, Net, ThreeLayerNet, WideNet, set_seed


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


LAYERS = {
    ThreeLayerNet: ({"fc1": (300, 784), "fc2": (100, 300), "fc3": (10, 100)}, 266_610),
    WideNet: (
        {"conv1": (32, 1, 3, 3), "conv2": (64, 32, 3, 3), "fc1": (128, 9216), "fc2": (10, 128)},
        1_199_882,
    ),
    ConvNet: (
        {"conv1": (10, 1, 5, 5), "conv2": (20, 10, 3, 3), "fc1": (500, 2000), "fc2": (10, 500)},
        1_007_590,
    ),
}


@pytest.mark.parametrize("network", LAYERS)
def test_layers_and_parameters(network):
    shapes, count = LAYERS[network]
    found = dict(network().named_parameters())
    assert {name: tuple(found[f"{name}.weight"].shape) for name in shapes} == shapes
    assert found.keys() == {f"{name}.{kind}" for name in shapes for kind in ("weight", "bias")}
    assert sum(tensor.numel() for tensor in found.values()) == count


def by_hand(network, images):
    """The logits by torch.nn.functional, written out for this test alone."""
    weights = dict(network.named_parameters())

    def layer(name):
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    if isinstance(network, ThreeLayerNet):
        x = F.linear(images.reshape(-1, 784), *layer("fc1")).clamp(min=0)
        return F.linear(F.linear(x, *layer("fc2")).clamp(min=0), *layer("fc3"))
    x = F.conv2d(images, *layer("conv1")).clamp(min=0)
    if isinstance(network, WideNet):
        x = F.max_pool2d(F.conv2d(x, *layer("conv2")).clamp(min=0), 2)
    else:
        x = F.conv2d(F.max_pool2d(x, 2), *layer("conv2")).clamp(min=0)
    return F.linear(F.linear(x.reshape(len(x), -1), *layer("fc1")).clamp(min=0), *layer("fc2"))


@pytest.mark.parametrize("network", LAYERS)
def test_logits_of_the_other_networks_by_the_functions_of_torch(network):
    set_seed(2)
    built = network().eval()
    images = torch.linspace(-1, 2, 3 * 784).view(3, 1, 28, 28)
    with torch.no_grad():
        assert torch.allclose(built(images), by_hand(built, images), atol=1e-5)


def test_wide_net_drops_channels_and_then_single_values():
    """Its source drops 2-D channels from flat input, where there are none."""
    set_seed(1)
    network = WideNet().train()
    dropped = {}
    network.conv2_drop.register_forward_hook(
        lambda layer, given, out: dropped.update(channels=(given[0], out))
    )
    network.fc1_drop.register_forward_hook(lambda layer, given, out: dropped.update(values=(given[0], out)))
    network(torch.linspace(-1, 1, 20 * 784).view(20, 1, 28, 28))
    given, out = (tensor.flatten(2) for tensor in dropped["channels"])  # (20, 64, 144)
    alive = (given > 0).any(dim=2)
    gone = (out == 0).all(dim=2)[alive]
    assert 0.15 < gone.float().mean().item() < 0.35
    given, out = dropped["values"]  # (20, 128)
    assert 0.4 < (out[given > 0] == 0).float().mean().item() < 0.6
    assert not (out == 0).all(dim=1).any(), "no row is dropped whole"
