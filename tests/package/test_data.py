"""Digits in memory, and loaders whose order is a function of (seed, epoch)."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from mnist_helpers import MNIST_MEAN, MNIST_STD, Digits, load_mnist, make_loaders
from mnist_helpers.data import EpochOrder, NormalisedDigits
from tests.support.checkpoints import loaders_of


@pytest.fixture(scope="module")
def mnist(data_dir):
    return load_mnist(data_dir)


@pytest.fixture(scope="module")
def loaders(data_dir):
    """Loaders with 1,000 training images."""
    return make_loaders(validation_size=59_000, data_dir=data_dir)


def test_the_digits_are_those_of_the_files(mnist, data_dir):
    counts = [
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ]
    for digits, count, per_class, is_train in zip(
        mnist, (60_000, 10_000), counts, (True, False), strict=True
    ):
        assert (digits.images.shape, digits.images.dtype) == ((count, 28, 28), torch.uint8)
        assert (digits.labels.shape, digits.labels.dtype) == ((count,), torch.int64)
        assert digits.labels.bincount().tolist() == per_class
        theirs = torchvision.datasets.MNIST(data_dir, train=is_train, download=False)
        assert torch.equal(digits.images, theirs.data)
        assert torch.equal(digits.labels, theirs.targets)
    assert mnist[0].labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_mean_and_deviation_are_those_of_the_training_pixels(mnist):
    pixels = mnist[0].images.flatten().bincount(minlength=256).double()  # how often each value occurs
    values = torch.arange(256) / 255
    mean = (pixels * values).sum() / pixels.sum()
    assert round(mean.item(), 4) == MNIST_MEAN
    assert round(((pixels * (values - mean) ** 2).sum() / pixels.sum()).sqrt().item(), 4) == MNIST_STD


def test_batches_equal_the_ordinary_torchvision_way(loaders, data_dir):
    transform = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize((MNIST_MEAN,), (MNIST_STD,))]
    )
    ordinary = torchvision.datasets.MNIST(data_dir, train=False, transform=transform)
    theirs, their_labels = next(iter(DataLoader(ordinary, batch_size=1000)))
    ours, our_labels = next(iter(loaders.test))
    assert torch.equal(our_labels, their_labels)
    assert (ours - theirs).abs().max().item() < 1e-6
    image, label = loaders.test.dataset[3]
    assert torch.equal(image, ours[3])
    assert label == our_labels[3]


def test_every_loader_is_a_real_dataloader_of_normalised_batches(loaders):
    for loader, size in ((loaders.train, 64), (loaders.validation, 1000), (loaders.test, 1000)):
        assert isinstance(loader, DataLoader)
        images, labels = next(iter(loader))
        assert (images.shape, images.dtype) == ((size, 1, 28, 28), torch.float32)
        assert (labels.shape, labels.dtype) == ((size,), torch.int64)


def test_one_pass_gives_every_image_once(loaders):
    batches = list(loaders.train)
    assert [len(labels) for _, labels in batches] == [64] * 15 + [40]
    assert len(loaders.train) == 16
    seen = torch.cat([images for images, _ in batches]).flatten(1).sum(dim=1)
    assert torch.equal(seen.sort().values, loaders.train.dataset.images.flatten(1).sum(dim=1).sort().values)


def order(seed, epoch, size=1000):
    sampler = EpochOrder(size, seed=seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_order_is_a_function_of_seed_and_epoch():
    torch.manual_seed(7)
    first = order(1, 2)
    torch.rand(5)
    assert order(1, 2) == first, "the global random state has no say"
    assert sorted(first) == list(range(1000))
    assert first not in [order(1, 1), order(2, 2), order(2, 1), order(1, 3)]
    program = "from mnist_helpers.data import *; s = EpochOrder(50, seed=3); s.set_epoch(4); print(list(s))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(order(3, 4, 50)), "in another process"


def taking(sampler, count):
    """A pass of which ``count`` indices have been taken, and which is not over."""
    running = iter(sampler)
    for _ in range(count):
        next(running)
    return running


def test_a_complete_pass_is_followed_by_the_next_epoch_and_a_broken_one_by_itself():
    sampler = EpochOrder(100, seed=1)
    assert [list(sampler), list(sampler)] == [order(1, 1, 100), order(1, 2, 100)]
    for count in (1, 40, 100):  # at 100 all is taken, but the loop has not come back
        running = taking(sampler, count)
        assert sampler.state_dict() == {"seed": 1, "size": 100, "epoch": 3, "taken": count}
        del running
        assert sampler.state_dict() == {"seed": 1, "size": 100, "epoch": 3, "taken": 0}
    assert list(sampler) == order(1, 3, 100)


@pytest.mark.parametrize("taken", [0, 1, 64, 99, 100])
def test_a_saved_place_goes_on_exactly(taken):
    sampler, resumed = EpochOrder(100, seed=1), EpochOrder(100, seed=1)
    sampler.set_epoch(3)
    running = taking(sampler, taken)
    resumed.load_state_dict(sampler.state_dict())
    assert resumed.state_dict() == sampler.state_dict()
    next(iter(resumed), None)  # a peek moves no place
    if taken < 100:
        assert resumed.state_dict() == sampler.state_dict()
        assert list(resumed) == list(running) == order(1, 3, 100)[taken:]
    assert list(resumed) == order(1, 4, 100), "the pass after it is whole"
    resumed.load_state_dict({**resumed.state_dict(), "taken": 64})
    resumed.set_epoch(3)
    assert list(resumed) == order(1, 3, 100), "set_epoch begins at the beginning"


def test_a_pass_that_ends_late_has_no_say():
    """A notebook keeps iterators: ``batches = iter(loader)``, and replaces them later."""
    sampler = EpochOrder(100, seed=1)
    state = {**sampler.state_dict(), "epoch": 5, "taken": 7}
    for choose, given in ((sampler.set_epoch, 5), (sampler.load_state_dict, state)):
        old = taking(sampler, 10)
        choose(given)
        chosen = sampler.state_dict()
        del old
        assert sampler.state_dict() == chosen
        sampler.set_epoch(1)
    old, new = taking(sampler, 3), taking(sampler, 7)
    del old
    assert sampler.state_dict()["taken"] == 7
    assert len(list(new)) == 93


def test_a_peek_into_a_loader_moves_neither_its_place_nor_the_random_state():
    loaders, random = loaders_of(), torch.get_rng_state()
    for start in ({"epoch": 1, "taken": 0}, {"epoch": 2, "taken": 112}):
        loaders.train.sampler.load_state_dict({"seed": 1, "size": 250, **start})
        next(iter(loaders.train))
        next(iter(loaders.test))
        assert loaders.train.sampler.state_dict() == {"seed": 1, "size": 250, **start}
    assert [len(labels) for _, labels in loaders.train] == [16] * 8 + [10]
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"seed": 2}, "the saved order is of 100 images with seed 2, this one of 100 with seed 1"),
        ({"size": 99}, "the saved order is of 99 images with seed 1, this one of 100 with seed 1"),
        ({"epoch": 0}, "epoch is 0; allowed is 1 or more"),
        ({"taken": 101}, "taken is 101; allowed is 0 to 100"),
    ],
)
def test_a_place_in_another_order_is_refused(state, said):
    sampler = EpochOrder(100, seed=1)
    with pytest.raises(ValueError, match=said):
        sampler.load_state_dict({**sampler.state_dict(), **state})


def test_the_split_is_disjoint_complete_and_chosen_by_the_seed(data_dir):
    def split(seed):
        loaders = make_loaders(validation_size=5000, seed=seed, data_dir=data_dir)
        return loaders.train.dataset, loaders.validation.dataset

    kept, held_out = split(1)
    assert (len(kept), len(held_out)) == (55_000, 5_000)
    # No image of MNIST occurs twice, so the bytes of an image name it.
    names = {hash(image.tobytes()) for part in (kept, held_out) for image in part.images.numpy()}
    assert len(names) == 60_000
    assert torch.equal(split(1)[1].labels, held_out.labels)
    assert not torch.equal(split(2)[1].labels, held_out.labels)


def test_loading_changes_no_file(data_dir):
    raw = data_dir / "MNIST" / "raw"
    before = {path.name: path.stat().st_mtime_ns for path in raw.iterdir()}
    load_mnist(data_dir)[0].images.zero_()
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
    loaders = make_loaders(np.int64(32), validation_size=np.int64(59_900), data_dir=data_dir)
    assert (loaders.train.batch_size, len(loaders.train.dataset)) == (32, 100)


def test_images_and_labels_of_different_length_are_refused():
    with pytest.raises(ValueError, match="6,000 images and 5,999 labels do not belong together"):
        NormalisedDigits(Digits(torch.zeros(6000, 28, 28), torch.zeros(5999)))
