"""What a checkpoint is held against before anything of it is used."""

import pickletools
import re
import zipfile
from contextlib import suppress

import torch

from .errors import CheckpointError

PLAIN = re.compile(
    r"collections (OrderedDict|Counter)|torch\._utils _rebuild_tensor_v[23]|torch(\.storage)? \w+Storage"
)
SHAPE_OF_SCHEDULE = {"total_steps", "total_iters", "T_max", "T_0", "step_size", "gamma", "milestones"}


def check_bytes(path) -> None:
    """Raise CheckpointError unless every part of the file has the checksum that was written beside it.

    A checkpoint is a zip archive, and torch.load does not compare the checksums in it: of 200 single
    flipped bits it noticed 8. The list of parts stands at the end of the file, so a file that was cut short
    has none.
    """
    try:
        problem = damage(path)
    except PermissionError as error:
        raise CheckpointError(f"{path}: cannot be opened ({error.strerror})") from error
    if problem:
        raise CheckpointError(f"{path}: {problem}; use {another_whole(path)} or train again")


def damage(path) -> str | None:
    """Say what is wrong with the bytes of the file; None if nothing is."""
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            # torch.save compresses nothing. A part that is larger than the file would fill the memory.
            if sum(part.file_size for part in parts) > size or any(part.compress_type for part in parts):
                return f"damaged, its parts claim more than the {size:,} bytes that are there"
            if archive.testzip():
                return "damaged (a checksum in it is wrong)"
            # One bit says that a part is a folder; testzip leaves it aside, torch reads arbitrary memory.
            if any(part.external_attr & 0x10 for part in parts):
                return "damaged (a part of it is marked as a folder)"
            # Otherwise torch takes the file for one of its old format, in which nothing is compared.
            if min(part.header_offset for part in parts):
                return "damaged, it does not begin as a checkpoint does"
    except PermissionError:
        raise
    except Exception:  # a flipped bit may stand for a password or for compression: zipfile raises many kinds
        return f"cut short or damaged, {size:,} bytes are there"


def another_whole(path) -> str:
    """Name the youngest whole checkpoint beside a damaged one."""
    others = [other for other in path.parent.glob(f"*{path.suffix}") if other.is_file() and other != path]
    for other in sorted(others, key=lambda other: other.stat().st_mtime, reverse=True):
        with suppress(OSError):
            if not damage(other):
                return f"{other.name}, which lies beside it and is whole,"
    return "an earlier checkpoint"


def check_names(path) -> None:
    """Raise CheckpointError if the pickle in the file names anything but tensors and plain containers.

    ``weights_only=True`` refuses what could run a program, and admits more than a checkpoint needs: through
    ``bytearray`` a file of 200 kB took 20 GB.
    """
    with zipfile.ZipFile(path) as archive:
        pickles = [archive.read(name) for name in archive.namelist() if name.endswith(".pkl")]
    with suppress(ValueError):  # no pickle at all: torch says so
        for data in pickles:
            for code, name, _ in pickletools.genops(data):
                if code.name == "STACK_GLOBAL" or (
                    code.name in ("GLOBAL", "INST") and not PLAIN.fullmatch(name)
                ):
                    raise CheckpointError(f"{path}: holds more than plain values ({name or code.name})")


def check_content(path, checkpoint: dict) -> None:
    """Raise CheckpointError unless the values beside the tensors are of the kinds that were saved."""
    kinds = {"epoch": int, "step": int, "model": dict, "optimizer": dict, "random": dict}
    for name, kind in kinds.items():
        value = checkpoint[name]
        if not isinstance(value, kind) or isinstance(value, bool) or (kind is int and value < 0):
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint, its {name} is none")
    for name in ("scheduler", "history", "data"):
        if not isinstance(checkpoint[name], dict | None):
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint, its {name} is none")
    for name, values in (checkpoint["history"] or {}).items():
        if not isinstance(values, list):
            raise CheckpointError(f"{path}: is not a checkpoint of save_checkpoint, its {name} is no list")


def compare_weights(path, saved: dict, wanted: dict) -> None:
    """Raise CheckpointError unless ``saved`` has the names, shapes and types of ``wanted``, all finite."""
    problems = [f"{name} is missing" for name in wanted if name not in saved]
    problems += [f"{name} is not in this network" for name in saved if name not in wanted]
    for name in wanted.keys() & saved.keys():
        here, there = wanted[name], saved[name]
        if not is_plain(there):
            problems.append(f"{name} is no tensor of numbers in memory")
        elif here.shape != there.shape or here.dtype != there.dtype:
            saved_as, wanted_as = (f"{t.dtype} {tuple(t.shape)}" for t in (there, here))
            problems.append(f"{name} is {saved_as}, not {wanted_as}")
        elif there.is_floating_point() and not there.isfinite().all():
            problems.append(f"{name} holds NaN or infinity")
    if problems:
        more = f"; and {len(problems) - 6} more" if len(problems) > 6 else ""
        listed = "; ".join(sorted(problems)[:6]) + more
        raise CheckpointError(f"{path}: does not fit this network ({listed}); the network is unchanged")


def compare_optimizer(path, checkpoint: dict, optimizer) -> None:
    """Raise CheckpointError unless the saved optimizer and random state can be restored as they are.

    ``optimizer.load_state_dict`` compares how many tensors there are, and nothing else: Adam takes SGD's
    state without a word and fails at its next step.
    """
    saved, problem = checkpoint["optimizer"], None
    tensors = [tensor for group in optimizer.param_groups for tensor in group["params"]]
    try:
        for there, here in zip(list_in(saved, "param_groups"), optimizer.param_groups, strict=True):
            # Both ways, because a version of PyTorch may add an option to the same optimizer.
            if there.keys() - here.keys() and here.keys() - there.keys():
                problem = "it was saved by another kind of optimizer"
            elif len(there["params"]) != len(here["params"]):
                problem = f"it has {len(there['params'])} tensors, not {len(here['params'])}"
            elif any(
                not is_like(there[name], here[name]) for name in there.keys() & here.keys() - {"params"}
            ):
                problem = "an option of it is of another kind"
        for index, buffers in saved["state"].items():
            for name, value in buffers.items():
                if not is_like(value, tensors[index]) and not is_like(value, torch.tensor(0.0)):
                    found = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
                    problem = f"{name} {index} is {found}, not {tuple(tensors[index].shape)}"
        problem = problem or random_problem(checkpoint["random"])
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        problem = first_line(error)
    if problem:
        raise CheckpointError(f"{path}: its optimizer or random state does not fit ({problem})")


def list_in(values: dict, name: str) -> list:
    """Return ``values[name]``, a list; to go through a crafted tensor in its place would fill the memory."""
    if not isinstance(values[name], list):
        raise TypeError(f"{name} is no list")
    return values[name]


def is_plain(value) -> bool:
    """Whether this is a tensor whose numbers lie in memory, one by one."""
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def is_like(value, wanted) -> bool:
    """Whether a saved value can stand for ``wanted``: a tensor of its shape, or a number, text or tuple."""
    if isinstance(value, torch.Tensor) and isinstance(wanted, torch.Tensor):
        return is_plain(value) and value.shape == wanted.shape
    if isinstance(value, list | tuple):
        return all(isinstance(item, int | float) for item in value)
    return value is None or isinstance(value, int | float | str)


def random_problem(random: dict) -> str | None:
    """Say why a random state cannot be restored; None if it can."""
    others = list_in(random, "others") if "others" in random else []  # of a run of many processes
    for process in [random, *others]:
        torch.Generator().set_state(process["cpu"])  # tried on one that nobody uses
        for state in list_in(process, "cuda"):
            # 16 bytes in today's PyTorch; a crafted file can claim 10⁹, and setting the state copies them.
            if not is_plain(state) or state.dtype != torch.uint8 or state.dim() != 1 or len(state) > 5000:
                return "the random state of a GPU is none"


def compare_scheduler(path, checkpoint: dict, scheduler) -> None:
    """Raise CheckpointError unless a schedule was saved where one is given, of the same kind."""
    saved = checkpoint["scheduler"]
    if (saved is None) != (scheduler is None):
        there, here = ("without", "with") if saved is None else ("with", "without")
        raise CheckpointError(
            f"{path}: was saved {there} a learning rate schedule and is resumed {here} one; "
            "build what the run was started with"
        )
    if scheduler is None:
        return
    given = scheduler.state_dict()
    if saved.keys() != given.keys():
        raise CheckpointError(f"{path}: its learning rate schedule is of another kind than the one given")
    # Loading overwrites the schedule's length with the saved one; a longer run would fail at its end.
    for name in SHAPE_OF_SCHEDULE & saved.keys():
        if type(saved[name]) is not type(given[name]) or saved[name] != given[name]:
            raise CheckpointError(
                f"{path}: its learning rate schedule had {name} {saved[name]!s:.50}, the one given has "
                f"{given[name]}; build what the run was started with"
            )


def compare_data(path, checkpoint: dict, loaders) -> None:
    """Raise CheckpointError where resuming on ``loaders`` would repeat or skip images.

    Says in a printed line what merely differs: the number of threads, which moves the last digits, and, from
    the end of an epoch on, the batch size.
    """
    if loaders is None or checkpoint["data"] is None:
        return
    there, here = checkpoint["data"], data_identity(loaders)
    changed = {name for name in here if there.get(name) != here[name]}
    said = ", ".join(
        f"{name.replace('_', ' ')} {there.get(name)} then, {here[name]} now" for name in sorted(changed)
    )
    if changed - {"threads", "batch_size"} or ("batch_size" in changed and checkpoint["step"]):
        raise CheckpointError(
            f"{path}: was saved on other batches ({said}); a resume would repeat or skip images. Use the "
            "make_loaders(...) of that run"
        )
    if changed:
        print(f"note: {said}; the run goes on, but not bit for bit as it would have")


def data_identity(loaders) -> dict:
    """Return what decides which images are in which batch, and the number of threads, as plain numbers.

    ``loaders`` are those of make_loaders.
    """
    train = loaders.train
    return {
        "seed": train.sampler.seed,
        "images": len(train.dataset),
        "batch_size": train.batch_size,
        "threads": torch.get_num_threads(),
    }


def require_finite_weights(path, network) -> None:
    """Raise CheckpointError if a weight is NaN or infinite."""
    for name, value in network.state_dict().items():
        if value.is_floating_point() and not value.isfinite().all():
            raise CheckpointError(
                f"{path}: not saved, because {name} holds NaN or infinity; what stood there is unchanged. "
                "Go back to it with a smaller learning rate"
            )


def first_cause(error):
    """The error of the system behind an error of torch's, or the first there was."""
    while error.__context__ is not None and not isinstance(error, OSError):
        error = error.__context__
    return error


def first_line(error) -> str:
    """The first line of an error's text, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
