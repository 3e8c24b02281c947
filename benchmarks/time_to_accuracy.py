"""Measure lesson 10: seconds of training against accuracy, for the ladder and for two published trainings.

usage: python benchmarks/time_to_accuracy.py [--quick] [--accurate] [--seeds 20] [--json FILE] [--validation]

Run by hand on an otherwise idle machine; it is no part of the tests. A full run takes about a quarter of an
hour on two cores, --quick about two minutes. The protocol:

* Every choice, of networks, rates and lengths, is made with --validation: on 10,000 training images that are
  held out. The test set is measured on once for a published table.
* The contestants take turns, seed by seed, so that a machine which slows down slows all of them; a ratio is
  more to be trusted than a time. Each has trained once before, which does not count.
* The clock runs from the making of the network to its last step. The images lie in memory, normalised (but
  for "as printed", which reads them as it goes), and the evaluation is not counted.

--compile adds torch.compile and the loader's workers; --device cuda measures one captured step on a GPU
instead of all that.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from accurate import EPOCHS, train_accurately
from captured_step import ON_GPU, prepare
from contestants import Arrays, Contestant, as_printed, contestants, ordinary_dataset
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from mnist_helpers import evaluate, fetch_mnist, load_mnist
from mnist_helpers.data import NormalisedDigits
from mnist_helpers.recipes import FAST, LADDER, train_recipe


def split(data_dir, *, validation: bool) -> tuple[Arrays, Arrays, torch.Tensor | None]:
    """Return what to train on, what to measure on, and which training images were kept."""
    train, test = (NormalisedDigits(digits) for digits in load_mnist(data_dir))
    if not validation:
        return Arrays(train.images, train.labels), Arrays(test.images, test.labels), None
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(2026))
    kept, held_out = order[:50_000], order[50_000:]
    parts = [Arrays(train.images[chosen], train.labels[chosen]) for chosen in (kept, held_out)]
    return *parts, kept


def accuracy(network, arrays: Arrays) -> float:
    """Return the share of images that the network reads rightly, in per cent."""
    return 100 * evaluate(network, zip(arrays.images.split(500), arrays.labels.split(500), strict=True))[1]


def take_turns(listed: list[Contestant], measure_on: Arrays, device: str = "cpu") -> list[dict]:
    """Train each with its seeds, in turns; return the times and accuracies."""
    rows = {one.name: {"images_seen": one.images_seen, "seconds": [], "accuracy": []} for one in listed}
    for one in listed:  # libraries choose their algorithms when they are first used
        if one.images_seen <= 60_000:
            one.prepare(10_000)()
    turns = [
        (seed, one) for seed in range(max(o.seeds for o in listed)) for one in listed if seed < one.seeds
    ]
    for seed, one in tqdm(turns, "training", file=sys.stderr):
        training = one.prepare(seed)
        wait(device)
        start = time.perf_counter()
        network = training()
        wait(device)
        rows[one.name]["seconds"].append(time.perf_counter() - start)
        rows[one.name]["accuracy"].append(accuracy(network, measure_on))
    return [{"name": name, **row} for name, row in rows.items()]


def gflop(recipe, arrays: Arrays) -> float:
    """Return the floating-point operations of a training by ``recipe``, in 10⁹, as PyTorch counts them."""
    small = replace(recipe, images_seen=2 * recipe.batch_size)
    with FlopCounterMode(display=False) as counter:
        train_recipe(replace(small, frozen_after=1.0), *arrays, seed=0)
    whole = counter.get_total_flops() / small.images_seen
    with FlopCounterMode(display=False) as counter:
        if recipe.frozen_after < 1:
            train_recipe(replace(small, frozen_after=0.0), *arrays, seed=0)
    frozen = counter.get_total_flops() / small.images_seen
    share = recipe.frozen_after
    return recipe.images_seen * (share * whole + (1 - share) * frozen) / 1e9


SPREAD = "mean ± sd (error of the mean, lowest)"
QUICK = ["train_mnist_fast", "Muon", "bfloat16"]
EMULATED = 5  # GFLOP/s; with instructions, one thread of any CPU of the last ten years does many times that


def peak(dtype: torch.dtype) -> float:
    """Return the best of ten products of two 2048 x 2048 matrices, in GFLOP/s.

    Where the CPU has no instructions for ``dtype``, it is that of small matrices: ten large products would
    take minutes, and the number says as much.
    """
    for size in (256, 2048):
        a, b = torch.randn(2, size, size).to(dtype)
        best = float("inf")
        for _ in range(10):
            start = time.perf_counter()
            a @ b
            best = min(best, time.perf_counter() - start)
        rate = 2 * size**3 / best / 1e9
        if rate < EMULATED:
            break
    return rate


def timed(function, *arguments, repeats: int = 3, **options) -> float:
    """Return the median of the seconds that a call takes."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        function(*arguments, **options)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def what_does_not_help(arrays: Arrays, dataset) -> dict:
    """Return seconds with torch.compile, and of an epoch as printed with 0, 1 and 2 workers."""
    found = {"compile": {}, "workers": {}}

    def compiled_network():
        network = FAST.network()
        network.compile()
        return network

    def plain_loop(network):
        return replace(FAST, network=network, channels_last=True, frozen_after=1.0, images_seen=29_952)

    start = time.perf_counter()
    train_recipe(replace(plain_loop(compiled_network), images_seen=128), *arrays, seed=0)
    found["compile"]["first two steps"] = time.perf_counter() - start
    found["compile"]["training, compiled"] = timed(
        train_recipe, plain_loop(compiled_network), *arrays, seed=0
    )
    found["compile"]["training, as it is"] = timed(train_recipe, plain_loop(FAST.network), *arrays, seed=0)
    for workers in (0, 1, 2):
        found["workers"][workers] = timed(as_printed, 0, dataset, epochs=1, workers=workers, repeats=1)
    return found


def on_gpu(train: Arrays, measure_on: Arrays, *, seeds: int, device: str) -> list[dict]:
    """Measure captured steps on a GPU (or, to try the code, on the CPU): recording is not counted."""
    arrays, measure_on = (Arrays(*(part.to(device) for part in both)) for both in (train, measure_on))
    captured = Contestant(
        "captured", lambda seed: prepare(ON_GPU, *arrays, seed=seed), seeds, ON_GPU.images_seen
    )
    return take_turns([captured], measure_on, device)


def wait(device: str) -> None:
    """Wait until the GPU has done what it was asked for."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def circumstances() -> dict:
    """Say what was measured on, as far as a ratio may depend on it."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "peak_gflop_per_second": {"float32": peak(torch.float32), "bfloat16": peak(torch.bfloat16)},
    }


def spread(correct: list[float]) -> str:
    """Return mean and standard deviation of accuracies, the standard error of the mean, and the lowest."""
    deviation = statistics.stdev(correct) if len(correct) > 1 else 0.0
    error = deviation / len(correct) ** 0.5
    return f"{statistics.mean(correct):.3f} ± {deviation:.3f} ({error:.3f}, {min(correct):.2f})"


def print_rows(rows: list[dict]) -> None:
    """Print the table: times, ratio to the first row, accuracies with the standard error of their mean."""
    times = "seconds: median (range)"
    print(f"{'':18} {'runs':>4} {times:>26} {'times faster':>12}  accuracy: {SPREAD}")
    first = statistics.median(rows[0]["seconds"])
    for row in rows:
        seconds = row["seconds"]
        middle = statistics.median(seconds)
        times = f"{middle:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        print(
            f"{row['name']:18} {len(seconds):4} {times:>26} {first / middle:12.1f}  {spread(row['accuracy'])}"
        )


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    found.add_argument("--seeds", type=int, default=20, help="trainings of the fast ones (default: 20)")
    found.add_argument("--quick", action="store_true", help="the fastest ones, with five seeds")
    found.add_argument("--json", type=Path, help="write all measured numbers to this file")
    found.add_argument("--validation", action="store_true", help="measure on training images held out")
    found.add_argument(
        "--only", nargs="+", metavar="NAME", help="only contestants whose name has one of these"
    )
    found.add_argument("--accurate", action="store_true", help="add the training to 99.6 %%, with five seeds")
    found.add_argument("--compile", action="store_true", help="add torch.compile and the loader's workers")
    found.add_argument(
        "--device", default=None, help="cuda: captured steps on a GPU; cpu: the same code there"
    )
    found.add_argument("--data-dir", type=Path, default=None)
    return found


def main(arguments=None) -> int:
    """Measure what is asked for, print it, and write it."""
    command_line = parser()
    options = command_line.parse_args(arguments)
    if options.seeds < 1:
        command_line.error("argument --seeds: 1 or more")
    if options.quick:
        options.seeds, options.only = 5, QUICK
    data_dir = fetch_mnist(options.data_dir)
    train, measure_on, kept = split(data_dir, validation=options.validation)
    dataset = ordinary_dataset(data_dir, kept)
    found = {"measured_on": "validation" if options.validation else "test"}
    if options.device:
        found["entries"] = on_gpu(train, measure_on, seeds=options.seeds, device=options.device)
    else:
        listed = contestants(train, dataset, seeds=options.seeds)
        if options.accurate:
            seen = EPOCHS * len(train.labels)
            accurately = lambda seed: partial(train_accurately, *train, seed=seed)  # noqa: E731
            listed.append(Contestant("to 99.6 %", accurately, 5, seen))
        chosen = [one for one in listed if not options.only or any(word in one.name for word in options.only)]
        if not chosen:
            names = ", ".join(one.name for one in listed)
            command_line.error(
                f"argument --only: no contestant is named like {options.only}; there are {names}"
            )
        listed = chosen
        found["entries"] = take_turns(listed, measure_on)
        for entry in found["entries"]:
            if entry["name"] in LADDER:
                entry["gflop"] = gflop(LADDER[entry["name"]], train)
    print_rows(found["entries"])
    if options.compile:
        found["does_not_help"] = what_does_not_help(train, dataset)
        print(json.dumps(found["does_not_help"], indent=1))
    found["machine"] = circumstances()
    print(json.dumps(found["machine"]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
