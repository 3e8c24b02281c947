"""MNIST in memory: the images as they are, and loaders that hand out normalised batches.

Sixty thousand digits are 47 MB as bytes, so the whole data set fits in memory on any machine, and a batch
is one indexing operation. Lesson 1 shows the ordinary torchvision way first and compares the two.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .arguments import require_int
from .fetching import fetch_mnist

# Over the 47,040,000 training pixels, scaled to 0..1. Lesson 1 computes both.
MNIST_MEAN = 0.1307
MNIST_STD = 0.3081


class Digits(NamedTuple):
    """Digits as stored in the files.

    ``images`` is uint8 (N, 28, 28), from 0, black, to 255, white; ``labels`` is int64 (N,), from 0 to 9.
    """

    images: torch.Tensor
    labels: torch.Tensor


class Loaders(NamedTuple):
    """What ``make_loaders`` returns; ``validation`` is None if no split was asked for."""

    train: DataLoader
    validation: DataLoader | None
    test: DataLoader


def load_mnist(data_dir: str | Path | None = None) -> tuple[Digits, Digits]:
    """Return ``(train, test)``: 60,000 and 10,000 digits, fetched and verified first if necessary.

    Raises DataError when the data is not there and cannot be fetched.
    """
    raw = fetch_mnist(data_dir) / "MNIST" / "raw"
    return _read_digits(raw, "train", 60_000), _read_digits(raw, "t10k", 10_000)


def _read_digits(raw: Path, split: str, count: int) -> Digits:
    # The IDX format: a header of 16 bytes (images) or 8 (labels), then one byte a value. The header need not
    # be parsed, because fetch_mnist has checked every byte of the file against its SHA-256.
    images = np.fromfile(raw / f"{split}-images-idx3-ubyte", dtype=np.uint8, offset=16)
    labels = np.fromfile(raw / f"{split}-labels-idx1-ubyte", dtype=np.uint8, offset=8)
    return Digits(torch.from_numpy(images).view(count, 28, 28), torch.from_numpy(labels).long())


class NormalisedDigits(Dataset):
    """Digits as a network takes them. Item i is a float32 image (1, 28, 28) and its label.

    The images are normalised once, here, and not again in every epoch: 188 MB for 60,000.
    """

    def __init__(self, digits: Digits) -> None:
        if len(digits.images) != len(digits.labels):
            raise ValueError(
                f"{len(digits.images):,} images and {len(digits.labels):,} labels do not belong together"
            )
        pixels = digits.images.unsqueeze(1).float()  # (N, 1, 28, 28), 0 to 255
        self.images = pixels.div_(255).sub_(MNIST_MEAN).div_(MNIST_STD)
        self.labels = digits.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index):
        return self.images[index], self.labels[index]

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        # If this exists, DataLoader calls it once per batch instead of __getitem__ 64 times.
        chosen = torch.tensor(indices)
        return self.images.index_select(0, chosen), self.labels.index_select(0, chosen)


class EpochOrder(Sampler[int]):
    """A shuffled order that depends on ``(seed, epoch)`` alone, and on nothing that happened before.

    PyTorch's own RandomSampler draws from the global random state, so its order depends on everything that
    used a random number earlier. Here a complete pass is followed by the next epoch, and one that breaks off
    starts over. During a pass ``state_dict`` says how far it has got; after ``load_state_dict`` the next
    pass continues from there.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        self.size, self.seed = size, seed
        self.set_epoch(1)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass, as torch's DistributedSampler does; epochs count from 1."""
        self.epoch = require_int("epoch", epoch, minimum=1)
        self.taken, self._skip, self._current_pass = 0, 0, None  # a pass begun earlier no longer counts

    def state_dict(self) -> dict:
        """Return seed, size and epoch, and how many images of the epoch have been taken."""
        return {"seed": self.seed, "size": self.size, "epoch": self.epoch, "taken": self.taken}

    def load_state_dict(self, state: dict) -> None:
        """Let the next pass continue where ``state`` was taken. Raises ValueError if the order differs."""
        if (state["seed"], state["size"]) != (self.seed, self.size):
            raise ValueError(
                f"the saved order is of {state['size']:,} images with seed {state['seed']}, "
                f"this one of {self.size:,} with seed {self.seed}"
            )
        self.set_epoch(state["epoch"])
        self.taken = self._skip = require_int("taken", state["taken"], minimum=0, maximum=self.size)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        epoch, skip, this_pass = self.epoch, self._skip, object()
        self._skip, self._current_pass = 0, this_pass
        order = torch.randperm(self.size, generator=_generator(self.seed, epoch)).tolist()
        try:
            for taken in range(skip, self.size):
                self.taken = taken + 1
                yield order[taken]
        except GeneratorExit:  # broken off, perhaps long ago: unless another has begun, it starts over
            if self._current_pass is this_pass:
                self.set_epoch(epoch)
                self.taken = self._skip = skip
            raise
        self.set_epoch(epoch + 1)


def _generator(seed: int, epoch: int) -> torch.Generator:
    # Far apart for neighbouring seeds: seed 1 in epoch 2 must not be seed 2 in epoch 1.
    return torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)


def make_loaders(
    batch_size: int = 64,
    test_batch_size: int = 1000,
    validation_size: int = 0,
    *,
    seed: int = 1,
    data_dir: str | Path | None = None,
) -> Loaders:
    """Return loaders of normalised batches: float32 ``(B, 1, 28, 28)`` and int64 ``(B,)``.

    ``validation_size`` training images, chosen by ``seed``, are set aside as ``.validation``. The order of
    the training batches is a function of ``(seed, epoch)`` alone; validation and test are not shuffled.

    Raises ValueError for a batch size below 1, a negative seed or a validation split that leaves no training
    image, and DataError when the data cannot be obtained.
    """
    batch_size = require_int("batch_size", batch_size, minimum=1)
    test_batch_size = require_int("test_batch_size", test_batch_size, minimum=1)
    validation_size = require_int("validation_size", validation_size, minimum=0, maximum=59_999)
    seed = require_int("seed", seed, minimum=0, maximum=2**31 - 1)

    train, test = load_mnist(data_dir)
    validation = None
    if validation_size:
        # Epoch 0 is never trained, so its order is free to choose the split.
        order = torch.randperm(len(train.labels), generator=_generator(seed, 0))
        kept, held_out = order[:-validation_size], order[-validation_size:]
        validation = _in_order(Digits(train.images[held_out], train.labels[held_out]), test_batch_size)
        train = Digits(train.images[kept], train.labels[kept])
    return Loaders(_shuffled(train, batch_size, seed), validation, _in_order(test, test_batch_size))


def _shuffled(digits: Digits, batch_size: int, seed: int) -> DataLoader:
    dataset = NormalisedDigits(digits)
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=EpochOrder(len(dataset), seed=seed),
        collate_fn=_as_it_is,
        # Every pass over a DataLoader draws one number for its workers. It has its own generator, so that
        # the global random state, which dropout uses, does not depend on how often the loader was started.
        generator=torch.Generator(),
    )


def _in_order(digits: Digits, batch_size: int) -> DataLoader:
    return DataLoader(
        NormalisedDigits(digits), batch_size=batch_size, collate_fn=_as_it_is, generator=torch.Generator()
    )


def _as_it_is(batch):
    # __getitems__ has made a batch of tensors already; there is nothing left to collate.
    return batch
