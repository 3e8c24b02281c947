"""Checkpoints: one file with all that a resume needs, never half-written, never executed. Lesson 6.

The file is a dict of plain values and tensors::

    format      2, the version of this layout
    epoch       how many epochs are complete
    step        how many batches of the next epoch are done, 0 at the end of an epoch
    model       network.state_dict()
    optimizer   optimizer.state_dict()
    random      the random state of the CPU and, where there is one, of each CUDA GPU
    history     the lists of History as a dict, or None

Nothing of it depends on classes of this package, so that any PyTorch program can read it.
"""

import os
import pickle
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch

from .arguments import check_optimizer, require_int
from .errors import ReaderError

FORMAT = 2
READABLE = (1, 2)  # format 1 had no step: it was saved at the end of an epoch


class CheckpointError(ReaderError):
    """A checkpoint cannot be written, read or used; the text says which file, why and what to do."""


def random_state() -> dict:
    """Return the random state that dropout masks are drawn from: CPU (uint8 tensor) and each CUDA GPU."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": gpus}


def save_checkpoint(path, network, optimizer, *, epoch, step=0, history=None):
    """Write all that a resume needs to ``path``, or leave what stood there as it was. Lesson 6 writes it out.

    ``epoch`` is the number of complete epochs, ``step`` that of the batches done since. The file is written
    under a temporary name beside the final one and moved into place, because a process killed in the middle
    of ``torch.save`` leaves an unreadable file.

    Raises CheckpointError when the file cannot be written.
    """
    path = Path(path)
    state = {
        "format": FORMAT,
        "epoch": require_int("epoch", epoch, minimum=0),
        "step": require_int("step", step, minimum=0),
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": random_state(),
        "history": None if history is None else asdict(history),
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points at it
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not saved ({error}); what stood there is unchanged") from error
    finally:
        if temporary.exists():
            temporary.unlink()


def load_checkpoint(path, network, optimizer=None):
    """Copy a checkpoint into ``network`` and ``optimizer`` and return it as a dict.

    With an optimizer this is a resume: the optimizer's state and the random state are restored too, and the
    optimizer must hold this network's parameters. Without one the weights alone are copied, and the random
    state stays as it is. A file that was saved on a GPU loads on a machine without one.

    Raises CheckpointError when the file is missing, damaged, of another network or of a newer format, and
    ValueError when the optimizer holds another network's parameters. Either way nothing has been changed.
    """
    if optimizer is not None:
        check_optimizer(network, optimizer)
    checkpoint = read_checkpoint(path)
    compare_weights(path, checkpoint["model"], network.state_dict())
    if optimizer is not None:
        compare_optimizer(path, checkpoint, optimizer)
        optimizer.load_state_dict(checkpoint["optimizer"])
        restore_random_state(checkpoint["random"])
    network.load_state_dict(checkpoint["model"])
    return checkpoint


def read_checkpoint(path) -> dict:
    """Return the dict that ``save_checkpoint`` wrote, its tensors on the CPU, or raise CheckpointError."""
    path = Path(path)
    if not path.is_file():
        found = "this is a folder, not a checkpoint" if path.is_dir() else "there is no such file"
        raise CheckpointError(f"{path}: {found}; train first, or look at the path")
    check_bytes(path)
    try:
        # weights_only=True is said, because an environment variable can switch the default off; without it
        # a file from a stranger can run any program when it is loaded.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: holds more than plain values ({first_line(error)})") from None
    except Exception as error:  # torch.load raises whatever its reader meets
        raise CheckpointError(f"{path}: cannot be read by PyTorch ({first_line(error)})") from None
    if not isinstance(checkpoint, dict) or "format" not in checkpoint:
        raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint")
    if checkpoint["format"] not in READABLE:
        raise CheckpointError(
            f"{path}: has format {checkpoint['format']}, mnist_helpers here reads {READABLE}; update it"
        )
    if checkpoint["format"] == 1:
        checkpoint["step"] = 0
    missing = {"epoch", "step", "model", "optimizer", "random", "history"} - checkpoint.keys()
    if missing:
        raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint, without {sorted(missing)}")
    return checkpoint


def check_bytes(path) -> None:
    """Raise CheckpointError unless every part of the file has the checksum that was written beside it.

    A checkpoint is a zip archive, and torch.load does not compare the checksums in it: of 200 single
    flipped bits it noticed 8. The list of parts stands at the end of the file, so a file that was cut short
    has none.
    """
    problem = None
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():
                problem = "damaged (a checksum in it is wrong)"
            # One bit says that a part is a folder; testzip leaves it aside, torch reads arbitrary memory.
            elif any(part.external_attr & 0x10 for part in archive.infolist()):
                problem = "damaged (a part of it is marked as a folder)"
    except PermissionError as error:
        raise CheckpointError(f"{path}: cannot be opened ({error.strerror})") from error
    except Exception:  # a flipped bit may stand for a password or for compression: zipfile raises many kinds
        problem = f"cut short or damaged, {path.stat().st_size:,} bytes are there"
    if problem:
        raise CheckpointError(f"{path}: {problem}; use an earlier checkpoint or train again")


def first_line(error) -> str:
    """The first line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def compare_weights(path, saved: dict, wanted: dict) -> None:
    """Raise CheckpointError unless ``saved`` has the names, shapes and types of ``wanted``, all finite."""
    saved = saved if isinstance(saved, dict) else {}
    saved = {name: value for name, value in saved.items() if isinstance(value, torch.Tensor)}
    problems = [f"{name} is missing" for name in wanted if name not in saved]
    problems += [f"{name} is not in this network" for name in saved if name not in wanted]
    for name in wanted.keys() & saved.keys():
        here, there = wanted[name], saved[name]
        if here.shape != there.shape or here.dtype != there.dtype:
            saved_as, wanted_as = (f"{t.dtype} {tuple(t.shape)}" for t in (there, here))
            problems.append(f"{name} is {saved_as}, not {wanted_as}")
        elif there.is_floating_point() and not there.isfinite().all():
            problems.append(f"{name} holds NaN or infinity")
    if problems:
        listed = "; ".join(sorted(problems)[:6])
        raise CheckpointError(f"{path}: does not fit this network ({listed}); the network is unchanged")


def compare_optimizer(path, checkpoint: dict, optimizer) -> None:
    """Raise CheckpointError unless the saved optimizer and random state can be restored as they are.

    ``optimizer.load_state_dict`` compares how many tensors there are, and nothing else: Adam takes SGD's
    state without a word and fails at its next step.
    """
    saved, problem = checkpoint["optimizer"], None
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    try:
        for there, here in zip(saved["param_groups"], optimizer.param_groups, strict=True):
            # Both ways, because a version of PyTorch may add an option to the same optimizer.
            if there.keys() - here.keys() and here.keys() - there.keys():
                problem = "it was saved by another kind of optimizer"
            elif len(there["params"]) != len(here["params"]):
                problem = f"it has {len(there['params'])} tensors, not {len(here['params'])}"
        for index, buffers in saved["state"].items():
            for name, value in buffers.items():
                if isinstance(value, torch.Tensor) and value.dim() and value.shape != tensors[index].shape:
                    problem = f"{name} {index} is {tuple(value.shape)}, not {tuple(tensors[index].shape)}"
        torch.Generator().set_state(checkpoint["random"]["cpu"])  # tried on one that nobody uses
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        problem = first_line(error)
    if problem:
        raise CheckpointError(f"{path}: its optimizer or random state does not fit ({problem})")


def restore_random_state(state: dict) -> None:
    """Set the random state that ``random_state`` returned; GPUs that this machine lacks are left out."""
    torch.set_rng_state(state["cpu"])
    for index, gpu in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(gpu, index)
