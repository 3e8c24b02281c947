"""A command-line run: from its settings to a trained network, in a folder.

With several processes, each goes through all of this; only the first writes to the folder and prints.
"""

import sys
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from .. import models
from ..data import make_loaders
from ..errors import CheckpointError, LostProcess
from ..fetching import find_data_dir
from ..training import History, evaluate, set_seed
from . import run_folder
from .metrics import LoggedHistory
from .processes import (
    max_over_processes,
    process_device,
    process_group,
    rank_and_world,
    same_everywhere,
    share,
    unwrap_ddp,
    wrap_ddp,
)
from .resuming import NotFiniteLoss, load_or_start, place_in, train_and_save
from .run_folder import RunError, counted, quoted
from .settings import SettingError, Settings
from .signals import Interrupted
from .snapshots import Snapshots, read_snapshots

SMALL = 50_000  # parameters; of a larger network, a run keeps no snapshots


def train_in_folder(folder: Path | None, given: dict, *, resume: bool) -> int:
    """Train as the ``given`` settings say, and return the exit status: 0, or 128 plus a signal's number.

    With ``resume``, the run in ``folder`` continues, with those of the given settings that may change. Raises
    SettingError when a setting cannot be used, ReaderError when folder, data or training fails.
    """
    with process_group():
        folder = same_everywhere(folder or run_folder.default_folder())
        try:
            return _train(folder, given, resume)
        except OSError as error:
            raise RunError(f"{folder}: cannot be used ({error})") from None


def _train(folder: Path, given: dict, resume: bool) -> int:
    if resume:
        config = run_folder.read_config(folder)
        settings = stored_settings(folder, config).changed(given)
    else:
        run_folder.require_free(folder)
        config, settings = {}, Settings(**given)
    new_lr = settings.lr if resume and "lr" in given else None  # otherwise the checkpoint's
    device, *parts = prepare(settings)
    max_over_processes(0)  # all have looked at the folder before the first one writes to it
    if rank_and_world()[0] > 0:
        max_over_processes(0)
        return train(folder, settings, *parts, History(), new_lr, draw=lambda: None)
    folder.mkdir(parents=True, exist_ok=True)
    with run_folder.locked(folder):
        if not resume:
            run_folder.require_free(folder)  # again, because another program may have been quicker
        with run_folder.copied_output(folder / run_folder.LOG) as log:
            note_start(folder, config, settings, device)
            max_over_processes(0)  # the folder is ready
            say = log if sys.stdout.isatty() else print  # a terminal shows the bar instead
            history = LoggedHistory(folder / run_folder.METRICS, parts[-1], settings.log_interval, say)
            draw = partial(draw_curve, folder / run_folder.CURVE, settings, history)
            try:
                return train(folder, settings, *parts, history, new_lr, draw=draw)
            except BaseException as error:
                log(f"ended by {type(error).__name__}: {error}")
                if not isinstance(error, LostProcess):  # torchrun ends this process soon: no time for a curve
                    with suppress(Exception):  # the error above is the one to report
                        draw()
                raise


def stored_settings(folder: Path, config: dict) -> Settings:
    """Return the settings in a config.json, which a reader may have changed by hand, or raise RunError."""
    stored = config["settings"]
    unknown = sorted(stored.keys() ^ asdict(Settings()).keys())
    try:
        if unknown:
            raise SettingError(unknown[0], "is missing, or is not a setting")
        return Settings(**stored)
    except SettingError as error:
        raise RunError(f"{folder / run_folder.CONFIG}: {error}") from None


def prepare(settings: Settings) -> tuple:
    """Return device, network, optimizer and this process's loaders, with the seed's initial weights."""
    try:
        device = process_device(settings.device)
    except ValueError as error:
        raise SettingError("device", str(error)) from None
    loaders = make_loaders(
        settings.batch_size,
        settings.test_batch_size,
        settings.validation_size,
        seed=settings.seed,
        data_dir=settings.data_dir,
    )
    try:
        loaders = share(loaders, *rank_and_world())
    except ValueError as error:
        raise SettingError("batch_size", str(error)) from None
    set_seed(settings.seed)
    network = getattr(models, settings.network)().to(device)
    if settings.optimizer == "adam":
        optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=settings.lr, momentum=settings.momentum)
    return device, network, optimizer, loaders


def note_start(folder: Path, config: dict, settings: Settings, device) -> None:
    """Write config.json, before anything else, so that a run which is killed from here on can be resumed."""
    now = run_folder.circumstances(device, find_data_dir(settings.data_dir))
    if config:
        before = [config["started"], *config["resumed"]][-1]
        for name in ("device", "versions", "course"):  # threads are compared with the checkpoint's
            if before.get(name) != now[name]:
                print(f"note: {name} was {before.get(name)}, is now {now[name]}; the result may differ")
        config = {**config, "settings": asdict(settings), "resumed": [*config["resumed"], now]}
    else:
        config = {"settings": asdict(settings), "started": now, "resumed": []}
    run_folder.write_config(folder, config)


def train(folder: Path, settings: Settings, network, optimizer, loaders, history, new_lr, *, draw) -> int:
    """Train the epochs that remain, and say how it ended; return the exit status."""
    checkpoint = folder / run_folder.CHECKPOINT
    load_or_start(checkpoint, network, loaders, optimizer, history, lr=new_lr)
    rate = optimizer.param_groups[0]["lr"]  # the checkpoint's; config.json may hold another one
    epoch, step = place_in(history, loaders.train)
    place = f"{counted(epoch, 'epoch')} and {counted(step, 'batch')}"
    if (epoch, step) > (settings.epochs, 0):
        raise SettingError("epochs", f"{settings.epochs} asked for, but the run has trained for {place}")
    if isinstance(history, LoggedHistory):
        history.begin()
    print_start(settings, network, loaders, rate)
    if epoch == settings.epochs:
        print("this run is complete, nothing is left to train; to train on, raise --epochs")
    elif history.test_seen:
        print(f"resumed after {place}")
    print(f"everything is kept in {folder}", flush=True)
    parts = {"epochs": settings.epochs, "save_every": settings.checkpoint_every, "after_epoch": draw}
    if rank_and_world()[0] == 0 and sum(tensor.numel() for tensor in network.parameters()) <= SMALL:
        path, kept = folder / run_folder.SNAPSHOTS, []
        with suppress(CheckpointError):  # a damaged file is begun anew
            kept = read_snapshots(path)
        batches = settings.epochs * len(loaders.train)
        parts["after_step"] = Snapshots(network, history, batches, path=path, kept=kept).after_batch
    network, stop = wrap_ddp(network), None
    try:
        train_and_save(checkpoint, network, loaders, optimizer, history, **parts)
    except NotFiniteLoss as error:
        remedy = f"go on from the last checkpoint: {resume_command(folder)} --lr {rate / 10:g}"
        raise NotFiniteLoss(error.epoch, error.step, remedy) from None
    except Interrupted as error:
        stop = error  # reported below, because the bar stays on the terminal while the exception is handled
    if stop:
        place = f"{counted(stop.epoch, 'epoch')} and {counted(stop.step, 'batch')}"
        print(f"Stopped after {place}; nothing is lost. Go on with:\n{resume_command(folder)}")
        return 128 + stop.number
    if rank_and_world()[0] == 0:
        print_end(checkpoint, unwrap_ddp(network), loaders, history)
    return 0


def print_start(settings: Settings, network, loaders, rate: float) -> None:
    """Say what is trained, on what, and where."""
    device, world = next(network.parameters()).device, rank_and_world()[1]
    count = sum(tensor.numel() for tensor in network.parameters())
    where = f"{world} processes, each on {device.type}" if world > 1 else str(device)
    if device.type == "cpu":
        where += f" with {counted(torch.get_num_threads(), 'thread')}"
    steps = f"{settings.optimizer}, learning rate {rate:g}"
    if settings.momentum is not None:
        steps += f", momentum {settings.momentum:g}"
    print(f"{settings.network}, {count:,} parameters, on {where}; seed {settings.seed}")
    print(
        f"{len(loaders.train.dataset):,} training images, {counted(settings.epochs, 'epoch')}, "
        f"batches of {settings.batch_size}; {steps}"
    )
    batch_norm = torch.nn.modules.batchnorm._BatchNorm
    if world > 1 and device.type == "cpu" and any(isinstance(part, batch_norm) for part in network.modules()):
        print("note: on CPUs batch norm takes its statistics over each process's share of a batch")


def print_end(checkpoint: Path, network, loaders, history: LoggedHistory) -> None:
    """Print the result; with a validation split the test set is opened here, for the first time."""
    accuracy = history.test_accuracies[-1]
    if loaders.validation is not None:
        loss, accuracy = evaluate(network, loaders.test)
        history.add_test(loss, accuracy)
    epochs = counted(len(history.test_seen) - 1, "epoch")
    print(f"{epochs} in {history.seconds():.0f} s; accuracy on the test set {accuracy:.2%}")
    print(f"More: python -m mnist_helpers evaluate {quoted(checkpoint)}")


def resume_command(folder: Path) -> str:
    """Return the command that resumes a run, on as many processes as this one."""
    world = rank_and_world()[1]
    torchrun = f"torchrun --standalone --local-addr localhost --nproc-per-node {world}"
    start = torchrun if world > 1 else "python"
    return f"{start} -m mnist_helpers train --run-dir {quoted(folder)} --resume"


def draw_curve(path: Path, settings: Settings, history: LoggedHistory) -> None:
    """Draw the loss curve so far, if there is one."""
    if not history.train_losses or not history.test_losses:
        return
    # Imported here: it takes most of a second, and a process that is not the first draws nothing.
    import matplotlib

    matplotlib.use("agg")  # into a file: needs no screen
    import matplotlib.pyplot as plt

    from ..plots import plot_history

    title = f"{settings.network}, {settings.optimizer}, learning rate {settings.lr:g}"
    figure = plot_history(history, title=title, smooth=min(100, len(history.train_losses) // 2))
    if settings.validation_size:
        figure.axes[0].lines[-1].set_label("validation loss")
        figure.axes[0].legend()
    with history.no_reason_to_stop(path), run_folder.replaced(path) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
    plt.close(figure)
