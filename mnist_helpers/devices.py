"""What this machine computes on: whether its GPU can be used, and the random state of each processor."""

from functools import cache

import torch

from .errors import first_line


@cache
def gpu_computes() -> bool:
    """Whether there is an NVIDIA or AMD GPU for which this build of PyTorch has code: one sum is tried.

    A card that is too old for the build is found all the same, and fails at the first operation. Then a line
    says why it is not used.
    """
    if not torch.cuda.is_available():
        return False
    try:
        torch.ones(2, device="cuda").sum().item()
    except (RuntimeError, AssertionError) as error:
        print(f"note: this machine's GPU is not used, since PyTorch cannot: {first_line(error)}")
        return False
    return True


def random_state() -> dict:
    """Return the random state that dropout masks are drawn from, uint8 tensors: of the CPU and each GPU."""
    state = {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def restore_random_state(state: dict) -> None:
    """Set the random state that ``random_state`` returned; GPUs that this machine lacks are skipped."""
    torch.set_rng_state(state["cpu"])
    for index, gpu in enumerate(state["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(gpu, index)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
