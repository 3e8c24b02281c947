"""Which of many processes this one is, as torchrun says it in the environment."""

import os
from typing import NamedTuple


class Launched(NamedTuple):
    """This process's number, from 0, how many there are in all, and both for this machine alone."""

    rank: int
    world: int
    local_rank: int
    local_world: int


def launched() -> Launched:
    """Return what torchrun says; a process that it did not start is number 0 of 1.

    Other programs set RANK and WORLD_SIZE too, for purposes of their own: they are read under torchrun alone.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Launched(0, 1, 0, 1)
    return Launched(
        *(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    )
