"""Programs that the tests of checkpoints start in processes of their own, to stop or to starve them."""

import time
import zlib

import torch
from torch import nn

from mnist_helpers import History, Net, save_checkpoint, set_seed
from mnist_helpers.data import Digits, Loaders, _in_order, _shuffled
from mnist_helpers.running.resuming import fit_and_save


def train(kind, path, digits, pause):
    """Train 4 epochs of 16 batches, with all that a resume can forget."""
    digits = Digits(**torch.load(digits))
    loaders = Loaders(_shuffled(digits, 64, 1), None, _in_order(digits, 500))
    set_seed(1)
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Dropout()),
        nn.Linear(288, 10),
    )

    def note(layer, given):
        # A checksum of the pixels, by which a batch is known again.
        if layer.training:
            print("batch", zlib.crc32(given[0].numpy().tobytes()), flush=True)
            time.sleep(pause)  # a signal finds the run in the middle of a batch; the numbers are the same

    network.register_forward_pre_hook(note)
    scheduler = None
    if kind == "SGD with momentum":
        optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    else:
        optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=64)
    fit_and_save(path, network, loaders, optimizer, epochs=4, scheduler=scheduler, save_every=3)
    print("complete", flush=True)


def save(path):
    """Save for ever; the history's ``seen`` and the last bias tell one saving from another."""
    network = Net()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    loaders = Loaders(_shuffled(Digits(torch.zeros(1, 28, 28), torch.zeros(1)), 1, 1), None, None)
    for number in range(1, 1_000_000):
        with torch.no_grad():
            network.fc2.bias.fill_(number)
        save_checkpoint(path, network, optimizer, loaders, History(seen=number))
        if number == 1:
            print("saved", flush=True)


# Runs one of the two for each line of JSON that it is told, in a process forked for it. Says the number of
# the process first, "ended" last. Without a fork it runs one itself, and a test starts another for the next.
RUNS = """
import json, os, sys
import torch
from tests.faults.programs import Net, save, train
torch.set_num_threads(1)
torch.optim.Adam(Net().parameters()).step()  # imports much, once for all that are forked
for line in sys.stdin:
    name, *arguments = json.loads(line)
    child = os.fork() if sys.platform == "linux" else 0
    if not child:
        print("process", os.getpid(), flush=True)
        {"train": train, "save": save}[name](*arguments)
        os._exit(0)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""

# Saves, in the folder given, what a test asks of a disk that is full.
FULL = """
import os, sys
from pathlib import Path
import torch
from mnist_helpers import CheckpointError, History, Net, load_checkpoint, save_checkpoint
from mnist_helpers.data import Digits, Loaders, _shuffled
path = Path(sys.argv[1])
network = Net()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
loaders = Loaders(_shuffled(Digits(torch.zeros(1, 28, 28), torch.zeros(1)), 1, 1), None, None)
def save(number):
    try:
        save_checkpoint(path, network, optimizer, loaders, History(seen=number))
        print("saved", number)
    except CheckpointError as error:
        print(error)
def whole():
    seen = load_checkpoint(path, network, optimizer, loaders)["history"]["seen"]
    print("whole", seen, sorted(os.listdir(path.parent)))
"""

# A tmpfs of 1 MB that this process alone sees, filled until a given number of bytes is free.
FULL_DISK = (
    FULL
    + """
import subprocess
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path.parent)], check=True)
save(1)
before = path.read_bytes()
filler = path.with_name("filler")
for free in (0, 4096, 65536):
    with open(filler, "wb", buffering=0) as file:
        space = os.statvfs(path.parent)
        file.write(bytes(space.f_bavail * space.f_frsize - free))
    save(9)
    print("unchanged", path.read_bytes() == before)
    filler.unlink()
whole()
save(2)
whole()
"""
)

# No file may grow beyond a size: at the first byte, and in the middle.
FULL_FILE = (
    FULL
    + """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
save(1)
before = path.read_bytes()
for size in (0, 1_000, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    save(9)
    print("unchanged", path.read_bytes() == before)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
whole()
save(2)
whole()
"""
)

# Loads each file named, and says what came of it, how long it took and by how much the most memory that was
# ever used has grown.
CLAIMS = """
import resource, sys, time
import torch
from mnist_helpers import CheckpointError, Net, load_checkpoint
from mnist_helpers.data import Digits, Loaders, _shuffled
network = Net()
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
loaders = Loaders(_shuffled(Digits(torch.zeros(1, 28, 28), torch.zeros(1)), 1, 1), None, None)
for path in sys.argv[1:]:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    try:
        load_checkpoint(path, network, optimizer, loaders)
        said = "loaded"
    except CheckpointError as error:
        said = error
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{time.perf_counter() - start:.3f} {grown} {said}", flush=True)
"""
