"""Training that can be stopped at any moment and continues from its file. Lesson 7.

The loop of lesson 3 is used as it is. What is added goes around it: a loader whose code after ``yield``
runs when the loop has finished a batch.
"""

import math
from functools import partial
from pathlib import Path

import torch

from ..arguments import check_optimizer, require_int
from ..checkpoints import load_checkpoint, read_checkpoint, run_state
from ..errors import CheckpointError, TrainingError
from ..training import History, fit
from ..trusting.matching import check_schedule
from ..trusting.writing import write_state
from .processes import (
    gather_random_states,
    is_distributed,
    max_over_processes,
    name_lost_process,
    rank_and_world,
    separate_random_state,
    unwrap_ddp,
)
from .signals import Interrupted, stop_on_signal

NOT_FINITE = 1000  # takes the place of a signal's number; those are all smaller


class NotFiniteLoss(TrainingError):
    """The loss became NaN or infinite in batch ``step`` of the epoch after ``epoch`` complete ones."""

    def __init__(self, epoch: int, step: int, remedy: str) -> None:
        super().__init__(
            f"epoch {epoch + 1}, batch {step}: the training loss is not finite, and training stopped. "
            f"Usually the learning rate is too high; {remedy}"
        )
        self.epoch, self.step = epoch, step


class WatchedLoader:
    """A loader that calls ``after_batch()`` when the loop has finished a batch. Lesson 7 writes it out."""

    def __init__(self, loader, after_batch):
        self.loader, self.after_batch = loader, after_batch

    def __len__(self):
        return len(self.loader)

    def __iter__(self):
        for batch in self.loader:
            yield batch
            self.after_batch()  # the loop has come back for the next batch


def fit_and_save(
    path, network, loaders, optimizer, *, epochs, scheduler=None, save_every=0, lr=None, history=None
):
    """Train for ``epochs`` epochs in all, saving to ``path``; continue from there if it exists.

    Call it again after Ctrl-C, a crash or ``kill -9``, and it continues from the last save, to the result of
    a run that was never stopped. Set up the network, its optimizer and the loaders as you did the first time.
    The learning rate is the saved one unless ``lr`` asks for another. A ``scheduler`` steps after every
    batch. The run is saved after each epoch and, unless it is 0, after every ``save_every`` batches. Returns
    the History: ``history``, if one is given (lesson 9).

    Raises CheckpointError when the file is damaged or from another run, TrainingError when the loss is NaN or
    infinite, ValueError when the order of the loaders cannot be resumed, and Interrupted, which is a
    KeyboardInterrupt, when a signal has stopped training.
    """
    history = History() if history is None else history
    load_or_start(path, network, loaders, optimizer, history, scheduler=scheduler, lr=lr)
    train_and_save(
        path, network, loaders, optimizer, history, epochs=epochs, scheduler=scheduler, save_every=save_every
    )
    return history


def load_or_start(path, network, loaders, optimizer, history, *, scheduler=None, lr=None):
    """Set everything, ``history`` too, to what the checkpoint at ``path`` holds, if there is one.

    Each of several processes gets a random state of its own. Arguments and errors as for ``fit_and_save``.
    """
    # Worker processes are handed their batches in advance: the sampler would be ahead of the training.
    if not hasattr(loaders.train.sampler, "load_state_dict") or loaders.train.num_workers:
        raise ValueError("the order of these loaders cannot be resumed; use those of make_loaders")
    if lr is not None and scheduler is not None:
        raise ValueError("lr is set by the scheduler; leave one of the two out")
    saved = None
    if not Path(path).exists():
        if history.train_losses or history.test_losses:
            raise ValueError(f"history already holds a run, and {path} does not exist; give a new History")
        loaders.train.sampler.set_epoch(1)
    else:
        checkpoint = read_checkpoint(path, unwrap_ddp(network))
        check_schedule(path, checkpoint, scheduler)
        try:
            History(**checkpoint["history"])
        except TypeError:
            raise CheckpointError(f"{path}: its history is not one of this course") from None
        load_checkpoint(path, unwrap_ddp(network), optimizer, loaders)
        if scheduler is not None:
            scheduler.load_state_dict(checkpoint["scheduler"])
        vars(history).update(checkpoint["history"])
        note_differences(checkpoint.get("data", {}), data_identity(loaders))
        saved = checkpoint["random"]
    separate_random_state(saved)
    for group in optimizer.param_groups if lr is not None else ():
        print(f"note: learning rate {group['lr']:g} until here, {lr:g} from here on")
        group["lr"] = lr


def train_and_save(
    path,
    network,
    loaders,
    optimizer,
    history,
    *,
    epochs,
    scheduler=None,
    save_every=0,
    after_step=None,
    after_epoch=None,
):
    """Continue, after ``load_or_start``, until ``epochs`` epochs are complete; see ``fit_and_save``.

    ``after_step()`` is called after each batch whose loss is finite, ``after_epoch()`` when an epoch has been
    saved. With several processes (lesson 11), each of which calls this with its share of the loaders, the
    first saves, and a signal to any stops all after the same batch. Raises LostProcess when another one has
    ended.
    """
    sampler = loaders.train.sampler
    save = partial(save_run, path, network, loaders, optimizer, history, scheduler)

    def after_batch():
        if scheduler is not None:
            scheduler.step()
        # A process counts its share; the sampler, the same in all of them, counts the whole batch.
        history.seen = (sampler.epoch - 1) * sampler.size + sampler.taken
        signal_number = received[0] if received else 0  # read only once: a later one waits for the next batch
        event = max_over_processes(signal_number if math.isfinite(history.train_losses[-1]) else NOT_FINITE)
        complete, step = place_in(history, loaders.train)
        if event == NOT_FINITE:
            raise NotFiniteLoss(complete, step, f"{path} is as it was last saved; go on with a smaller lr=")
        if after_step:
            after_step()
        if sampler.taken in (0, sampler.size):
            return  # the last batch of the epoch: the evaluation comes first, then everything is saved
        if event or (save_every and step % save_every == 0):
            save()
        if event:
            raise Interrupted(path, event, complete, step)

    complete, step = place_in(history, loaders.train)
    if (complete, step) > (require_int("epochs", epochs, minimum=1), 0):
        raise CheckpointError(
            f"{path}: holds {complete} epochs and {step} batches, more than the {epochs} epochs asked for; "
            "ask for more, or train into another file"
        )
    check_optimizer(network, optimizer)
    save()  # the beginning, or a learning rate that was just asked for
    watched = loaders._replace(train=WatchedLoader(loaders.train, after_batch))
    with stop_on_signal(together=is_distributed()) as received, name_lost_process(path):
        for epoch in range(complete + 1, epochs + 1):
            fit(network, watched, optimizer, epochs=1, history=history)
            save()
            if after_epoch:
                after_epoch()
            event = max_over_processes(received[0] if received else 0)
            if event and epoch < epochs:
                raise Interrupted(path, event, epoch, 0)


def save_run(path, network, loaders, optimizer, history, scheduler=None) -> None:
    """Save what ``save_checkpoint`` saves, the schedule, and the random state of every process."""
    state = run_state(unwrap_ddp(network), optimizer, loaders, history)
    state["random"] = gather_random_states(state["random"])
    state["scheduler"] = None if scheduler is None else scheduler.state_dict()
    state["data"] = data_identity(loaders)
    if rank_and_world()[0] == 0:
        write_state(path, state)


def place_in(history, loader) -> tuple[int, int]:
    """Return how many epochs are complete, and how many batches of the next one are done."""
    return max(len(history.test_seen) - 1, 0), -(-loader.sampler.taken // loader.batch_size)


def data_identity(loaders) -> dict:
    """Return what the last digits depend on besides the order of the images, as plain numbers."""
    return {"batch_size": loaders.train.batch_size, "threads": torch.get_num_threads()}


def note_differences(there: dict, here: dict) -> None:
    """Print a line about what has changed, which may alter the last digits of the results."""
    changed = [name for name in sorted(here) if there.get(name, here[name]) != here[name]]  # if it is known
    if changed:
        both = ", ".join(f"{name.replace('_', ' ')} {there[name]} then, {here[name]} now" for name in changed)
        print(f"note: {both}; the run goes on, but not bit for bit as it would have")
