"""Print the course's speed and memory as a table: what was measured, what it is compared with, the ratio.

usage: python benchmarks/speed_and_memory.py [--only import,load,epoch,lessons,tests] [--repeats 3]

Run by hand on an otherwise idle machine; it is no part of the tests, because a shared machine can be several
times slower from one minute to the next. What is compared with each other is alternated in one run, and a
ratio is more to be trusted than a time. Needs the test requirements (pip install -e ".[test]").
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"
ROOT = Path(__file__).resolve().parent.parent

IMPORTS = """
import time, torch, torchvision, matplotlib.pyplot
start = time.perf_counter()
import mnist_helpers
for name in mnist_helpers.__all__:
    getattr(mnist_helpers, name)
print(time.perf_counter() - start)
"""

LOADS = """
import time, mnist_helpers
mnist_helpers.Digits
start = time.perf_counter()
mnist_helpers.load_mnist()
print(time.perf_counter() - start)
"""

# The peak of a kernel's resident memory, in MB; ru_maxrss counts kB on Linux and bytes on macOS.
PEAK = """
import resource, sys
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))
"""


def in_new_processes(program: str, repeats: int) -> float:
    """The median of the number that ``program`` prints, each time in a fresh Python."""
    printed = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(repeats)
    ]
    return statistics.median(float(text.split()[-1]) for text in printed)


def ordinary_loader(data_dir):
    """torchvision's data set, transforms and DataLoader, as lesson 1 shows them first."""
    from contestants import ordinary_dataset
    from torch.utils.data import DataLoader

    return DataLoader(ordinary_dataset(data_dir), batch_size=64, shuffle=True)


def seconds_of_an_epoch(loader, *, train: bool) -> float:
    """Seconds of one pass over ``loader``, with seed 001's network and optimizer or without any network."""
    import torch
    from torch.nn import functional as F

    from mnist_helpers import Net, set_seed

    set_seed(1)
    network = Net()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.5)
    start = time.perf_counter()
    for images, labels in loader:
        if train:
            optimizer.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            optimizer.step()
    return time.perf_counter() - start


def measure_epochs(repeats: int) -> list[tuple]:
    from mnist_helpers import fetch_mnist, make_loaders

    loaders = {"make_loaders": make_loaders().train, "torchvision": ordinary_loader(fetch_mnist())}
    rows = []
    for train in (True, False):
        times = {name: [] for name in loaders}
        for _ in range(repeats):  # alternated, so that a slow minute meets both
            for name, loader in loaders.items():
                times[name].append(seconds_of_an_epoch(loader, train=train))
        ours, theirs = (statistics.median(times[name]) for name in loaders)
        ratios = [a / b for a, b in zip(*times.values(), strict=True)]
        what = "an epoch with Net" if train else "an epoch without a network"
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        limit = "at most 0.50 of it" if train else ""
        rows.append((what, f"{ours:.2f} s", f"torchvision {theirs:.2f} s", spread, limit))
    return rows


def measure_lessons() -> list[tuple]:
    """Each lesson in an empty folder (so it trains what it needs), then its seconds and its peak memory."""
    import nbclient
    import nbformat

    from mnist_helpers import fetch_mnist

    os.environ["MNIST_DATA_DIR"] = str(fetch_mnist())
    rows = []
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
            seconds = time.perf_counter() - start
        peak = float(notebook.cells[-1].outputs[0].text)
        ratio = f"{seconds / 60:.2f} and {peak / 1500:.2f}"
        rows.append((path.name, f"{seconds:.1f} s, {peak:,.0f} MB", "60 s, 1,500 MB", ratio, "at most 1"))
    return rows


def measure_tests() -> list[tuple]:
    start = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    summary = result.stdout.strip().splitlines()[-1].strip("= ")
    return [(f"pytest: {summary}", f"{seconds:.0f} s", "360 s", f"{seconds / 360:.2f}", "at most 1")]


def measure(wanted: set[str], repeats: int):
    """Yield the rows (what, measured, compared with, ratio, aim) as they become known."""
    if "import" in wanted:
        seconds = in_new_processes(IMPORTS, repeats)
        yield ("import mnist_helpers beyond torch, torchvision, matplotlib", f"{seconds:.3f} s", "0.5 s",
               f"{seconds / 0.5:.2f}", "at most 1")  # fmt: skip
    if "load" in wanted:
        seconds = in_new_processes(LOADS, repeats)
        yield (
            "load_mnist from verified files",
            f"{seconds:.3f} s",
            "0.5 s",
            f"{seconds / 0.5:.2f}",
            "at most 1",
        )
    if "epoch" in wanted:
        yield from measure_epochs(repeats)
    if "lessons" in wanted:
        yield from measure_lessons()
    if "tests" in wanted:
        yield from measure_tests()


def main() -> None:
    everything = ["import", "load", "epoch", "lessons", "tests"]
    parser = argparse.ArgumentParser(description="Measure the course's speed and memory and print a table.")
    parser.add_argument("--only", default=",".join(everything), help="some of: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, help="how often each pair is measured (default 3)")
    arguments = parser.parse_args()
    wanted = set(arguments.only.split(","))
    if not wanted <= set(everything) or arguments.repeats < 1:
        parser.error(f"--only takes some of {', '.join(everything)}; --repeats is 1 or more")

    import torch
    import torchvision

    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, {torch.get_num_threads()} threads, Python {platform.python_version()}")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}\n")
    print("| what | measured | against | ratio | aim |\n|---|---|---|---|---|")
    for row in measure(wanted, arguments.repeats):
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
