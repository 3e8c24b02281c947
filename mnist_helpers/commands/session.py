"""One process's part of a run: from the start, or a checkpoint, to the end, or a stop."""

import signal
import sys
import time

import torch

from ..distributed import evaluate_together, place, together
from ..resuming import Interrupted, take_up, train_on
from ..training import History
from . import run_folder
from .common import INTERRUPTED, ArgumentError, counted, quoted


class Session:
    """What a run has at hand, and where it stands: complete epochs, and batches of the next one.

    Of many processes each has a session; the first one alone writes into the folder and on the terminal.
    """

    def __init__(self, folder, chosen, network, optimizer, loaders, write_to_log=None) -> None:
        self.rank, self.world = place()
        self.folder, self.chosen = folder, chosen
        self.network, self.optimizer, self.loaders = network, optimizer, loaders
        self.write_to_log = write_to_log
        self.on_terminal = sys.stdout.isatty()
        self.metrics = run_folder.Metrics(folder / run_folder.METRICS, loaders.train)
        self.epoch, self.step = 0, 0  # complete epochs, and batches of the next one that are done
        self.history = History()
        self.checkpoint = folder / run_folder.CHECKPOINT

    def take_up(self) -> None:
        """Load the checkpoint, if the folder has one, and take back what was logged after it."""
        epochs = self.chosen["epochs"]
        start = take_up(self.checkpoint, self.network, self.loaders, self.optimizer)
        self.epoch, self.step, self.history = start
        if self.epoch and not self.history.test_seen:
            raise run_folder.RunError(
                f"{self.checkpoint}: was not saved by this command, its history is missing"
            )
        if self.epoch + (self.step > 0) > epochs:
            raise ArgumentError(
                f"argument --epochs: {epochs} asked for, but the run in {self.folder} has trained for "
                f"{self.position()}"
            )
        position = self.epoch * len(self.loaders.train) + self.step
        # An evaluation counts when the checkpoint knows of it; one that was killed before the save does not.
        evaluations = len(self.history.test_seen)
        if self.rank == 0:
            self.metrics.cut(position, evaluations, without_test=self.loaders.validation is not None)

    def train(self) -> int:
        """Train the epochs that remain; return the exit status."""
        self.print_start()
        self.network = together(self.network)
        signal_number = None
        try:
            train_on(
                self.checkpoint,
                self.network,
                self.loaders,
                self.optimizer,
                start=(self.epoch, self.step, self.history),
                epochs=self.chosen["epochs"],
                save_every=self.chosen["checkpoint_every"],
                after_epoch=self.draw,
                log=self.log,
                log_interval=self.chosen["log_interval"],
                progress=self.on_terminal,
            )
        except Interrupted as stop:
            # Said below, because the bar stays on the terminal as long as the exception lives.
            signal_number, self.epoch, self.step = stop.number, stop.epoch, stop.step
        if signal_number is not None:
            return self.print_stop(signal_number)
        self.epoch, self.step = self.chosen["epochs"], 0
        if not (self.folder / run_folder.CURVE).exists():  # killed right after the last epoch
            self.draw()
        self.print_end()
        return 0

    def log(self, values: dict, step: int) -> None:
        """Write a row of metrics.csv and, about ten times an epoch, a line."""
        if self.rank:
            return
        self.metrics.log(values, step)
        batches = len(self.loaders.train)
        epoch, batch = divmod(step, batches)
        tenth = max(batches // 10, 1)
        if "train/loss" in values and batch % tenth < self.chosen["log_interval"]:
            line = f"epoch {epoch + 1}, batch {batch} of {batches}: training loss {values['train/loss']:.4f}"
            # A terminal has the bar instead.
            (self.write_to_log if self.on_terminal else print)(line)

    def draw(self) -> None:
        """Draw the loss curve so far."""
        if self.rank:
            return
        # Imported here: it takes most of a second, and a process that is not the first draws nothing.
        import matplotlib

        matplotlib.use("agg")  # into a file: needs no screen
        import matplotlib.pyplot as plt

        from ..plots import plot_history

        chosen = self.chosen
        title = f"{chosen['network']}, {chosen['optimizer']}, learning rate {chosen['lr']:g}"
        figure = plot_history(self.history, title=title, smooth=min(20, len(self.history.train_losses) // 2))
        if self.loaders.validation is not None:
            figure.axes[0].lines[-1].set_label("validation loss")
            figure.axes[0].legend()
        with run_folder.replaced(self.folder / run_folder.CURVE) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        plt.close(figure)

    def position(self) -> str:
        """How far the run has come, in words."""
        return f"{counted(self.epoch, 'epoch')} and {counted(self.step, 'batch')}"

    def print_start(self) -> None:
        """Say what is trained, on what, where, and where it is kept."""
        chosen, device = self.chosen, next(self.network.parameters()).device
        count = sum(tensor.numel() for tensor in self.network.parameters())
        where = f"{self.world} processes, each on {device.type}" if self.world > 1 else str(device)
        if device.type == "cpu":
            where += f" with {counted(torch.get_num_threads(), 'thread')}"
        steps = f"{chosen['optimizer']}, learning rate {chosen['lr']:g}"
        if chosen["momentum"] is not None:
            steps += f", momentum {chosen['momentum']:g}"
        print(f"{chosen['network']}, {count:,} parameters, on {where}; seed {chosen['seed']}")
        print(
            f"{len(self.loaders.train.dataset):,} training images, {counted(chosen['epochs'], 'epoch')}, "
            f"batches of {chosen['batch_size']}; {steps}"
        )
        if self.world > 1 and device.type == "cpu" and any(map(is_batch_norm, self.network.modules())):
            print("note: on CPUs batch norm takes its statistics over each process's share of a batch")
        if self.epoch == chosen["epochs"]:
            print("this run is complete, nothing is left to train; to train on, raise --epochs")
        elif self.epoch or self.step:
            print(f"resumed after {self.position()}")
        print(f"everything is kept in {self.folder}", flush=True)

    def print_stop(self, number: int) -> int:
        """Say how to go on, and return the exit status of the signal."""
        start = f"torchrun --standalone --nproc-per-node {self.world}" if self.world > 1 else "python"
        print(
            f"Stopped after {self.position()}; nothing is lost. Go on with:\n"
            f"{start} -m mnist_helpers train --run-dir {quoted(self.folder)} --resume"
        )
        return INTERRUPTED if number == signal.SIGINT else 128 + number

    def print_end(self) -> None:
        """Print the result; with a validation split the test set is opened here, for the first time."""
        accuracy = self.history.test_accuracies[-1]
        if self.loaders.validation is not None:
            loss, accuracy = evaluate_together(self.network, self.loaders.test)
            step = self.epoch * len(self.loaders.train)
            self.log({"test/loss": loss, "test/accuracy": accuracy}, step)
        seconds = time.monotonic() - self.metrics.started
        print(f"{counted(self.epoch, 'epoch')} in {seconds:.0f} s; accuracy on the test set {accuracy:.2%}")
        print(f"More: python -m mnist_helpers evaluate {quoted(self.checkpoint)}")


def is_batch_norm(layer) -> bool:
    """Whether a layer normalises by statistics over the batch."""
    return isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)
