"""Digits in memory, and loaders whose order is a function of (seed, epoch)."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from mnist_helpers import MNIST_MEAN, MNIST_STD, load_mnist, make_loaders
from mnist_helpers.data import Digits, EpochOrder, NormalisedDigits


@pytest.fixture(scope="module")
def mnist(data_dir):
    return load_mnist(data_dir)


@pytest.fixture(scope="module")
def loaders(data_dir):
    """Loaders with 1,000 training images."""
    return make_loaders(validation_size=59_000, data_dir=data_dir)


def test_shapes_and_types(mnist):
    for digits, count in zip(mnist, (60_000, 10_000), strict=True):
        assert digits.images.shape == (count, 28, 28)
        assert digits.images.dtype == torch.uint8
        assert digits.labels.shape == (count,)
        assert digits.labels.dtype == torch.int64


def test_the_first_labels_and_the_counts_per_class(mnist):
    train, test = mnist
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert train.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_equals_torchvision_s_reading(mnist, data_dir):
    for digits, is_train in zip(mnist, (True, False), strict=True):
        theirs = torchvision.datasets.MNIST(data_dir, train=is_train, download=False)
        assert torch.equal(digits.images, theirs.data)
        assert torch.equal(digits.labels, theirs.targets)


def test_mean_and_deviation_are_those_of_the_training_pixels(mnist):
    pixels = mnist[0].images.double() / 255
    assert round(pixels.mean().item(), 4) == MNIST_MEAN
    assert round(pixels.std().item(), 4) == MNIST_STD


def test_batches_equal_the_ordinary_torchvision_way(loaders, data_dir):
    transform = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((MNIST_MEAN,), (MNIST_STD,))]
    )
    ordinary = DataLoader(
        torchvision.datasets.MNIST(data_dir, train=False, transform=transform), batch_size=1000
    )
    theirs, their_labels = next(iter(ordinary))
    ours, our_labels = next(iter(loaders.test))
    assert torch.equal(our_labels, their_labels)
    assert (ours - theirs).abs().max().item() < 1e-6


def test_every_loader_is_a_real_dataloader_of_normalised_batches(loaders):
    for loader, size in ((loaders.train, 64), (loaders.validation, 1000), (loaders.test, 1000)):
        assert isinstance(loader, DataLoader)
        images, labels = next(iter(loader))
        assert images.shape == (size, 1, 28, 28)
        assert images.dtype == torch.float32
        assert labels.shape == (size,)
        assert labels.dtype == torch.int64


def test_one_pass_gives_every_image_once(loaders):
    batches = list(loaders.train)
    assert [len(labels) for _, labels in batches] == [64] * 15 + [40]
    assert len(loaders.train) == 16
    seen = torch.cat([images for images, _ in batches]).flatten(1)
    kept = loaders.train.dataset.images.flatten(1)
    assert torch.equal(seen.sum(dim=1).sort().values, kept.sum(dim=1).sort().values)


def test_an_item_of_the_dataset_is_an_image_and_its_label(loaders, mnist):
    image, label = loaders.test.dataset[3]
    assert image.shape == (1, 28, 28)
    assert label == mnist[1].labels[3]


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epoch):
        sampler = EpochOrder(1000, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    torch.manual_seed(7)
    first = order(1, 2)
    torch.manual_seed(8)
    torch.rand(5)
    assert order(1, 2) == first, "the global random state has no say"
    assert sorted(first) == list(range(1000))
    others = [order(1, 1), order(2, 2), order(2, 1), order(1, 3)]
    assert all(first != other for other in others)


def test_order_is_the_same_in_another_process(data_dir):
    program = "from mnist_helpers.data import *; s = EpochOrder(50, seed=3); s.set_epoch(4); print(list(s))"
    sampler = EpochOrder(50, seed=3)
    sampler.set_epoch(4)
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=True
    )
    assert said.stdout.strip() == str(list(sampler))


def test_without_set_epoch_each_complete_pass_has_an_order_of_its_own():
    sampler = EpochOrder(100, seed=1)
    first, second = list(sampler), list(sampler)
    assert first != second
    sampler.set_epoch(1)
    assert list(sampler) == first
    sampler.set_epoch(1)
    next(iter(sampler))  # a glance at the first batch is no epoch
    assert list(sampler) == first


def test_a_pass_may_start_in_the_middle_and_the_next_one_is_whole():
    sampler = EpochOrder(100, seed=1)
    sampler.set_epoch(3)
    whole = list(sampler)
    sampler.set_epoch(3)
    sampler.first = 64
    assert list(sampler) == whole[64:]
    assert len(list(sampler)) == 100, "the pass after it, epoch 4, begins at its beginning"
    sampler.first = 128  # the last batch of an epoch may be short
    assert list(sampler) == []
    sampler.first = 64
    sampler.set_epoch(3)
    assert list(sampler) == whole, "set_epoch begins at the beginning"
    sampler.first = -1
    with pytest.raises(ValueError, match="first is -1; allowed is 0 or more"):
        list(sampler)


def test_a_pass_leaves_the_global_random_state_alone(loaders):
    before = torch.get_rng_state()
    next(iter(loaders.train))
    next(iter(loaders.test))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_split_is_disjoint_complete_and_chosen_by_the_seed(data_dir, mnist):
    def split(seed):
        loaders = make_loaders(validation_size=5000, seed=seed, data_dir=data_dir)
        return loaders.train.dataset, loaders.validation.dataset

    kept, held_out = split(1)
    assert (len(kept), len(held_out)) == (55_000, 5_000)
    # No image of MNIST occurs twice, so the bytes of an image name it.
    names = {image.numpy().tobytes() for part in (kept, held_out) for image in part.images}
    assert len(names) == 60_000
    assert torch.equal(split(1)[1].labels, held_out.labels)
    assert not torch.equal(split(2)[1].labels, held_out.labels)


def test_loading_changes_no_file(data_dir):
    raw = data_dir / "MNIST" / "raw"
    before = {path.name: path.stat().st_mtime_ns for path in raw.iterdir()}
    train, _ = load_mnist(data_dir)
    train.images.zero_()
    assert {path.name: path.stat().st_mtime_ns for path in raw.iterdir()} == before
    assert load_mnist(data_dir)[0].images.any()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"batch_size": 0}, "batch_size is 0; allowed is 1 or more"),
        ({"batch_size": -64}, "batch_size is -64"),
        ({"batch_size": 6.4}, "batch_size is 6.4; allowed is a whole number"),
        ({"batch_size": True}, "batch_size is True"),
        ({"test_batch_size": "many"}, "test_batch_size is 'many'"),
        ({"validation_size": 60_000}, "validation_size is 60,000; allowed is 0 to 59,999"),
        ({"validation_size": -1}, "validation_size is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(arguments, named, tmp_path):
    missing = tmp_path / "nothing here"  # touched, it would start a download
    with pytest.raises(ValueError, match=named):
        make_loaders(**arguments, data_dir=missing)
    assert not missing.exists()


def test_numpy_integers_are_integers(data_dir):
    assert (
        make_loaders(batch_size=np.int64(32), validation_size=59_900, data_dir=data_dir).train.batch_size
        == 32
    )


def test_images_and_labels_of_different_length_are_refused(mnist):
    train, _ = mnist
    with pytest.raises(ValueError, match="60,000 images and 59,999 labels do not belong together"):
        NormalisedDigits(Digits(train.images, train.labels[1:]))
