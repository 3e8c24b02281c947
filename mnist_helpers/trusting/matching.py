"""Does what was read from a checkpoint fit this network, this optimizer and these loaders?"""

import copy

import torch

from .. import models
from ..arguments import NETWORKS
from ..errors import CheckpointError, first_line

DICTS = ("model", "optimizer", "random", "sampler", "history")
NO_RESUME = "was saved by an earlier version of the course; its weights can be used, but not resumed from"
SHAPE_OF_SCHEDULE = {"total_steps", "total_iters", "T_max", "T_0", "step_size", "gamma", "milestones"}
PLACE = {"seed": 0, "size": 0, "epoch": 1, "taken": 0}  # the names in a sampler's state and their minima


def check_keys(path, checkpoint, newest: int) -> None:
    """Raise CheckpointError unless this is a dict from save_checkpoint, in a format up to ``newest``."""
    if not isinstance(checkpoint, dict) or "format" not in checkpoint:
        raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint")
    version = checkpoint["format"]
    if type(version) is not int or not 1 <= version <= newest:
        raise CheckpointError(
            f"{path}: has format {version!s:.20}, this course reads up to {newest}; update it"
        )
    for name in DICTS if version == newest else DICTS[:1]:
        if not isinstance(checkpoint.get(name), dict):
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint ({name} is not a dict)")
    for name, values in (checkpoint.get("history") or {}).items():
        if type(values) is not (int if name == "seen" else list):
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint (history, {name})")


def check_weights(path, checkpoint: dict, network) -> None:
    """Raise CheckpointError unless the weights have the network's names, shapes and types, all finite."""
    saved, wanted = checkpoint["model"], network.state_dict()
    problems = [f"{name} is missing" for name in wanted if name not in saved]
    problems += [f"{name} is not in this network" for name in saved if name not in wanted]
    for name in wanted.keys() & saved.keys():
        here, there = wanted[name], saved[name]
        if not is_plain(there):
            problems.append(f"{name} is not a tensor of numbers in memory")
        elif here.shape != there.shape or here.dtype != there.dtype:
            saved_as, wanted_as = (f"{t.dtype} {tuple(t.shape)}" for t in (there, here))
            problems.append(f"{name} is {saved_as}, not {wanted_as}")
        elif not all_finite(there):
            problems.append(f"{name} holds NaN or infinity")
    if problems:
        more = f"; and {len(problems) - 6} more" if len(problems) > 6 else ""
        listed = "; ".join(sorted(problems)[:6]) + more
        of = network_of(saved)
        whose = (
            f"holds weights of {of}, not of {type(network).__name__}" if of else "does not fit this network"
        )
        raise CheckpointError(f"{path}: {whose} ({listed}); the network is unchanged")


def network_of(weights: dict) -> str | None:
    """Return the name of the course's network that has tensors of these names and shapes, if any."""
    shapes = {name: getattr(value, "shape", None) for name, value in weights.items()}
    for name in NETWORKS:
        with torch.device("meta"):  # without numbers, so that no random number is drawn
            wanted = getattr(models, name)().state_dict()
        if shapes == {name: value.shape for name, value in wanted.items()}:
            return name
    return None


def check_edition(path, checkpoint: dict) -> None:
    """Raise CheckpointError for a file from the first edition, which lacks the place in the data."""
    if checkpoint["format"] < 4:
        raise CheckpointError(f"{path}: {NO_RESUME}")


def check_optimizer_state(path, checkpoint: dict, network, optimizer) -> None:
    """Raise CheckpointError unless the saved optimizer and random state can be restored as they are.

    ``optimizer.load_state_dict`` compares the number of tensors and nothing else: Adam takes SGD's state
    without a word and fails at its next step. So a copy of the optimizer takes one step, and the saved state
    must have the form that this step leaves behind.
    """
    check_edition(path, checkpoint)
    saved = checkpoint["optimizer"]
    try:
        problem = groups_problem(saved["param_groups"], optimizer.param_groups)
        problem = problem or state_problem(saved["state"], state_after_one_step(saved, network, optimizer))
        problem = problem or random_problem(checkpoint["random"])
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        problem = first_line(error)
    if problem:
        raise CheckpointError(f"{path}: its optimizer or random state does not fit ({problem})")


def groups_problem(saved, wanted: list) -> str | None:
    """Say how the settings of an optimizer differ in kind; None if they do not."""
    if not isinstance(saved, list) or len(saved) != len(wanted):
        return "it has another number of parameter groups"
    for there, here in zip(saved, wanted, strict=True):
        # Both ways, because a version of PyTorch may add an option to the same optimizer.
        if there.keys() - here.keys() and here.keys() - there.keys():
            return "it was saved by another kind of optimizer"
        if len(there["params"]) != len(here["params"]):
            return f"it has {len(there['params'])} tensors, not {len(here['params'])}"
        for name in there.keys() & here.keys() - {"params"}:
            if not (has_form(there[name], here[name]) or is_setting(there[name])) or not all_finite(
                there[name]
            ):
                return f"its option {name} is of another kind"
    return None


def is_setting(value) -> bool:
    """Whether a value can be an option of an optimizer: None, a number, a word, or a few numbers."""
    if isinstance(value, list | tuple):
        return len(value) < 10 and all(isinstance(item, int | float | None) for item in value)
    return value is None or isinstance(value, int | float | str)


def state_after_one_step(saved: dict, network, optimizer) -> dict:
    """Return the state of a copy of the optimizer that has taken a step, with the saved settings."""
    copies = {}  # of the parameters alone: a network may hold what cannot be copied, such as an open file
    for tensor in network.parameters():
        copies[id(tensor)] = torch.zeros_like(tensor).requires_grad_()
        copies[id(tensor)].grad = torch.zeros_like(tensor)
    copied = copy.deepcopy(optimizer, copies)
    copied.load_state_dict({"state": {}, "param_groups": saved["param_groups"]})
    copied.step()
    return copied.state_dict()["state"]


def state_problem(saved, wanted: dict) -> str | None:
    """Say how the buffers of an optimizer differ in form from those wanted; None if they do not."""
    for index, buffers in saved.items():
        expected = wanted[index]
        if buffers.keys() != expected.keys():
            return f"tensor {index} has {sorted(buffers)}, not {sorted(expected)}"
        for name, value in buffers.items():
            if not has_form(value, expected[name]):
                found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
                return f"{name} {index} is {found}, not {tuple(getattr(expected[name], 'shape', ()))}"
            if not all_finite(value):
                return f"{name} {index} holds NaN or infinity"
    return None


def has_form(value, wanted) -> bool:
    """Whether a saved value can serve as ``wanted``: a tensor of its shape, or a plain value of its type."""
    if isinstance(wanted, torch.Tensor):
        return is_plain(value) and value.shape == wanted.shape and value.dtype == wanted.dtype
    return type(value) is type(wanted)


def is_plain(value) -> bool:
    """Whether this is a tensor whose numbers are in memory, one by one."""
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def random_problem(random: dict) -> str | None:
    """Say why a random state cannot be restored; None if it can."""
    others = random.get("others", [])  # from a run of several processes
    if not isinstance(others, list):
        return "the random states of the other processes are not a list"
    for process in [random, *others]:
        torch.Generator().set_state(process["cpu"])  # tried on a generator that nobody uses
        if not isinstance(process["cuda"], list):
            return "the random states of the GPUs are not a list"
        for state in [*process["cuda"], *([process["mps"]] if "mps" in process else [])]:
            # 16 bytes in today's PyTorch; a crafted file can claim 10⁹, and setting the state copies them.
            if not is_plain(state) or state.dtype != torch.uint8 or state.dim() != 1 or len(state) > 5000:
                return "what was saved for a GPU cannot be a random state"
    return None


def check_place(path, checkpoint: dict, loaders) -> None:
    """Raise CheckpointError if resuming on ``loaders`` would repeat or skip images."""
    there, here = checkpoint["sampler"], loaders.train.sampler.state_dict()
    for name, minimum in PLACE.items():
        if type(there.get(name)) is not int or there[name] < minimum:
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint (sampler, {name})")
    if (there["seed"], there["size"]) != (here["seed"], here["size"]) or there["taken"] > there["size"]:
        raise CheckpointError(
            f"{path}: was saved on {there['size']:,} images in the order of seed {there['seed']}, and these "
            f"loaders have {here['size']:,} in the order of seed {here['seed']}; a resume would repeat or "
            "skip images. Use the make_loaders(...) of that run"
        )


def require_finite(path, state: dict) -> None:
    """Raise CheckpointError if a weight, or a number that the optimizer keeps, is NaN or infinite."""
    named = [(name, value) for name, value in state["model"].items()]
    named += [
        (f"the optimizer's {name}", value)
        for buffers in state["optimizer"]["state"].values()
        for name, value in buffers.items()
    ]
    for name, value in named:
        if not all_finite(value):
            raise CheckpointError(
                f"{path}: not saved, because {name} holds NaN or infinity; what stood there is unchanged. "
                "Go back to it with a smaller learning rate"
            )


def all_finite(value) -> bool:
    """Whether a tensor or a number is finite; anything else counts as finite."""
    if isinstance(value, float):
        value = torch.tensor(value)
    return not isinstance(value, torch.Tensor) or bool(value.isfinite().all())


def check_schedule(path, checkpoint: dict, scheduler) -> None:
    """Raise CheckpointError unless the given schedule, or None, matches the saved one in kind and length."""
    check_edition(path, checkpoint)
    saved = checkpoint.get("scheduler")
    if (saved is None) != (scheduler is None):
        there, here = ("without", "with") if saved is None else ("with", "without")
        raise CheckpointError(
            f"{path}: was saved {there} a learning rate schedule and is resumed {here} one; "
            "build what the run was started with"
        )
    if scheduler is None:
        return
    given = scheduler.state_dict()
    if not isinstance(saved, dict) or saved.keys() != given.keys():
        raise CheckpointError(f"{path}: its learning rate schedule is of another kind than the one given")
    # Loading overwrites the schedule's length with the saved one; a longer run would fail at its end.
    for name in SHAPE_OF_SCHEDULE & saved.keys():
        if type(saved[name]) is not type(given[name]) or saved[name] != given[name]:
            raise CheckpointError(
                f"{path}: its learning rate schedule had {name} {saved[name]!s:.50}, the one given has "
                f"{given[name]}; build what the run was started with"
            )
