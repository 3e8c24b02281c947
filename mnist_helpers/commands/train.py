"""``train``: the loop of lesson 3 as a command, with a folder for what it leaves behind."""

import argparse
import sys
import time
from pathlib import Path

from ..launched import launched
from . import run_folder, settings
from .common import ArgumentError, device_named


def add_parser(commands) -> None:
    """Add ``train`` to the command line."""
    parser = commands.add_parser(
        "train",
        help="train a network, and keep log, metrics, curve and checkpoint in a folder",
        description="Train a network on MNIST. The run gets a folder with config.json (the settings), "
        "stdout.log (what was printed), metrics.csv (the losses), checkpoint.pt and loss_curve.png. "
        "Ctrl-C saves a checkpoint and ends with status 130; --resume goes on from there. With torchrun, "
        "many processes share each batch.",
        epilog="Examples: python -m mnist_helpers train --epochs 1 --run-dir runs/first; "
        "torchrun --standalone --nproc-per-node 2 -m mnist_helpers train --epochs 1 --run-dir runs/two",
        usage="%(prog)s [OPTION ...]",
        argument_default=argparse.SUPPRESS,  # so that a resume can tell what was given from what was not
    )
    settings.add_settings(parser)
    parser.set_defaults(run=run)


def run(options) -> int:
    """Train, and return 0, or 130 where Ctrl-C stopped it."""
    if launched().world == 1:
        return lead(options)
    from ..distributed import process_group

    with process_group() as (rank, _):
        return follow() if rank else lead(options)


def lead(options) -> int:
    """What the first process does, which of one is the only one: it alone reads and writes the folder."""
    folder, resumed = getattr(options, "run_dir", None), getattr(options, "resume", False)
    chosen = settings.given(options)
    if resumed and folder is None:
        raise ArgumentError("argument --resume: say which run, with --run-dir")
    folder = folder or run_folder.default_folder()
    try:
        if resumed:
            config = run_folder.read_config(folder)
            config["settings"] = settings.continued(config["settings"], chosen, folder)
        else:
            run_folder.require_free(folder)
            config = {"settings": settings.complete(chosen)}
        return train(folder, config, resumed)
    except OSError as error:
        raise run_folder.RunError(f"{folder}: cannot be used ({error})") from None


def train(folder: Path, config: dict, resumed: bool) -> int:
    """Prepare what the settings name, open the folder, and train in it."""
    from ..distributed import told
    from .session import Session

    chosen = config["settings"]
    device, *parts = prepare(chosen)
    now = {"command": sys.argv[1:], "time": time.strftime("%Y-%m-%d %H:%M:%S")}
    now |= run_folder.circumstances(device)

    folder.mkdir(parents=True, exist_ok=True)
    with run_folder.locked(folder):
        if not resumed:
            run_folder.require_free(folder)  # again, for another process may have been quicker
            # Before anything else, so that a run which is killed from here on can be resumed.
            run_folder.write_config(folder, {**config, "started": now, "resumed": []})
        with run_folder.copied_output(folder / run_folder.LOG) as write_to_log:
            told((str(folder), chosen))  # now the other processes prepare the same
            session = Session(folder, chosen, *parts, write_to_log)
            session.take_up()
            if resumed:
                note_resume(folder, config, now)
            return session.train()


def follow() -> int:
    """What the processes beside the first do: the same training, from what the first one tells them."""
    from ..distributed import told
    from .session import Session

    folder, chosen = told()
    _, *parts = prepare(chosen)
    session = Session(Path(folder), chosen, *parts)
    session.take_up()
    return session.train()


def prepare(chosen: dict) -> tuple:
    """Return the device, network, optimizer and loaders of this process, as the settings name them."""
    from ..data import make_loaders
    from ..distributed import place, share

    device = device_named(chosen["device"])
    names = ("batch_size", "test_batch_size", "validation_size", "seed", "data_dir")
    loaders = make_loaders(**{name: chosen[name] for name in names})
    try:
        loaders = share(loaders, *place())
    except ValueError as error:
        raise ArgumentError(f"argument --batch-size: {error}") from None
    return device, *make_network(chosen, device), loaders


def make_network(chosen: dict, device) -> tuple:
    """Return the network and its optimizer, as the settings name them, with the seed's initial weights."""
    import torch

    from .. import models
    from ..training import set_seed

    set_seed(chosen["seed"])
    network = getattr(models, chosen["network"])().to(device)
    if chosen["optimizer"] == "adam":
        return network, torch.optim.Adam(network.parameters(), lr=chosen["lr"])
    return network, torch.optim.SGD(network.parameters(), lr=chosen["lr"], momentum=chosen["momentum"])


def note_resume(folder: Path, config: dict, now: dict) -> None:
    """Add this resume to config.json, and say what is not as it was, for the last digits may differ."""
    before = (config["resumed"] or [config["started"]])[-1]
    for name in ("device", "versions"):  # the number of threads is compared with the checkpoint's own
        if before.get(name) != now[name]:
            print(f"note: {name} was {before.get(name)}, is {now[name]}; the last digits may differ")
    run_folder.write_config(folder, {**config, "resumed": [*config["resumed"], now]})
