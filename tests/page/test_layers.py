"""From a network to the layers of its page, and what is refused."""

import pytest
from torch import nn

from mnist_helpers import models, write_page
from mnist_helpers.page import PageError
from mnist_helpers.page.layers import read_layers

from ..support.networks import NETWORKS, Branches, Transposed


def test_a_layer_is_named_after_the_module_whose_weights_it_uses():
    layers, numbers = read_layers(models.Net())
    said = [(layer["kind"], layer["name"], layer["shape"], sum(layer["sizes"])) for layer in layers]
    assert said == [
        ("conv", "conv1", [10, 24, 24], 260),
        ("pool", "", [10, 12, 12], 0),
        ("relu", "", [10, 12, 12], 0),
        ("conv", "conv2", [20, 8, 8], 5_020),
        ("pool", "", [20, 4, 4], 0),
        ("relu", "", [20, 4, 4], 0),
        ("flatten", "", [320], 0),
        ("linear", "fc1", [50], 16_050),
        ("relu", "", [50], 0),
        ("linear", "fc2", [10], 510),
    ]
    assert numbers.size == 21_840


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_network_is_left_as_it_was(make):
    network = make().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    read_layers(network)
    assert network.training
    assert all(tensor.equal(before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        (
            nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.GELU()),
            "Sequential uses gelu, which the page does",
        ),
        (nn.Sequential(nn.ConvTranspose2d(1, 2, 3), nn.Flatten(), nn.Linear(1800, 10)), "transposed"),
        (nn.Sequential(nn.AvgPool2d(2, padding=1), nn.Flatten(), nn.Linear(225, 10)), "pads before a mean"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 11)), "does not return ten numbers"),
        (nn.Sequential(nn.Flatten(), nn.Linear(700, 10)), "does not run on an image"),
        (
            nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.Flatten(), nn.Linear(784, 10)),
            "batch",
        ),
        (Transposed(), "multiplies by a matrix that is no linear layer's"),
        (Branches(), "not one layer after the other"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_page_does_not_know_is_refused_in_one_line(tmp_path, network, reason):
    with pytest.raises(PageError) as caught:
        write_page(network, tmp_path / "page.html")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_another_file_is_not_overwritten_and_a_page_is(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("my homework")
    with pytest.raises(PageError, match="not a page of this course"):
        write_page(models.Net(), path)
    assert path.read_text() == "my homework"
    path.unlink()
    assert write_page(models.Net(), path) == path
    first = path.read_bytes()
    write_page(models.Net(), path, seen=64)
    assert path.read_bytes() != first
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_the_page_of_net_is_at_most_250_kB(tmp_path):
    assert write_page(models.Net(), tmp_path / "page.html").stat().st_size <= 250_000


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PageError, match="the page cannot be written"):
        write_page(models.Net(), tmp_path / "file" / "page.html")
    with pytest.raises(PageError, match="the page cannot be written"):
        write_page(models.Net(), tmp_path)
