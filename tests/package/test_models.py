"""The networks have the layers and sizes of their sources, with logits for an output."""

import pytest
import torch
from torch.nn import functional as F

from mnist_helpers import ConvNet, FastNet, Net, ThreeLayerNet, WideNet, set_seed

LAYERS = {
    Net: ({"conv1": (10, 1, 5, 5), "conv2": (20, 10, 5, 5), "fc1": (50, 320), "fc2": (10, 50)}, 21_840),
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


def by_hand(network, x):
    """The logits by torch.nn.functional, written out for this test alone."""
    weights = dict(network.named_parameters())

    def layer(name):
        return weights[f"{name}.weight"], weights[f"{name}.bias"]

    if isinstance(network, ThreeLayerNet):
        x = F.linear(x.reshape(-1, 784), *layer("fc1")).clamp(min=0)
        return F.linear(F.linear(x, *layer("fc2")).clamp(min=0), *layer("fc3"))
    if isinstance(network, Net):
        x = F.max_pool2d(F.conv2d(x, *layer("conv1")), 2).clamp(min=0)
        x = F.max_pool2d(F.conv2d(x, *layer("conv2")), 2).clamp(min=0)
    elif isinstance(network, WideNet):
        x = F.conv2d(F.conv2d(x, *layer("conv1")).clamp(min=0), *layer("conv2")).clamp(min=0)
        x = F.max_pool2d(x, 2)
    else:
        x = F.max_pool2d(F.conv2d(x, *layer("conv1")).clamp(min=0), 2)
        x = F.conv2d(x, *layer("conv2")).clamp(min=0)
    return F.linear(F.linear(x.reshape(len(x), -1), *layer("fc1")).clamp(min=0), *layer("fc2"))


@pytest.mark.parametrize("network", LAYERS)
def test_logits_by_the_functions_of_torch(network):
    set_seed(2)
    built = network().eval()
    images = torch.linspace(-1, 2, 3 * 784).view(3, 1, 28, 28)
    with torch.no_grad():
        logits = built(images)
        assert logits.shape == (3, 10)
        assert torch.allclose(logits, by_hand(built, images), atol=1e-5)


def test_fastnet_by_the_functions_of_torch():
    torch.manual_seed(1)
    network = FastNet().eval()
    assert sum(tensor.numel() for tensor in network.parameters()) == 29_434
    norms = (network.norm1, network.norm2, network.norm3)
    with torch.no_grad():
        for norm in norms:  # not at the values they start with
            norm.running_mean.uniform_(-1, 1)
            norm.running_var.uniform_(0.5, 2)
            norm.weight.uniform_(-1, 2)  # a negative one turns the largest into the smallest
            norm.bias.uniform_(-1, 1)
        x = images = torch.linspace(-1, 2, 3 * 784).view(3, 1, 28, 28)
        kernels = (network.conv1.weight, network.conv2.weight, network.conv3.weight)
        for kernel, norm, stride in zip(kernels, norms, (2, 1, 1), strict=True):
            x = F.conv2d(x, kernel, stride=stride)
            x = F.max_pool2d(x, 2) if norm is network.norm2 else x
            mean, variance = (each.view(1, -1, 1, 1) for each in (norm.running_mean, norm.running_var))
            x = (x - mean) / (variance + 1e-5).sqrt()
            x = (x * norm.weight.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)).clamp(min=0)
        expected = x.reshape(3, 576) @ network.fc.weight.T + network.fc.bias
        assert torch.allclose(network(images), expected, atol=1e-4)


@pytest.mark.parametrize(("network", "share"), [(Net, 0.5), (WideNet, 0.25)])
def test_dropout_of_whole_channels_then_of_single_values(network, share):
    """The source of WideNet drops 2-D channels from flat input, where there are none."""
    set_seed(1)
    built, dropped = network().train(), {}
    for name in ("conv2_drop", "fc1_drop"):
        layer = getattr(built, name)
        layer.register_forward_hook(
            lambda layer, given, out, name=name: dropped.update({name: (given[0], out)})
        )
    built(torch.linspace(-1, 1, 100 * 784).view(100, 1, 28, 28))
    given, out = (tensor.flatten(2) for tensor in dropped["conv2_drop"])  # (100, channels, pixels)
    alive = (given != 0).any(dim=2)
    gone = (out == 0).all(dim=2)[alive]
    assert torch.equal(gone, ((out == 0) & (given != 0)).any(dim=2)[alive]), "a channel is dropped whole"
    assert share - 0.1 < gone.float().mean().item() < share + 0.1
    given, out = dropped["fc1_drop"]
    assert 0.4 < (out[given > 0] == 0).float().mean().item() < 0.6
    assert not (out == 0).all(dim=1).any(), "no row is dropped whole"


def test_another_image_size_is_refused():
    with pytest.raises(RuntimeError):
        Net()(torch.zeros(4, 1, 32, 32))
