"""Which of several processes this one is. Needs no torch, so that a wrong argument is reported at once."""

import os
from typing import NamedTuple


class TorchrunEnv(NamedTuple):
    """This process's rank, from 0, and the number of processes, in all and on this machine."""

    rank: int
    world: int
    local_rank: int
    local_world: int


def torchrun_env() -> TorchrunEnv:
    """Return what torchrun says in the environment; a process that it did not start is rank 0 of 1.

    Other programs set RANK and WORLD_SIZE too, for purposes of their own, so they are read only under
    torchrun.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return TorchrunEnv(0, 1, 0, 1)
    return TorchrunEnv(
        *(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    )
