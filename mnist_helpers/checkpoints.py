"""Checkpoints: one file with all that a resume needs, never half-written, never executed. Lesson 6.

The file is a dict of plain values and tensors::

    format      3, the version of this layout
    epoch       how many epochs are complete
    step        how many batches of the next epoch are done, 0 at the end of an epoch
    model       network.state_dict()
    optimizer   optimizer.state_dict()
    scheduler   scheduler.state_dict(), or None
    random      the random state of the CPU and, where there is one, of each CUDA GPU; of a run of many
                processes (lesson 11) also those of the processes beside the first, as others
    history     the lists of History as a dict, or None
    data        what the batches depend on: seed, batch size, number of images; or None

Nothing of it depends on classes of this package, so that any PyTorch program can read it.
"""

import glob
import os
import pickle
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch

from .arguments import check_optimizer, require_int
from .checkpoint_checks import (
    check_bytes,
    check_content,
    check_names,
    compare_data,
    compare_optimizer,
    compare_scheduler,
    compare_weights,
    data_identity,
    first_cause,
    first_line,
    require_finite_weights,
)
from .errors import CheckpointError

FORMAT = 3
LEFT_BEHIND = 3600  # seconds after which a temporary file is nobody's; saving takes far less than one
READABLE = (1, 2, 3)  # what the first two lacked: see read_checkpoint


def random_state() -> dict:
    """Return the random state that dropout masks are drawn from: CPU (uint8 tensor) and each CUDA GPU."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {"cpu": torch.get_rng_state(), "cuda": gpus}


def save_checkpoint(
    path, network, optimizer, *, epoch, step=0, history=None, scheduler=None, loaders=None, random=None
):
    """Write all that a resume needs to ``path``, or leave what stood there as it was. Lesson 6 writes it out.

    ``epoch`` is the number of complete epochs, ``step`` that of the batches done since. Where a learning rate
    ``scheduler`` is used, its state is saved too; with ``loaders`` a resume on other batches is noticed.
    ``random`` is the random state to save, that of this process where it is not given (lesson 11 gives it).

    Raises CheckpointError when the file cannot be written or a weight is not finite: a network that is lost
    does not replace one that is good.
    """
    require_finite_weights(path, network)
    write_state(
        path,
        {
            "format": FORMAT,
            "epoch": require_int("epoch", epoch, minimum=0),
            "step": require_int("step", step, minimum=0),
            "model": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": None if scheduler is None else scheduler.state_dict(),
            "random": random_state() if random is None else random,
            "history": None if history is None else asdict(history),
            "data": None if loaders is None else data_identity(loaders),
        },
    )


def write_state(path, state):
    """Write ``state`` under a temporary name and move it into place. Lesson 6 writes it out.

    A process killed in the middle of ``torch.save`` leaves an unreadable file; here it leaves one with a
    temporary name, which a later save removes. Raises CheckpointError when the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points at it
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        reason = first_cause(error)  # torch counts bytes; behind it is what the system said
        raise CheckpointError(
            f"{path}: not saved ({reason}); what stood there is unchanged; "
            "make room or choose another path, and save again"
        ) from error
    finally:
        if temporary.exists():
            temporary.unlink()


def remove_leftovers(path) -> None:
    """Remove what processes that were killed while saving to ``path`` left; a younger file may be in use."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with suppress(OSError):  # another process may be quicker, and another user's file stays
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                left.unlink()


def load_checkpoint(path, network, optimizer=None, *, scheduler=None, loaders=None):
    """Copy a checkpoint into ``network`` and ``optimizer`` and return it as a dict. Lesson 6 writes it out.

    With an optimizer this is a resume: the optimizer's state, the scheduler's and the random state are
    restored too, and the optimizer must hold this network's parameters. Without one the weights alone are
    copied, and the random state stays as it is. A file that was saved on a GPU loads on a machine without
    one. With ``loaders`` they are compared with those of the saved run.

    Raises CheckpointError when the file is missing, damaged, of another network or of a newer format, or when
    the resumed run would see other batches, and ValueError when the optimizer holds another network's
    parameters. Either way nothing has been changed.
    """
    if optimizer is not None:
        check_optimizer(network, optimizer)
    checkpoint = read_checkpoint(path)
    compare_weights(path, checkpoint["model"], network.state_dict())
    if optimizer is not None:
        compare_optimizer(path, checkpoint, optimizer)
        compare_scheduler(path, checkpoint, scheduler)
        compare_data(path, checkpoint, loaders)
        optimizer.load_state_dict(checkpoint["optimizer"])
        if scheduler is not None:
            scheduler.load_state_dict(checkpoint["scheduler"])
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
    check_names(path)
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
    if type(checkpoint["format"]) is not int or checkpoint["format"] not in READABLE:
        raise CheckpointError(
            f"{path}: has format {checkpoint['format']!s:.20}, this course reads up to {FORMAT}; update it"
        )
    # Format 1 had no step, because it was saved at the end of an epoch; format 2 had no schedule and no data.
    for name, value in {"step": 0, "scheduler": None, "data": None}.items():
        checkpoint.setdefault(name, value)
    missing = {"epoch", "model", "optimizer", "random", "history"} - checkpoint.keys()
    if missing:
        raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint, without {sorted(missing)}")
    check_content(path, checkpoint)
    return checkpoint


def restore_random_state(state: dict) -> None:
    """Set the random state that ``random_state`` returned; GPUs that this machine lacks are left out."""
    torch.set_rng_state(state["cpu"])
    for index, gpu in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(gpu, index)
