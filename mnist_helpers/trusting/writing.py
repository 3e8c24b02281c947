"""How a checkpoint is written: whole or not at all, and in place only when it is on the disk."""

import glob
import os
import time
from contextlib import suppress
from pathlib import Path

import torch

from ..errors import CheckpointError, first_cause
from ..files import replace
from .matching import require_finite

LEFT_BEHIND = 3600  # seconds after which a temporary file is abandoned; saving takes far less than one


def write_state(path, state):
    """Write ``state`` under a temporary name and move it into place. Lesson 6.

    A process killed in the middle of ``torch.save`` leaves an unreadable file; here it leaves one with a
    temporary name, which a later save removes. Raises CheckpointError when the file cannot be written, or
    when a number in it is not finite.
    """
    path = Path(path)
    require_finite(path, state)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with open(temporary, "wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())  # on the disk before the name points to it
        replace(temporary, path)
    except (OSError, RuntimeError) as error:
        reason = first_cause(error)  # torch's error counts bytes; the system's, behind it, says why
        raise CheckpointError(
            f"{path}: not saved ({reason}); what stood there is unchanged; "
            "make room or choose another path, and save again"
        ) from error
    finally:
        if temporary.exists():
            temporary.unlink()


def remove_leftovers(path) -> None:
    """Remove what processes killed while saving to ``path`` left behind; a newer file may be in use."""
    for left in path.parent.glob(f"{glob.escape(path.name)}.*.part"):
        with suppress(OSError):  # another process may get there first, and another user's file stays
            if time.time() - left.stat().st_mtime > LEFT_BEHIND:
                left.unlink()
