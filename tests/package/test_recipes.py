"""Lesson 10's recipes: every rung trains, and the last ones reach what the lesson says."""

import itertools
from dataclasses import fields, replace

import pytest
import torch
from torch.nn import functional as F

from mnist_helpers import FastNet, load_mnist
from mnist_helpers.data import NormalisedDigits
from mnist_helpers.recipes import (
    FAST,
    LADDER,
    Muon,
    Recipe,
    freeze_first_layer,
    one_cycle,
    orthogonal,
    train_recipe,
)


@pytest.fixture(scope="module")
def digits(data_dir):
    return tuple(NormalisedDigits(part) for part in load_mnist(data_dir))


def accuracy(network, dataset, count) -> float:
    """The share of the first ``count`` images that it reads."""
    network.eval()
    with torch.no_grad():
        answers = torch.cat([network(images).argmax(dim=1) for images in dataset.images[:count].split(1000)])
    return (answers == dataset.labels[:count]).float().mean().item()


def weights(network) -> torch.Tensor:
    return torch.cat([tensor.flatten().double() for tensor in network.state_dict().values()])


@pytest.mark.parametrize("name", LADDER)
def test_each_rung_trains(name, digits):
    """On 2,560 images a network gets well past chance, whatever the rung."""
    train, test = digits
    recipe = replace(LADDER[name], images_seen=2_560, lr=max(LADDER[name].lr, 0.05))
    network = train_recipe(recipe, train.images, train.labels, seed=1)
    assert torch.isfinite(weights(network)).all()
    assert accuracy(network, test, 500) > 0.5


def test_one_change_at_a_time():
    rungs = list(LADDER.values())
    assert rungs[0] == Recipe()
    assert FAST in rungs
    for before, after in itertools.pairwise(rungs):
        changed = {f.name for f in fields(Recipe) if getattr(before, f.name) != getattr(after, f.name)}
        # The one-cycle rate comes with its own momentum, peak and number of images.
        schedule = {"one_cycle", "lr", "momentum", "nesterov", "images_seen"}
        # Muon's steps go further, so that half as many do, at a rate of their own.
        assert len(changed) == 1 or changed in (schedule, {"muon", "batch_size", "lr"}), changed


def test_fast_reaches_98_and_a_half_per_cent(digits):
    """A band, not a time: twenty seeds of the benchmark lie around 99 %."""
    train, test = digits
    network = train_recipe(FAST, train.images, train.labels, seed=1)
    assert isinstance(network, FastNet)
    assert 0.985 < accuracy(network, test, 10_000) < 0.996


def test_the_seed_is_all_that_a_training_depends_on(digits):
    train, _ = digits
    recipe = replace(FAST, images_seen=1_280)
    torch.manual_seed(7)
    first = weights(train_recipe(recipe, train.images, train.labels, seed=1))
    again = weights(train_recipe(recipe, train.images, train.labels, seed=1))
    other = weights(train_recipe(recipe, train.images, train.labels, seed=2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_more_images_than_there_are_means_every_image_once_before_any_twice():
    """Two and a half epochs of 64 images: a network that counts what it is given."""
    given = []

    class Counting(torch.nn.Linear):
        def __init__(self):
            super().__init__(1, 10)

        def forward(self, images):
            given.extend(images.flatten().int().tolist())
            return super().forward(images.flatten(1))

    images = torch.arange(64.0).view(64, 1, 1, 1)
    recipe = Recipe(Counting, images_seen=160, batch_size=24, lr=1e-6)
    train_recipe(recipe, images, torch.zeros(64, dtype=torch.long), seed=1)
    assert len(given) == 160
    assert sorted(given[:64]) == sorted(given[64:128]) == list(range(64))
    assert len(set(given[128:])) == 32
    assert given[:64] != given[64:128]


def test_a_frozen_layer_learns_no_more_and_the_others_do(digits):
    train, _ = digits
    recipe = replace(FAST, images_seen=1_280, frozen_after=0.0)
    torch.manual_seed(1)
    before = FastNet().state_dict()
    after = train_recipe(recipe, train.images, train.labels, seed=1).state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    first = {name for name in before if name.startswith(("conv1", "norm1"))}
    assert same == first

    network = FastNet().train()
    freeze_first_layer(network)
    F.cross_entropy(network(train.images[:8]), train.labels[:8]).backward()
    assert network.conv1.weight.grad is None
    assert network.norm1.weight.grad is None
    assert network.conv2.weight.grad is not None


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 7, 469])
def test_one_cycle_rises_to_the_top_and_falls(steps):
    rates = one_cycle(0.2, steps)
    top = max(steps // 4, 1)
    assert len(rates) == steps
    assert max(rates) == pytest.approx(0.2)
    assert rates.index(max(rates)) == top - 1
    assert all(a < b for a, b in itertools.pairwise(rates[:top]))
    assert all(a > b > 0 for a, b in itertools.pairwise(rates[top - 1 :]))


def test_label_smoothing_and_bfloat16_are_what_is_asked_for(digits):
    """Each field changes what is computed: the same seed, other weights."""
    train, _ = digits
    base = Recipe(FastNet, images_seen=640, lr=0.05)
    reference = weights(train_recipe(base, train.images, train.labels, seed=1))
    changes = {"label_smoothing": 0.1, "bfloat16": True, "one_cycle": True, "momentum": 0.9}
    changes |= {"batch_size": 32, "muon": True}
    for name, value in changes.items():
        other = weights(train_recipe(replace(base, **{name: value}), train.images, train.labels, seed=1))
        assert not torch.equal(reference, other), name
    memory = replace(base, channels_last=True)
    network = train_recipe(memory, train.images, train.labels, seed=1)
    assert network.conv2.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(weights(network), reference, atol=1e-2)


def test_an_orthogonal_update_keeps_its_directions_and_evens_out_its_stretch():
    """Against the exact answer, U Vᵀ of the singular value decomposition."""
    torch.manual_seed(1)
    update = torch.randn(32, 16, 3, 3) @ torch.randn(3, 3)
    found = orthogonal(update)
    assert found.shape == update.shape
    left, stretch, right = torch.linalg.svd(update.flatten(1), full_matrices=False)
    assert stretch.max() > 3 * stretch.min()
    exact, found = left @ right, found.flatten(1)
    assert F.cosine_similarity(found.flatten(), exact.flatten(), dim=0) > 0.95
    assert torch.linalg.svdvals(found).max() < 1.3
    assert torch.allclose(orthogonal(1000 * update).flatten(1), found, atol=1e-4), "the size does not matter"


def test_a_step_of_muon_is_the_momentum_made_orthogonal():
    kernel = torch.nn.Parameter(torch.zeros(4, 2, 3, 3))
    frozen = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
    optimizer = Muon([kernel, frozen], momentum=0.5)
    optimizer.param_groups[0]["lr"] = 0.1
    gradients = torch.randn(2, 4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    expected, velocity = torch.zeros(4, 2, 3, 3), torch.zeros(4, 2, 3, 3)
    for gradient in gradients:
        kernel.grad = gradient.clone()
        optimizer.step()
        velocity = 0.5 * velocity + gradient
        expected -= 0.1 * orthogonal(gradient + 0.5 * velocity)
    assert torch.allclose(kernel, expected, atol=1e-6)
    assert torch.equal(frozen, torch.ones(4, 2, 3, 3)), "without a gradient nothing moves"
