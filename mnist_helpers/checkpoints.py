"""Checkpoints: one file with everything a resume needs, never half-written, never executed. Lesson 6.

The file is a dict of plain values and tensors::

    format      4, the version of this layout
    model       network.state_dict()
    optimizer   optimizer.state_dict()
    sampler     the place in the data: seed, number of images, epoch, images of the epoch done so far
    random      the random state of the CPU and, where there is one, of each GPU
    history     the fields of History as a dict

running/resuming.py adds ``scheduler`` and ``data``. Any PyTorch program can read the file.
"""

import os
import pickle
from dataclasses import asdict
from pathlib import Path

import torch

from .arguments import check_optimizer
from .devices import random_state, restore_random_state
from .errors import CheckpointError, first_line
from .trusting.crafted_files import DamagedFile, check_file
from .trusting.matching import check_keys, check_optimizer_state, check_place, check_weights
from .trusting.writing import write_state

FORMAT = 4


def save_checkpoint(path, network, optimizer, loaders, history):
    """Write everything a resume needs to ``path``, or leave that file as it was. Lesson 6.

    Raises CheckpointError when the file cannot be written, or when the network or its optimizer holds NaN or
    infinity: a good checkpoint is never replaced by a broken network.
    """
    write_state(path, run_state(network, optimizer, loaders, history))


def run_state(network, optimizer, loaders, history):
    """Return the state of a run as a dict of plain values and tensors. Lesson 6 writes it out."""
    return {
        "format": FORMAT,
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "sampler": loaders.train.sampler.state_dict(),
        "random": random_state(),
        "history": asdict(history),
    }


def load_checkpoint(path, network, optimizer=None, loaders=None):
    """Copy a checkpoint into ``network`` and return it as a dict. Lesson 6.

    With an optimizer and the loaders this is a resume: the optimizer's state, the place in the data and the
    random state are restored too. Without them only the weights are copied, and the random state stays as it
    is. A file that was saved on a GPU loads on a machine without one.

    Raises CheckpointError when the file is missing, damaged, or from another network or other loaders, and
    ValueError when the optimizer does not train this network. Either way, nothing has changed.
    """
    checkpoint = read_checkpoint(path, network)
    if optimizer is not None:
        check_optimizer(network, optimizer)
        check_optimizer_state(path, checkpoint, network, optimizer)
        check_place(path, checkpoint, loaders)
        optimizer.load_state_dict(checkpoint["optimizer"])
        loaders.train.sampler.load_state_dict(checkpoint["sampler"])
        restore_random_state(checkpoint["random"])
    network.load_state_dict(checkpoint["model"])
    return checkpoint


def read_checkpoint(path, network=None) -> dict:
    """Return the dict that ``save_checkpoint`` wrote, its tensors on the CPU, or raise CheckpointError.

    If ``network`` is given, the weights must fit it. For a damaged file, the error names another
    checkpoint in the same folder that would load, if there is one.
    """
    path = Path(path)
    try:
        return _read(path, network)
    except DamagedFile as error:
        others = [other for other in path.parent.glob(f"*{path.suffix}") if other != path]
        for other in sorted(others, key=os.path.getmtime, reverse=True):
            try:
                _read(other, network)
            except CheckpointError:
                continue
            raise DamagedFile(f"{error}; use {other.name} beside it, or train again") from None
        raise DamagedFile(f"{error}; use an earlier checkpoint, or train again") from None


def _read(path, network) -> dict:
    check_file(path)
    try:
        # weights_only=True is stated because an environment variable can switch the default off; without it
        # a file from a stranger can run any program when it is loaded.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: holds more than plain values ({first_line(error)})") from None
    except Exception as error:  # torch.load raises whatever its reader runs into
        raise CheckpointError(f"{path}: cannot be read by PyTorch ({first_line(error)})") from None
    check_keys(path, checkpoint, FORMAT)
    if network is not None:
        check_weights(path, checkpoint, network)
    return checkpoint
