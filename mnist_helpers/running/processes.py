"""One training run on several processes, each of which takes its share of every batch. Lesson 11.

``torchrun --standalone --local-addr localhost --nproc-per-node 2 PROGRAM`` starts the program twice; without
the address, torchrun hangs where the machine's own name is not known. Both build the same network, draw the
same order of the images and compute the gradient of their share of each batch; DistributedDataParallel
averages the gradients, so that both take the same step. The batch size is that of the
whole batch: steps, epochs and the images seen mean what they mean with one process.

With one process, each function here does the ordinary thing, so that one program serves both. With several,
those that exchange something must be called by every process, and wait for the others.
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

from ..data import Loaders
from ..errors import LostProcess, ReaderError
from ..training import pick_device
from .torchrun import torchrun_env


@contextmanager
def process_group():
    """Connect the processes that torchrun started, and yield ``(rank, world)``: number and count.

    gloo connects CPUs, NCCL the GPUs. A process that torchrun did not start, or one alone, gets ``(0, 1)``
    and no connection. What processes other than the first print to stdout is dropped.

    Build the network in a function of its own, called in here: at the end all processes wait for each other
    and disconnect, and PyTorch can abort there if a DistributedDataParallel is still in memory.
    After an error nothing waits, because the others may be gone. Raises LostProcess in place of gloo's error
    when another process has ended.
    """
    rank, world, *_ = torchrun_env()
    if world == 1:
        yield 0, 1
        return
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    with open(os.devnull, "w") as nowhere, name_lost_process():
        with redirect_stdout(nowhere if rank else sys.stdout):
            yield rank, world
        gc.collect()
        dist.barrier()
    dist.destroy_process_group()


def is_distributed() -> bool:
    """Whether this process is one of several that are connected."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def rank_and_world() -> tuple[int, int]:
    """Return this process's number and how many are connected, ``(0, 1)`` for one alone."""
    return (dist.get_rank(), dist.get_world_size()) if is_distributed() else (0, 1)


def process_device(name: str = "auto") -> torch.device:
    """Return the device of this process, named as for ``pick_device``: the CPU, or a GPU of its own.

    That GPU becomes the current one, whose random state goes into a checkpoint.
    Raises ValueError when the machine lacks the device, has fewer GPUs than processes, or is a Mac whose GPU
    would have to be shared.
    """
    device, env = pick_device(name), torchrun_env()
    if env.world == 1 or device.type == "cpu":
        return device
    if device.type != "cuda":
        raise ValueError(
            f"device is {device.type!r}, which serves one process; allowed for {env.world} is cpu"
        )
    if device.index is not None:
        raise ValueError(
            f"device is {str(device)!r}; each process takes a GPU of its own, so say cuda or cpu"
        )
    gpus = torch.cuda.device_count()
    if env.local_world > gpus:
        raise ValueError(
            f"device is 'cuda', with fewer GPUs ({gpus}) than processes ({env.local_world}); "
            f"say cpu, or start {gpus}"
        )
    torch.cuda.set_device(env.local_rank)
    return torch.device("cuda", env.local_rank)


class Shared(Dataset):
    """One process's share of a data set that is asked for whole batches. Lesson 11 writes it out.

    Of ``indices``, the same on all processes, process r of W hands out those at r, r + W, r + 2W, ... All
    shares are equal in size, so the mean of their gradients is that of the batch: up to W - 1 images at the
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
    """Return loaders whose ``train`` hands out the share of process ``rank`` of ``world``.

    Batch size, length and sampler remain those of the whole. Every process evaluates all images, so that
    each has the same result and nothing has to be combined.

    Raises ValueError when ``world`` does not divide the batch size, or exceeds the size of the last batch.
    """
    if world == 1:
        return loaders
    train = loaders.train
    size, images = train.batch_size, len(train.dataset)
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
    shared = DataLoader(
        Shared(train.dataset, rank, world),
        batch_size=size,
        sampler=train.sampler,
        collate_fn=train.collate_fn,
        generator=torch.Generator(),  # as in make_loaders: the random state of dropout is left alone
    )
    return loaders._replace(train=shared)


def wrap_ddp(network: nn.Module) -> nn.Module:
    """Return ``network`` in DistributedDataParallel, which averages the gradients; unchanged for one process.

    On GPUs batch norm then takes its statistics over the whole batch. On CPUs PyTorch has no such layer, and
    each process normalises by its share.
    """
    if not is_distributed():
        return network
    device = next(network.parameters()).device
    if device.type == "cpu":
        return DistributedDataParallel(network)
    # The parameters stay the same tensors, so an optimizer built earlier remains valid.
    return DistributedDataParallel(
        nn.SyncBatchNorm.convert_sync_batchnorm(network), device_ids=[device.index]
    )


def unwrap_ddp(network: nn.Module) -> nn.Module:
    """Return the network itself, without its DistributedDataParallel, which renames the weights."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def same_everywhere(value):
    """Return in every process the value that the first one passes."""
    values = [value]
    if is_distributed():
        dist.broadcast_object_list(values, src=0)
    return values[0]


def max_over_processes(number: int) -> int:
    """Return the largest of the numbers that the processes pass, so that all of them do the same."""
    if not is_distributed():
        return number
    largest = torch.tensor(number)
    dist.all_reduce(largest, op=dist.ReduceOp.MAX)
    return int(largest)


def gather_random_states(own: dict) -> dict:
    """Return in the first process its ``own`` random state, with the other processes' as ``others``."""
    if not is_distributed():
        return own
    rank, world = rank_and_world()
    states = [None] * world if rank == 0 else None
    gpu = [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else []
    dist.gather_object({"cpu": own["cpu"], "cuda": gpu}, states)
    return {**states[0], "others": states[1:]} if rank == 0 else own


def separate_random_state(saved: dict | None = None) -> None:
    """Give each process a random state of its own, so that dropout masks differ between their shares.

    All processes come here in the same state: after ``set_seed``, or after loading a checkpoint, whose random
    part is ``saved``. The first keeps it. The others take what was saved for them; if the run had another
    number of processes, they derive theirs from the common one, and a printed line says so.
    """
    rank, world = rank_and_world()
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
def name_lost_process(path=None):
    """Raise LostProcess, which names the checkpoint at ``path``, in place of a broken connection's error."""
    try:
        yield
    except RuntimeError as error:
        # gloo and NCCL have no error class of their own for all that can happen.
        lost = isinstance(error, dist.DistError) or any(
            name in str(error) for name in ("gloo", "NCCL", "onnection")
        )
        if not is_distributed() or isinstance(error, ReaderError) or not lost:
            raise
        raise LostProcess(path) from None
