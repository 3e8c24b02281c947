"""One training on many processes, each of which takes its share of every batch. Lesson 11.

``torchrun --standalone --nproc-per-node 2 PROGRAM`` starts the program twice. Both build the same network,
draw the same order of the images and compute the gradient of their share of each batch;
DistributedDataParallel averages the gradients, so that both make the same step. The batch size is that of the
whole batch: steps, epochs and the images seen mean what they mean with one process.

Each function here does the ordinary thing where there is one process, so that one program serves both. Where
there are several, those that exchange something have to be called by every process, and wait for the others.
"""

import gc
import os
import sys
from contextlib import contextmanager, redirect_stdout

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

from .data import Loaders
from .errors import LostProcess, ReaderError
from .launched import launched
from .training import evaluate, pick_device


@contextmanager
def process_group(*, quiet: bool = True):
    """Connect the processes that torchrun started, and yield ``(rank, world)``: its number, and how many.

    gloo connects CPUs, NCCL the GPUs. A process that torchrun did not start, or one alone, gets ``(0, 1)``
    and no connection. What the processes beside the first print on stdout is dropped, unless ``quiet`` is
    False.

    Build the network in a function of its own that is called in here: at the end all processes wait for each
    other and disconnect, and PyTorch can abort there while a DistributedDataParallel is still in memory.
    After an error nothing waits, because the others may be gone. Raises LostProcess in place of gloo's error
    when another process has ended.
    """
    rank, world, *_ = launched()
    if world == 1:
        yield 0, 1
        return
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    with open(os.devnull, "w") as nowhere, lost_process_named():
        with redirect_stdout(nowhere if rank and quiet else sys.stdout):
            yield rank, world
        gc.collect()
        dist.barrier()
    dist.destroy_process_group()


def many() -> bool:
    """Whether this process is one of several that are connected."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def place() -> tuple[int, int]:
    """Return ``(rank, world)`` of the connected processes, ``(0, 1)`` where there is one alone."""
    return (dist.get_rank(), dist.get_world_size()) if many() else (0, 1)


def process_device(name: str = "auto") -> torch.device:
    """Return the device of this process, named as for ``pick_device``: the CPU, or a GPU of its own.

    That GPU becomes the current one, whose random state goes into a checkpoint.
    Raises ValueError when the machine lacks the device, has fewer GPUs than processes, or is a Mac whose GPU
    would have to be shared.
    """
    device, here = pick_device(name), launched()
    if here.world == 1 or device.type == "cpu":
        return device
    if device.type != "cuda":
        raise ValueError(
            f"device is {device.type!r}, which serves one process; allowed for {here.world} is cpu"
        )
    if device.index is not None:
        raise ValueError(
            f"device is {str(device)!r}; each process takes a GPU of its own, so say cuda or cpu"
        )
    if here.local_world > torch.cuda.device_count():
        gpus = torch.cuda.device_count()
        raise ValueError(
            f"device is 'cuda', with fewer GPUs ({gpus}) than processes ({here.local_world}); "
            f"say cpu, or start {gpus}"
        )
    torch.cuda.set_device(here.local_rank)
    return torch.device("cuda", here.local_rank)


class Shared(Dataset):
    """One process's share of a data set that is asked for whole batches. Lesson 11 writes it out.

    Of ``indices``, the same on all processes, process r of W hands out those at r, r + W, r + 2W, ... All
    shares have one size, so that the mean of their gradients is that of the batch: up to W - 1 images at the
    end of a last batch that W does not divide are left out. The length is that of the whole data set.
    """

    def __init__(self, dataset: Dataset, rank: int, world: int) -> None:
        self.dataset, self.rank, self.world = dataset, rank, world

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, indices: list[int]):
        whole = len(indices) - len(indices) % self.world
        return self.dataset.__getitems__(indices[self.rank : whole : self.world])


def share(loaders: Loaders, rank: int, world: int) -> Loaders:
    """Return loaders that hand out the share of process ``rank`` of ``world``; for one process ``loaders``.

    ``train`` cuts each batch; its batch size, length and sampler remain those of the whole. ``validation``
    and ``test`` give every image to exactly one process. (torch's DistributedSampler makes the shares equal
    by handing out some images twice, which would count them twice.)

    Raises ValueError when ``world`` does not divide the batch size, or exceeds the size of the last batch.
    """
    if world == 1:
        return loaders
    size, images = loaders.train.batch_size, len(loaders.train.dataset)
    if size % world:
        near = max(size // world, 1) * world
        raise ValueError(
            f"batch_size is {size}; for {world} processes it has to be divisible by {world}, as {near} is"
        )
    if 0 < images % size < world:
        raise ValueError(
            f"batch_size is {size}, which leaves {images % size} of {images:,} training images for the last "
            f"batch, fewer than the {world} processes; choose another"
        )

    def part(loader):
        if loader is None:
            return None
        training = loader is loaders.train
        return DataLoader(
            Shared(loader.dataset, rank, world) if training else loader.dataset,
            batch_size=loader.batch_size,
            sampler=loader.sampler if training else range(rank, len(loader.dataset), world),
            collate_fn=loader.collate_fn,
            generator=torch.Generator(),  # as in make_loaders: dropout's random state has no part in it
        )

    return Loaders(*map(part, loaders))


def together(network: nn.Module) -> nn.Module:
    """Return ``network`` in DistributedDataParallel, which averages the gradients; as it is for one process.

    On GPUs batch norm then takes its statistics over the whole batch. On CPUs PyTorch has no such layer, and
    each process normalises by its share.
    """
    if not many():
        return network
    device = next(network.parameters()).device
    if device.type == "cpu":
        return DistributedDataParallel(network)
    # The parameters stay the same tensors, so that an optimizer built before remains right.
    return DistributedDataParallel(
        nn.SyncBatchNorm.convert_sync_batchnorm(network), device_ids=[device.index]
    )


def plain(network: nn.Module) -> nn.Module:
    """Return the network itself, out of its DistributedDataParallel: its weights have their own names."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def evaluate_together(network: nn.Module, loader: DataLoader) -> tuple[float, float]:
    """Return the mean loss (nats) and the accuracy (0 to 1) over the images of all processes' loaders.

    ``loader`` is one that ``share`` returned. Every process gets the same two numbers.
    """
    if not many():
        return evaluate(network, loader)
    for buffer in network.buffers():  # batch norm's statistics differ: those of the first process are saved
        dist.broadcast(buffer, src=0)
    count = len(loader.sampler)
    loss, accuracy = evaluate(plain(network), loader) if count else (0.0, 0.0)
    sums = torch.tensor([loss * count, round(accuracy * count), count], dtype=torch.float64)
    dist.all_reduce(sums)
    total_loss, correct, count = sums.tolist()
    return total_loss / count, correct / count


def told(value=None):
    """Return at every process what the first one gives."""
    values = [value]
    if many():
        dist.broadcast_object_list(values, src=0)
    return values[0]


def agreed(number: int) -> int:
    """Return the largest of the numbers that the processes give, so that all of them do the same."""
    if not many():
        return number
    largest = torch.tensor(number)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return int(largest)


def gathered_random_states() -> dict | None:
    """Return at the first process its own random state and, under ``others``, those of the others, in order.

    None at the others, and for one process alone, of which ``save_checkpoint`` takes the state itself.
    """
    if not many():
        return None
    rank, world = place()
    states = [None] * world if rank == 0 else None
    gpu = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []
    dist.gather_object({"cpu": torch.get_rng_state(), "cuda": gpu}, states)
    return {**states[0], "others": states[1:]} if rank == 0 else None


def separate_random_state(saved: dict | None = None) -> None:
    """Give each process a random state of its own, so that dropout masks differ between their shares.

    All processes come here in the same state: after ``set_seed``, or after loading a checkpoint, whose random
    part is ``saved``. The first keeps it. The others take what was saved for them; where the run had another
    number of processes, they derive theirs from the common one, and a printed line says so.
    """
    rank, world = place()
    others = saved.get("others", []) if saved else []
    same = saved is not None and len(others) == world - 1
    if saved is not None and not same:
        print(f"note: processes {len(others) + 1} then, {world} now; dropout masks differ from here on")
    if rank == 0:
        return
    if same:
        torch.set_rng_state(others[rank - 1]["cpu"])
        if others[rank - 1]["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(others[rank - 1]["cuda"][0])
    else:
        torch.manual_seed((int(torch.randint(2**62, ())) + rank) % 2**63)


@contextmanager
def lost_process_named(path=None):
    """Raise LostProcess, which names the checkpoint at ``path``, in place of a broken connection's error."""
    try:
        yield
    except RuntimeError as error:
        if not many() or isinstance(error, ReaderError) or not is_lost_connection(error):
            raise
        raise LostProcess(path) from None


def is_lost_connection(error: RuntimeError) -> bool:
    """Whether an error is one of gloo or NCCL, which have no kinds of their own for all that can happen."""
    return isinstance(error, dist.DistError) or any(
        name in str(error) for name in ("gloo", "NCCL", "onnection")
    )
